"""API keys' secrets: made here, sealed for the database, opened only to check a signature.

The access key is bound in, so that a sealed secret moved to another row does not open.
"""

import secrets

from exchange.api.sealing import seal, unseal

_PURPOSE = "nexus api key secrets v1"


def access_key_make() -> str:
    """Return a fresh public name of a key."""
    return "NX" + secrets.token_hex(15)


def secret_make() -> str:
    """Return a fresh secret of 256 bits."""
    return secrets.token_urlsafe(32)


def secret_seal(access_key: str, secret: str) -> bytes:
    """Return the secret encrypted, for the row of this access key only."""
    return seal(_PURPOSE, access_key, secret.encode())


def secret_open(access_key: str, sealed: bytes) -> str:
    """Return the secret. Raises `ValueError` when the row was altered or another key sealed it."""
    return unseal(_PURPOSE, access_key, sealed).decode()
