"""What witnesses outside sign: documents, their checks, the signed bytes. No database.

Witnesses are banks, vaults, auditors and registrars.

A document is a JSON object of integers and strings with hex signatures. Weights and amounts are
in the asset's base units.
"""

import hashlib
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from compliance.acts import signature_verify
from compliance.canonical import JSON, canonical_json
from custody.errors import EvidenceInvalid
from matching.protocol.units import UNITS_MAX

NOTICE_DOMAIN = b"nexus-bank-notice-v1\n"
RECEIPT_DOMAIN = b"nexus-vault-receipt-v1\n"
COUNT_DOMAIN = b"nexus-auditor-count-v1\n"
REGISTRAR_DOMAIN = b"nexus-registrar-notice-v1\n"
RELEASE_DOMAIN = b"nexus-vault-release-v1\n"
BARS_MAX = 1000
PARTS_PER_MILLION = 1_000_000
BANK_NOTICE = "bank_notice"
VAULT_RECEIPT = "vault_receipt"
REGISTRAR_NOTICE = "registrar_notice"

_NAME = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)")
_NOTICE_FIELDS = {"notice_id", "bank", "account", "asset", "amount_units", "booked_at"}
_RECEIPT_FIELDS = {"receipt_id", "vault", "account", "asset", "bars", "fine_units"}
_COUNT_FIELDS = {"auditor", "auditor_fine_units"}
_REGISTRAR_FIELDS = {"notice_id", "registrar", "account", "asset", "amount_units", "booked_at"}
_RELEASE_FIELDS = {
    "release_id",
    "vault",
    "withdrawal",
    "asset",
    "bars",
    "fine_units",
    "pickup",
    "released_at",
}
_BAR_NAMES = ("refiner", "serial", "vault")
_BAR_NUMBERS = {
    "year": 9999,
    "gross_units": UNITS_MAX,
    "fine_units": UNITS_MAX,
    "fineness_ppm": PARTS_PER_MILLION,
}


def notice_check(document: Mapping[str, Any]) -> None:
    """Raise `EvidenceInvalid` unless the document has a bank notice's exact fields and bounds."""
    _fields(document, _NOTICE_FIELDS | {"signature"})
    _names(document, ("notice_id", "bank", "asset"))
    _booking_check(document)


def registrar_check(document: Mapping[str, Any]) -> None:
    """Raise `EvidenceInvalid` unless the document has a registrar's notice's fields and bounds."""
    _fields(document, _REGISTRAR_FIELDS | {"signature"})
    _names(document, ("notice_id", "registrar", "asset"))
    _booking_check(document)


def release_check(document: Mapping[str, Any]) -> None:
    """Raise `EvidenceInvalid` unless the document has a release's exact fields and bounds.

    `bars` lists `<refiner>/<serial>/<year>`, `withdrawal` is its id.
    """
    _fields(document, _RELEASE_FIELDS | {"signature"})
    _names(document, ("release_id", "vault", "withdrawal", "asset", "pickup"))
    _number(document, "fine_units", UNITS_MAX)
    _time(document, "released_at")
    bars = document["bars"]
    if not isinstance(bars, list) or not 1 <= len(bars) <= BARS_MAX:
        raise EvidenceInvalid(f"a release lists 1 to {BARS_MAX} bars")
    if not all(isinstance(bar, str) for bar in bars) or len(set(bars)) != len(bars):
        raise EvidenceInvalid("a release names each bar once, by text")


def _booking_check(document: Mapping[str, Any]) -> None:
    _number(document, "account", UNITS_MAX)
    _number(document, "amount_units", UNITS_MAX)
    _time(document, "booked_at")


