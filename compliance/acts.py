"""What officers sign: the kinds of acts, their payloads, the signed bytes. Pure, no database."""

import hashlib
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from compliance.canonical import JSON, canonical_json
from compliance.errors import Invalid
from matching.protocol.units import UNITS_MAX, InstrumentClass, Phase

DOMAIN = b"nexus-act-v1\n"
REASON_LENGTH_MAX = 500
HOLDER_MAX = 2**52
CLASSES_MAX = int(sum(InstrumentClass))

_HOLDER = (1, HOLDER_MAX)
_VERSION = (1, 2**31 - 1)
_ASSET = (1, 2**15 - 1)
_ACCOUNT = (1, 2**31 - 1)
_AMOUNT = (1, UNITS_MAX)
_EVIDENCE_ID = (1, 64)
_UUID = (36, 36)

# Kind -> field -> bounds: of the value for an int, of the length for a str.
KINDS: Mapping[str, Mapping[str, tuple[type, tuple[int, int]]]] = {
    "compliance.identify": {
        "holder": (int, _HOLDER),
        "classes": (int, (0, CLASSES_MAX)),
        "version": (int, _VERSION),
    },
    "compliance.freeze": {"holder": (int, _HOLDER), "version": (int, _VERSION)},
    "compliance.unfreeze": {"holder": (int, _HOLDER), "version": (int, _VERSION)},
    "custody.mint": {
        "evidence_kind": (str, _EVIDENCE_ID),
        "evidence_id": (str, _EVIDENCE_ID),
        "account": (int, _ACCOUNT),
        "asset": (int, _ASSET),
        "amount_units": (int, _AMOUNT),
    },
    "custody.deposit_accept": {
        "notice_id": (str, _EVIDENCE_ID),
        "account": (int, _ACCOUNT),
        "amount_units": (int, _AMOUNT),
    },
    "custody.deposit_return": {"notice_id": (str, _EVIDENCE_ID)},
    "custody.withdraw": {
        "withdrawal": (str, _UUID),
        "account": (int, _ACCOUNT),
        "asset": (int, _ASSET),
        "amount_units": (int, _AMOUNT),
        "kind": (str, (1, 8)),
        "destination": (str, (1, 1000)),
    },
    "custody.withdrawal_return": {"withdrawal": (str, _UUID)},
    "custody.withdrawals_resume": {"halt": (int, (1, 2**63 - 1))},
    "venue.set_phase": {
        "instrument": (int, _ASSET),
        "phase": (int, (min(Phase), max(Phase))),
    },
    "venue.set_kill_switch": {
        "account": (int, (0, _ACCOUNT[1])),
        "instrument": (int, (0, _ASSET[1])),
        "engaged": (bool, (False, True)),
    },
    "clearing.unwind": {"batch_id": (int, (1, 2**63 - 1))},
    "clearing.substitute": {
        "batch_id": (int, (1, 2**63 - 1)),
        "asset": (int, _ASSET),
        "account": (int, _ACCOUNT),
        "amount_units": (int, _AMOUNT),
    },
}


def act_message(
    *,
    instance: UUID,
    act_id: UUID,
    body: str,
    kind: str,
    payload: Mapping[str, Any],
    reason: str,
) -> bytes:
    """Return the bytes that proposer and approver both sign with Ed25519.

    The instance and the act's id stand inside, so a signature is good for one act of one exchange.
    """
    content: JSON = {
        "instance": str(instance),
        "id": str(act_id),
        "body": body,
        "kind": kind,
        "payload": dict(payload),
        "reason": reason,
    }
    return DOMAIN + hashlib.sha256(canonical_json(content)).digest()


def signature_verify(public_key: bytes, signature: bytes, message: bytes) -> bool:
    """Tell whether `signature` over `message` is by the Ed25519 key; malformed input is a no."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def act_body(kind: str) -> str:
    """Return the body whose officers decide on this kind; raise `Invalid` for an unknown kind."""
    if kind not in KINDS:
        raise Invalid(f"unknown kind {kind!r}: expected one of {', '.join(sorted(KINDS))}")
    return kind.partition(".")[0]


def payload_check(kind: str, payload: Mapping[str, Any]) -> None:
    """Raise `Invalid` unless the payload has exactly the kind's fields within their bounds."""
    act_body(kind)
    fields = KINDS[kind]
    if set(payload) != set(fields):
        raise Invalid(f"{kind} needs exactly {sorted(fields)}, found {sorted(payload)}")
    value: Any
    measure: Any
    for name, (expected, (low, high)) in fields.items():
        value = payload[name]
        if type(value) is not expected:
            raise Invalid(f"{kind}: {name} must be {expected.__name__}, found {value!r}")
        measure = len(value) if isinstance(value, str) else value
        if not low <= measure <= high:
            raise Invalid(f"{kind}: {name} must lie between {low} and {high}, found {value!r}")
