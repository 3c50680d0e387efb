"""Encrypt what must not lie readable in a store: AES-256-GCM under a key from NEXUS_SECRET_KEY.

The purpose gives each use a key of its own; the name is bound in, so that what was sealed under one
name does not open under another.
"""

import secrets
from functools import cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

_NONCE_BYTES = 12


def seal(purpose: str, name: str, content: bytes) -> bytes:
    """Return the content encrypted."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + _cipher(purpose).encrypt(nonce, content, name.encode())


def unseal(purpose: str, name: str, sealed: bytes) -> bytes:
    """Return the content. Raises `ValueError` when it was altered or another key sealed it."""
    try:
        return _cipher(purpose).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], name.encode())
    except InvalidTag as error:
        raise ValueError(
            f"what was sealed for {name} does not open: was NEXUS_SECRET_KEY another then?"
        ) from error


@cache
def _cipher(purpose: str) -> AESGCM:
    derive = HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose.encode())
    return AESGCM(derive.derive(settings.SECRET_KEY.encode()))
