"""Questions about assets, accounts, the ledger and what is held outside; they change nothing."""

from collections.abc import Callable, Iterable, Iterator, Mapping

from django.conf import settings
from django.db.models import F, Q, Sum

from custody import evidence
from custody.errors import EvidenceInvalid, NotFound, NotYet
from custody.models import (
    Account,
    Asset,
    BankNotice,
    EvidenceKey,
    Issuance,
    LedgerPosition,
    Posting,
    VaultReceipt,
    WithdrawalHalt,
)


def asset_get(*, code: str) -> Asset:
    """Return the asset of a code. Raises `NotFound`."""
    asset = Asset.objects.filter(code=code).first()
    if asset is None:
        raise NotFound(f"no asset {code!r}")
    return asset


def assets_by_id() -> dict[int, Asset]:
    """Return all assets by number, in their order."""
    return {asset.pk: asset for asset in Asset.objects.order_by("id")}


def account_get(number: int) -> Account:
    """Return the account of a number. Raises `NotFound`."""
    account = Account.objects.filter(pk=number).first()
    if account is None:
        raise NotFound(f"no account {number}")
    return account


def accounts_by_number(numbers: Iterable[int] | None = None) -> dict[int, Account]:
    """Return the accounts of these numbers, or all, in their order; unknown ones left out."""
    rows = Account.objects.order_by("id")
    if numbers is not None:
        rows = rows.filter(pk__in=set(numbers))
    return {account.pk: account for account in rows}


def accounts_of_holder(holder: int) -> list[Account]:
    """Return a holder's accounts, oldest first."""
    return list(Account.objects.filter(holder=holder).order_by("id"))


def account_addresses(numbers: Iterable[int]) -> dict[int, str]:
    """Return the chain address of every account asked for.

    Raises `NotFound` for an unknown account, `NotYet` while custody's signer has not derived one.
    """
    wanted = set(numbers)
    rows = dict(Account.objects.filter(pk__in=wanted).values_list("id", "address"))
    if missing := wanted - set(rows):
        raise NotFound(f"no accounts {sorted(missing)}")
    addresses = {number: address for number, address in rows.items() if address}
    if waiting := wanted - set(addresses):
        raise NotYet(f"accounts {sorted(waiting)} have no address yet")
    return addresses


def accounts_unready(limit: int) -> list[int]:
    """Return accounts that the engine does not know yet, then those unknown to the registry."""
    rows = Account.objects.filter(Q(engine_sequence=None) | Q(registered_at=None))
    rows = rows.exclude(kind=Account.Kind.OUTSIDE)
    ordered = rows.order_by(F("engine_sequence").asc(nulls_first=True), "id")
    return list(ordered.values_list("id", flat=True)[:limit])


def ledger_position() -> int:
    """Return the last sequence number that the ledger has passed."""
    return LedgerPosition.objects.get().sequence


def ledger_balances(*, upto_sequence: int | None = None) -> dict[tuple[int, int], int]:
    """Return summed postings by (account, asset), up to and with a sequence number; zeros left out.

    The outside account stands below zero by what is in the house.
    """
    rows = Posting.objects.all()
    if upto_sequence is not None:
        rows = rows.filter(entry__sequence__lte=upto_sequence)
    sums = rows.order_by().values_list("account_id", "asset_id").annotate(Sum("amount_units"))
    return {(account, asset): int(units) for account, asset, units in sums if units}


def ledger_postings(
    *, account: int, asset: int, after_sequence: int = 0, upto_sequence: int | None = None
) -> Iterator[tuple[int, str, int]]:
    """Yield (sequence, reference, signed units) of one account and asset, in order."""
    rows = Posting.objects.filter(
        account_id=account, asset_id=asset, entry__sequence__gt=after_sequence
    )
    if upto_sequence is not None:
        rows = rows.filter(entry__sequence__lte=upto_sequence)
    ordered = rows.order_by("entry__sequence", "entry__index")
    yield from ordered.values_list("entry__sequence", "entry__reference", "amount_units").iterator(
        chunk_size=2000
    )