def receipt_check(document: Mapping[str, Any]) -> None:
    """Raise `EvidenceInvalid` unless fields, bars and the auditor's count fit together.

    A bar's fine weight is at most gross weight times fineness; the bars' fine weights sum to
    `fine_units`, and the auditor counted the same.
    """
    _fields(document, _RECEIPT_FIELDS | _COUNT_FIELDS | {"vault_signature", "auditor_signature"})
    _names(document, ("receipt_id", "vault", "asset", "auditor"))
    for name in ("fine_units", "auditor_fine_units"):
        _number(document, name, UNITS_MAX)
    _number(document, "account", UNITS_MAX)
    bars = document["bars"]
    if not isinstance(bars, list) or not 1 <= len(bars) <= BARS_MAX:
        raise EvidenceInvalid(f"a receipt lists 1 to {BARS_MAX} bars")
    for bar in bars:
        _bar_check(bar)
    named = {(bar["refiner"], bar["serial"], bar["year"]) for bar in bars}
    if len(named) != len(bars):
        raise EvidenceInvalid("a bar stands twice in the receipt")
    total = sum(bar["fine_units"] for bar in bars)
    if total != document["fine_units"]:
        raise EvidenceInvalid(
            f"bars hold {total} fine units, receipt says {document['fine_units']}"
        )
    if document["auditor_fine_units"] != total:
        raise EvidenceInvalid(
            f"auditor counted {document['auditor_fine_units']} fine units, vault {total}"
        )


def _bar_check(bar: object) -> None:
    if not isinstance(bar, Mapping):
        raise EvidenceInvalid(f"a bar is an object, found {bar!r}")
    _fields(bar, {*_BAR_NAMES, *_BAR_NUMBERS})
    _names(bar, _BAR_NAMES)
    for name, limit in _BAR_NUMBERS.items():
        _number(bar, name, limit)
    if bar["fine_units"] * PARTS_PER_MILLION > bar["gross_units"] * bar["fineness_ppm"]:
        raise EvidenceInvalid(f"bar {bar['serial']} is finer than its weight and fineness allow")


def notice_message(instance: UUID, document: Mapping[str, Any]) -> bytes:
    """Return the bytes a bank signs with Ed25519."""
    return _message(NOTICE_DOMAIN, instance, {name: document[name] for name in _NOTICE_FIELDS})


def registrar_message(instance: UUID, document: Mapping[str, Any]) -> bytes:
    """Return the bytes a registrar signs with Ed25519."""
    return _message(
        REGISTRAR_DOMAIN, instance, {name: document[name] for name in _REGISTRAR_FIELDS}
    )


def release_message(instance: UUID, document: Mapping[str, Any]) -> bytes:
    """Return the bytes a vault signs with Ed25519 when it has handed bars over."""
    return _message(RELEASE_DOMAIN, instance, {name: document[name] for name in _RELEASE_FIELDS})


def receipt_message(instance: UUID, document: Mapping[str, Any]) -> bytes:
    """Return the bytes a vault signs with Ed25519."""
    return _message(RECEIPT_DOMAIN, instance, {name: document[name] for name in _RECEIPT_FIELDS})


def count_message(instance: UUID, document: Mapping[str, Any]) -> bytes:
    """Return the bytes an auditor signs with Ed25519: the count, bound to the receipt's bars."""
    content = {name: document[name] for name in _COUNT_FIELDS | {"receipt_id", "asset"}}
    content["bars_hash"] = hashlib.sha256(canonical_json(document["bars"])).hexdigest()
    return _message(COUNT_DOMAIN, instance, content)


def notice_verify(
    keys: Mapping[str, tuple[str, bytes]], instance: UUID, document: Mapping[str, Any]
) -> None:
    """Raise `EvidenceInvalid` unless the notice is well-formed and its bank in `keys` signed."""
    notice_check(document)
    signature_check(
        keys,
        name=document["bank"],
        kind="bank",
        signature=signature_parse(document["signature"]),
        message=notice_message(instance, document),
    )


