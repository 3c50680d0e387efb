"""An officer's own Ed25519 key file, read by the commands that a person runs; never by a server."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import settings

from compliance.acts import act_message
from compliance.errors import Invalid


def key_create(path: Path) -> bytes:
    """Write a new private key as hex into a file of mode 0600; return the 32-byte public key.

    Raises `FileExistsError` rather than replace a key.
    """
    key = Ed25519PrivateKey.generate()
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(key.private_bytes_raw().hex() + "\n")
    return key.public_key().public_bytes_raw()


def key_sign(path: Path, message: bytes) -> bytes:
    """Return the 64-byte signature by the key in the file. Raises `Invalid` for another file."""
    return _key_read(path).sign(message)


def public_key_of(path: Path) -> bytes:
    """Return the public key of the file's key, made when there is none. Raises `Invalid`."""
    return _key_read(path).public_key().public_bytes_raw() if path.exists() else key_create(path)


def _key_read(path: Path) -> Ed25519PrivateKey:
    try:
        return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(path.read_text().strip()))
    except (OSError, ValueError) as error:
        raise Invalid(f"{path} holds no private key: {error}") from error


def act_sign(
    path: Path, *, act_id: UUID, body: str, kind: str, payload: Mapping[str, Any], reason: str
) -> bytes:
    """Return the officer's signature over an act of this instance."""
    message = act_message(
        instance=settings.INSTANCE_ID,
        act_id=act_id,
        body=body,
        kind=kind,
        payload=payload,
        reason=reason,
    )
    return key_sign(path, message)
