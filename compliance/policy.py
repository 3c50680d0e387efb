"""What a signer trusts: officers' keys, evidence keys, contract addresses, in a file of its body.

The database is not believed: a web process that is taken over can write rows, not this folder
(`settings.KEYS` is given to signers and set-up commands alone, and belongs to their user).
"""

import fcntl
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings

from compliance.errors import Conflict


@dataclass(frozen=True)
class ChainPin:
    """The contracts that a body's signatures are meant for."""

    authority: str
    targets: dict[str, str]
    chain_id: int
    salt: bytes
    clearing_id: int


@dataclass(frozen=True)
class Policy:
    """`officers` maps user name to Ed25519 key; `evidence` name to (kind, key).

    `limits` are base units up to which the signer acts without two officers, by
    `<action>:<asset code>`; what is not listed is zero.
    """

    officers: dict[str, bytes] = field(default_factory=dict)
    evidence: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    chain: ChainPin | None = None
    attestor: str = ""
    limits: dict[str, int] = field(default_factory=dict)


def policy_load(body: str) -> Policy:
    """Return the body's policy as its file stands now; without a file nobody is trusted."""
    path = _path(body)
    return _decode(json.loads(path.read_text())) if path.exists() else Policy()


def officer_trust(body: str, username: str, public_key: bytes) -> None:
    """Add an officer's key. Raises `Conflict` when name or key is listed otherwise."""
    _add(body, "officers", username, public_key.hex())


def evidence_trust(body: str, name: str, kind: str, public_key: bytes) -> None:
    """Add a bank's, vault's or auditor's key. Raises `Conflict` as above."""
    _add(body, "evidence", name, {"kind": kind, "public_key": public_key.hex()})


def chain_pin(body: str, pin: ChainPin) -> None:
    """Pin the contract addresses. Raises `Conflict` when others are pinned."""
    document = {**pin.__dict__, "salt": pin.salt.hex()}
    _set(body, "chain", document)


def attestor_trust(body: str, address: str) -> None:
    """Name the signer whose attestations this body's believes.

    Custody's attests addresses to the others; the clearing house's tells custody what is title.
    """
    _set(body, "attestor", address)


def limit_set(body: str, action: str, asset_code: str, units: int) -> None:
    """Set up to how many base units of an asset the signer does an action by itself."""

    def change(document: dict[str, Any]) -> None:
        document.setdefault("limits", {})[f"{action}:{asset_code}"] = units

    _change(body, change)


def _path(body: str) -> Path:
    return Path(settings.KEYS) / f"{body}.policy.json"


def _decode(document: dict[str, Any]) -> Policy:
    chain = document.get("chain")
    return Policy(
        officers={name: bytes.fromhex(key) for name, key in document.get("officers", {}).items()},
        evidence={
            name: (entry["kind"], bytes.fromhex(entry["public_key"]))
            for name, entry in document.get("evidence", {}).items()
        },
        chain=ChainPin(**{**chain, "salt": bytes.fromhex(chain["salt"])}) if chain else None,
        attestor=document.get("attestor", ""),
        limits=dict(document.get("limits", {})),
    )


def _add(body: str, section: str, name: str, value: Any) -> None:
    def change(document: dict[str, Any]) -> None:
        entries = document.setdefault(section, {})
        for other, known in entries.items():
            # One key under two names would let one person be two.
            if (other == name) != (known == value):
                raise Conflict(f"{body} policy lists {other} with {known} in {section}")
        entries[name] = value

    _change(body, change)


def _set(body: str, name: str, value: Any) -> None:
    def change(document: dict[str, Any]) -> None:
        if document.setdefault(name, value) != value:
            raise Conflict(f"{body} policy pins {name} {document[name]}, found {value}")

    _change(body, change)


def _change(body: str, change: Callable[[dict[str, Any]], None]) -> None:
    path = _path(body)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(path.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        document = json.loads(path.read_text()) if path.exists() else {}
        change(document)
        fresh = path.with_suffix(".new")
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(document, file, indent=1, sort_keys=True)
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, path)
