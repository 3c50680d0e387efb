"""What custody and its banks sign about money: shapes, signed bytes, checks. No database.

A document is a JSON object with a hex Ed25519 signature over its other fields and the instance.
Amounts are whole units of a currency, since banks move no fractions.
"""

import hashlib
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, TypeVar
from uuid import UUID

import msgspec

from compliance.canonical import canonical_json
from compliance.errors import Invalid
from custody.errors import EvidenceInvalid
from custody.evidence import instant_parse, signature_check

AMOUNT_MAX = 10**14  # whole won, so that 0.0001 KRW fit in 63 bits
PAYMENT_REJECTION = "payment_rejection"

Name = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_.:-]{1,64}\Z")]
PersonName = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Bank = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_.-]{1,64}\Z")]
Number = Annotated[str, msgspec.Meta(pattern=r"^[0-9-]{4,32}\Z")]
Currency = Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{3}\Z")]
Amount = Annotated[int, msgspec.Meta(ge=1, le=AMOUNT_MAX)]
Time = Annotated[
    str, msgspec.Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)\Z", max_length=32)
]
Signature = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{128}\Z")]


class Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of all documents; `domain` begins the signed bytes, so that none passes for another."""

    domain: ClassVar[bytes]
    signature: Signature = "0" * 128


class DepositNotice(Document, frozen=True, kw_only=True):
    """A bank: somebody paid `amount` into a virtual account; `source` is the payer's account."""

    domain = b"nexus-bank-deposit-v1\n"
    notice_id: Name
    bank: Name
    virtual_account: Annotated[str, msgspec.Meta(pattern=r"^[0-9-]{1,32}\Z")]
    depositor_name: PersonName
    source_bank: Bank
    source_number: Number
    currency: Currency
    amount: Annotated[int, msgspec.Meta(ge=0, le=AMOUNT_MAX)]
    booked_at: Time


class Payment(Document, frozen=True, kw_only=True):
    """Custody: pay `amount` out of the segregated account, once for each `order_id`.

    `account` is whose money it is, 1 (the outside) for a deposit that goes back.
    """

    domain = b"nexus-payment-order-v1\n"
    order_id: Name
    bank: Name
    account: Annotated[int, msgspec.Meta(ge=1, lt=2**31)]
    to_bank: Bank
    to_number: Number
    to_name: PersonName
    currency: Currency
    amount: Amount


class PaymentAnswer(Document, frozen=True, kw_only=True):
    """A bank: the order was paid, or rejected and the money never left."""

    domain = b"nexus-payment-answer-v1\n"
    order_id: Name
    bank: Name
    outcome: Literal["paid", "rejected"]
    reason: Annotated[str, msgspec.Meta(max_length=200)]
    currency: Currency
    amount: Amount
    booked_at: Time


class BankBalance(Document, frozen=True, kw_only=True):
    """A bank: so much stood in the segregated account."""

    domain = b"nexus-bank-balance-v1\n"
    bank: Name
    currency: Currency
    amount: Annotated[int, msgspec.Meta(ge=0, le=AMOUNT_MAX)]
    booked_at: Time


Shape = TypeVar("Shape", bound=Document)


def document_parse(shape: type[Shape], document: Mapping[str, Any]) -> Shape:
    """Return the document as `shape`. Raises `EvidenceInvalid` for another shape."""
    try:
        parsed = msgspec.convert(dict(document), shape)
    except msgspec.ValidationError as error:
        raise EvidenceInvalid(f"{shape.__name__}: {error}") from error
    if "booked_at" in document:
        instant_parse(document["booked_at"])
    return parsed


def document_message(instance: UUID, document: Document) -> bytes:
    """Return the bytes that are signed. Raises `EvidenceInvalid` for text that cannot be."""
    content = msgspec.structs.asdict(document)
    del content["signature"]
    try:
        spelled = canonical_json({"instance": str(instance), **content})
    except Invalid as error:
        raise EvidenceInvalid(str(error)) from error
    return document.domain + hashlib.sha256(spelled).digest()


def document_verify(
    shape: type[Shape],
    keys: Mapping[str, tuple[str, bytes]],
    instance: UUID,
    document: Mapping[str, Any],
) -> Shape:
    """Return a bank's document. Raises `EvidenceInvalid` unless a known bank signed it."""
    parsed = document_parse(shape, document)
    signature_check(
        keys,
        name=parsed.bank,  # type: ignore[attr-defined]  # every document of a bank names it
        kind="bank",
        signature=bytes.fromhex(parsed.signature),
        message=document_message(instance, parsed),
    )
    return parsed
