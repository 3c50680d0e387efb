"""API keys' secrets: made here, sealed for the database, opened only to check a signature.

AES-256-GCM; the key comes from NEXUS_SECRET_KEY and the access key is bound in, so that a sealed
secret moved to another row does not open.
"""

import secrets
from functools import cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

_NONCE_BYTES = 12


def access_key_make() -> str:
    """Return a fresh public name of a key."""
    return "NX" + secrets.token_hex(15)


def secret_make() -> str:
    """Return a fresh secret of 256 bits."""
    return secrets.token_urlsafe(32)


def secret_seal(access_key: str, secret: str) -> bytes:
    """Return the secret encrypted, for the row of this access key only."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + _cipher().encrypt(nonce, secret.encode(), access_key.encode())


def secret_open(access_key: str, sealed: bytes) -> str:
    """Return the secret. Raises `ValueError` when the row was altered or another key sealed it."""
    try:
        opened = _cipher().decrypt(
            sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], access_key.encode()
        )
    except InvalidTag as error:
        raise ValueError(
            f"the secret of {access_key} does not open: was NEXUS_SECRET_KEY another then?"
        ) from error
    return opened.decode()


@cache
def _cipher() -> AESGCM:
    derive = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"nexus api key secrets v1")
    return AESGCM(derive.derive(settings.SECRET_KEY.encode()))