def registrar_verify(
    keys: Mapping[str, tuple[str, bytes]], instance: UUID, document: Mapping[str, Any]
) -> None:
    """Raise `EvidenceInvalid` unless the notice is well-formed and its registrar signed."""
    registrar_check(document)
    signature_check(
        keys,
        name=document["registrar"],
        kind="registrar",
        signature=signature_parse(document["signature"]),
        message=registrar_message(instance, document),
    )


def release_verify(
    keys: Mapping[str, tuple[str, bytes]], instance: UUID, document: Mapping[str, Any]
) -> None:
    """Raise `EvidenceInvalid` unless the release is well-formed and its vault signed."""
    release_check(document)
    signature_check(
        keys,
        name=document["vault"],
        kind="vault",
        signature=signature_parse(document["signature"]),
        message=release_message(instance, document),
    )


def receipt_verify(
    keys: Mapping[str, tuple[str, bytes]], instance: UUID, document: Mapping[str, Any]
) -> None:
    """Raise `EvidenceInvalid` unless the receipt is well-formed and vault and auditor signed."""
    receipt_check(document)
    for kind, message in (
        ("vault", receipt_message(instance, document)),
        ("auditor", count_message(instance, document)),
    ):
        signature_check(
            keys,
            name=document[kind],
            kind=kind,
            signature=signature_parse(document[f"{kind}_signature"]),
            message=message,
        )


def signature_check(
    keys: Mapping[str, tuple[str, bytes]], *, name: str, kind: str, signature: bytes, message: bytes
) -> None:
    """Raise `EvidenceInvalid` unless `name` is a known key of that kind and has signed."""
    known = keys.get(name)
    if known is None or known[0] != kind:
        raise EvidenceInvalid(f"no {kind} called {name!r} is known")
    if not signature_verify(known[1], signature, message):
        raise EvidenceInvalid(f"signature of {kind} {name!r} does not cover the document")


def signature_parse(value: object) -> bytes:
    """Return the 64 bytes of a hex signature. Raises `EvidenceInvalid`."""
    if not (isinstance(value, str) and re.fullmatch(r"[0-9a-fA-F]{128}", value)):
        raise EvidenceInvalid("a signature is 128 hex digits")
    return bytes.fromhex(value)


def chain_reference(kind: str, evidence_id: str) -> bytes:
    """Return the 32 bytes under which the token counts this evidence, once for ever."""
    return hashlib.sha256(f"{kind}:{evidence_id}".encode()).digest()


def intent_id(kind: str, evidence_id: str) -> UUID:
    """Return the id of the one intent that mints securities: their token keeps no evidence."""
    return UUID(bytes=chain_reference(kind, evidence_id)[:16])


def _message(domain: bytes, instance: UUID, content: Mapping[str, JSON]) -> bytes:
    return domain + hashlib.sha256(canonical_json({"instance": str(instance), **content})).digest()


def _fields(document: Mapping[str, Any], expected: set[str]) -> None:
    if set(document) != expected:
        raise EvidenceInvalid(f"expected exactly {sorted(expected)}, found {sorted(document)}")


def _names(document: Mapping[str, Any], names: tuple[str, ...]) -> None:
    for name in names:
        value = document[name]
        if not (isinstance(value, str) and _NAME.fullmatch(value)):
            raise EvidenceInvalid(f"{name} must match {_NAME.pattern}, found {value!r}")


def _number(document: Mapping[str, Any], name: str, limit: int) -> None:
    value = document[name]
    if type(value) is not int or not 1 <= value <= limit:
        raise EvidenceInvalid(f"{name} must be a whole number from 1 to {limit}, found {value!r}")


def _time(document: Mapping[str, Any], name: str) -> None:
    value = document[name]
    if not (isinstance(value, str) and value.isascii() and _TIME.fullmatch(value)):
        raise EvidenceInvalid(f"{name} must be an ISO 8601 time, found {value!r}")
    instant_parse(value)


def instant_parse(text: str) -> datetime:
    """Return the instant that a document's time means. Raises `EvidenceInvalid` for none."""
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise EvidenceInvalid(f"{text!a} is no time") from error