def evidence_keys() -> dict[str, tuple[str, bytes]]:
    """Return (kind, public key) of every known bank, vault and auditor."""
    return {key.name: (key.kind, bytes(key.public_key)) for key in EvidenceKey.objects.all()}


def notice_document(notice: BankNotice) -> dict[str, object]:
    """Return the notice as it was received."""
    return {
        "notice_id": notice.notice_id,
        "bank": notice.bank_id,
        "account": notice.account_id,
        "asset": notice.asset.code,
        "amount_units": notice.amount_units,
        "booked_at": notice.booked_at,
        "signature": bytes(notice.signature).hex(),
    }


def receipt_document(receipt: VaultReceipt) -> dict[str, object]:
    """Return the receipt as it was received."""
    return {
        "receipt_id": receipt.receipt_id,
        "vault": receipt.vault_id,
        "account": receipt.account_id,
        "asset": receipt.asset.code,
        "bars": receipt.bars,
        "fine_units": receipt.fine_units,
        "vault_signature": bytes(receipt.vault_signature).hex(),
        "auditor": receipt.auditor_id,
        "auditor_fine_units": receipt.auditor_fine_units,
        "auditor_signature": bytes(receipt.auditor_signature).hex(),
    }


def outside_holdings(*, issued_only: bool = False) -> dict[int, int]:
    """Return base units per asset that banks and vaults vouch for by signatures that verify now.

    With `issued_only` evidence counts from the mint it was used for; without, from its receipt.
    """
    keys, holdings = evidence_keys(), {asset: 0 for asset in assets_by_id()}
    notices = BankNotice.objects.select_related("asset")
    receipts = VaultReceipt.objects.select_related("asset")
    if issued_only:
        minted = Q(issuance__state__in=[Issuance.State.MINTED, Issuance.State.CREDITED])
        notices, receipts = notices.filter(minted), receipts.filter(minted)
    for notice in notices.iterator():
        if _verifies(evidence.notice_verify, keys, notice_document(notice)):
            holdings[notice.asset_id] += notice.amount_units
    for receipt in receipts.iterator():
        if _verifies(evidence.receipt_verify, keys, receipt_document(receipt)):
            holdings[receipt.asset_id] += receipt.fine_units
    return holdings


def _verifies(
    verify: Callable[..., None],
    keys: Mapping[str, tuple[str, bytes]],
    document: Mapping[str, object],
) -> bool:
    try:
        verify(keys, settings.INSTANCE_ID, document)
    except EvidenceInvalid:
        return False
    return True


def issuance_of(*, evidence_kind: str, evidence_id: str) -> Issuance | None:
    """Return what became of a piece of evidence, or None while no act has used it."""
    name = {evidence.BANK_NOTICE: "notice", evidence.VAULT_RECEIPT: "receipt"}[evidence_kind]
    return Issuance.objects.filter(**{f"{name}_id": evidence_id}).first()


def issuances_since(sequence: int) -> list[Issuance]:
    """Return issuances with a mint on its way, not credited up to a sequence number."""
    rows = Issuance.objects.filter(Q(engine_sequence=None) | Q(engine_sequence__gt=sequence))
    return list(rows.exclude(intent=None).select_related("intent").order_by("id"))


def issuance_credited_as(reference: str) -> Issuance | None:
    """Return the issuance whose credit carries this reference, or None when none does."""
    prefix, _, number = reference.partition(":")
    if prefix != "mint" or not number.isdecimal():
        return None
    return Issuance.objects.filter(pk=int(number)).select_related("intent").first()


def withdrawals_halted() -> WithdrawalHalt | None:
    """Return the oldest halt in force, or None."""
    return WithdrawalHalt.objects.filter(lifted_at=None).order_by("id").first()
