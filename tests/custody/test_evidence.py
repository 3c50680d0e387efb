"""Evidence: whoever alters it, repeats it or signs it without being known is refused."""

from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, transaction

from compliance.models import AuditRecord
from custody import evidence, selectors, services
from custody.errors import Conflict, EvidenceInvalid, Invalid, NotFound
from custody.models import Account, BankNotice, EvidenceKey, VaultBar, VaultReceipt
from tests.custody.conftest import TOKENS
from tests.custody.outside import Witness, bar, notice, receipt, witness_admit

pytestmark = pytest.mark.django_db
WON = 10_000
KILO = 1_000_000


def _notice_refused(document: dict[str, Any], error: type[Exception], match: str = ".") -> None:
    before = (BankNotice.objects.count(), AuditRecord.objects.count())
    with pytest.raises(error, match=match):
        services.bank_notice_receive(document=document)
    assert (BankNotice.objects.count(), AuditRecord.objects.count()) == before


def _receipt_refused(document: dict[str, Any], error: type[Exception], match: str = ".") -> None:
    before = (VaultReceipt.objects.count(), VaultBar.objects.count(), AuditRecord.objects.count())
    with pytest.raises(error, match=match), transaction.atomic():
        services.vault_receipt_receive(document=document)
    after = (VaultReceipt.objects.count(), VaultBar.objects.count(), AuditRecord.objects.count())
    assert after == before


def test_notice_is_kept_once(bank: Witness, account: Account) -> None:
    document = notice(bank, account.pk, 1_000_000 * WON)
    kept = services.bank_notice_receive(document=document)
    assert (kept.account_id, kept.asset.code, kept.amount_units) == (
        account.pk,
        "KRW",
        10_000_000_000,
    )
    records = AuditRecord.objects.count()
    assert services.bank_notice_receive(document=document) == kept
    assert (BankNotice.objects.count(), AuditRecord.objects.count()) == (1, records)
    assert selectors.notice_document(kept) == document
    assert selectors.outside_holdings()[1] == 10_000_000_000
    assert selectors.outside_holdings(issued_only=True)[1] == 0


def test_notice_is_refused_when_altered_after_signing(bank: Witness, account: Account) -> None:
    document = notice(bank, account.pk, 500 * WON)
    for change in (
        {"amount_units": 501 * WON},
        {"account": 2},
        {"notice_id": "other"},
        {"booked_at": "2026-11-21T09:00:00+09:00"},
        {"signature": "00" * 64},
        {"signature": document["signature"][:-2]},
        {"signature": None},
    ):
        _notice_refused({**document, **change}, EvidenceInvalid)


@pytest.mark.parametrize(
    "change",
    [
        {"amount_units": 0},
        {"amount_units": -1},
        {"amount_units": 2**63},
        {"amount_units": "5"},
        {"amount_units": True},
        {"amount_units": 5.0},
        {"account": 0},
        {"notice_id": ""},
        {"notice_id": "x" * 65},
        {"notice_id": "a b"},
        {"booked_at": "yesterday"},
        {"extra": 1},
    ],
)
def test_notice_is_refused_when_malformed(
    bank: Witness, account: Account, change: dict[str, Any]
) -> None:
    document = {**notice(bank, account.pk, 500 * WON), **change}
    _notice_refused(document, EvidenceInvalid)


def test_notice_is_refused_from_an_unknown_key_or_one_of_another_kind(
    bank: Witness, vault: Witness, account: Account
) -> None:
    stranger = Witness("stranger", bank.key)
    _notice_refused(notice(stranger, account.pk, WON), EvidenceInvalid, "no bank called")
    _notice_refused(notice(vault, account.pk, WON), EvidenceInvalid, "no bank called")
    forged = Witness(bank.name, vault.key)
    _notice_refused(notice(forged, account.pk, WON), EvidenceInvalid, "does not cover")


def test_notice_is_refused_for_a_metal_or_an_unknown_account_or_asset(
    bank: Witness, account: Account
) -> None:
    _notice_refused(notice(bank, account.pk, 5, asset="XAU"), EvidenceInvalid, "XAU is metal")
    _notice_refused(notice(bank, account.pk, 5, asset="USD"), NotFound)
    _notice_refused(notice(bank, 999_999, 5), NotFound)


def test_notice_id_with_other_content_is_refused(bank: Witness, account: Account) -> None:
    services.bank_notice_receive(document=notice(bank, account.pk, WON, notice_id="N1"))
    other = notice(bank, account.pk, 2 * WON, notice_id="N1")
    _notice_refused(other, Conflict, "other content")
    assert BankNotice.objects.get().amount_units == WON


def test_notice_of_another_instance_is_refused(
    bank: Witness, account: Account, settings: Any
) -> None:
    ours, settings.INSTANCE_ID = settings.INSTANCE_ID, uuid4()
    foreign = notice(bank, account.pk, WON)
    settings.INSTANCE_ID = ours
    _notice_refused(foreign, EvidenceInvalid, "does not cover")


def test_receipt_is_kept_with_its_bars(vault: Witness, auditor: Witness, account: Account) -> None:
    document = receipt(vault, auditor, account.pk, bar("A1", KILO), bar("A2", 2 * KILO))
    kept = services.vault_receipt_receive(document=document)
    assert services.vault_receipt_receive(document=document) == kept
    assert kept.fine_units == 3_000_000
    assert sorted(VaultBar.objects.values_list("serial", flat=True)) == ["A1", "A2"]
    assert selectors.receipt_document(kept) == document
    assert selectors.outside_holdings() == {**dict.fromkeys(TOKENS, 0), 2: 3_000_000}


def test_receipt_is_refused_when_vault_and_auditor_differ(
    vault: Witness, auditor: Witness, account: Account
) -> None:
    one = bar("A1", KILO)
    fewer = receipt(vault, auditor, account.pk, one, auditor_fine_units=KILO - 1)
    _receipt_refused(fewer, EvidenceInvalid, "auditor counted 999999")
    more = receipt(vault, auditor, account.pk, one, fine_units=KILO + 1)
    _receipt_refused(more, EvidenceInvalid, "bars hold 1000000")


def test_receipt_is_refused_when_altered_or_signed_by_others(
    vault: Witness, auditor: Witness, account: Account
) -> None:
    good = receipt(vault, auditor, account.pk, bar("A1", KILO))
    for change in (
        {"bars": [bar("B1", KILO)]},
        {"receipt_id": "other"},
        {"account": 2},
        {"asset": "XAG"},
        {"vault_signature": good["auditor_signature"]},
        {"auditor_signature": good["vault_signature"]},
        {"auditor": vault.name},
    ):
        _receipt_refused({**good, **change}, EvidenceInvalid)
    swapped = receipt(vault, auditor, account.pk, bar("B1", KILO), receipt_id=good["receipt_id"])
    mixed = {**swapped, "auditor_signature": good["auditor_signature"]}
    _receipt_refused(mixed, EvidenceInvalid, "auditor 'bureau' does not cover")


@pytest.mark.parametrize(
    ("bars", "match"),
    [
        ([], "1 to 1000 bars"),
        ([bar("A", KILO), bar("A", KILO)], "twice"),
        ([bar("A", KILO, gross_units=KILO)], "finer than"),
        ([bar("A", KILO, fineness_ppm=1_000_001)], "fineness_ppm"),
        ([{**bar("A", KILO), "fine_units": -5}], "fine_units"),
        ([bar("A", KILO, refiner="")], "refiner"),
        ([{**bar("A", KILO), "owner": "me"}], "expected exactly"),
        (["bar"], "a bar is an object"),
        ([bar(str(n), 1) for n in range(1001)], "1 to 1000 bars"),
    ],
)
def test_receipt_is_refused_when_its_bars_are_wrong(
    vault: Witness, auditor: Witness, account: Account, bars: list[Any], match: str
) -> None:
    document = receipt(vault, auditor, account.pk, bar("ok", KILO))
    _receipt_refused({**document, "bars": bars}, EvidenceInvalid, match)


def test_bar_is_counted_once(vault: Witness, auditor: Witness, account: Account) -> None:
    services.vault_receipt_receive(document=receipt(vault, auditor, account.pk, bar("A1", KILO)))
    again = receipt(vault, auditor, account.pk, bar("A1", KILO), receipt_id="second")
    _receipt_refused(again, Conflict, "behind another receipt")


def test_evidence_cannot_be_edited(bank: Witness, vault: Witness, auditor: Witness) -> None:
    account = Account.objects.get(pk=2)
    services.bank_notice_receive(document=notice(bank, account.pk, WON))
    services.vault_receipt_receive(document=receipt(vault, auditor, account.pk, bar("A", KILO)))
    for table in ("custody_banknotice", "custody_vaultreceipt", "custody_vaultbar"):
        for statement in (
            f"DELETE FROM {table}",
            f"UPDATE {table} SET {'id=id' if table.endswith('bar') else 'account_id=3'}",
        ):
            with (
                pytest.raises(IntegrityError, match="append-only"),
                transaction.atomic(),
                connection.cursor() as cursor,
            ):
                cursor.execute(statement)


def test_holdings_count_only_signatures_that_verify(
    bank: Witness, vault: Witness, auditor: Witness, account: Account
) -> None:
    services.bank_notice_receive(document=notice(bank, account.pk, WON))
    services.vault_receipt_receive(document=receipt(vault, auditor, account.pk, bar("A", KILO)))
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE custody_banknotice DISABLE TRIGGER USER")
        cursor.execute("UPDATE custody_banknotice SET amount_units = amount_units + 1")
        cursor.execute("ALTER TABLE custody_banknotice ENABLE TRIGGER USER")
    holdings = selectors.outside_holdings()
    assert (holdings[1], holdings[2]) == (0, KILO)


def test_evidence_key_is_admitted_once(bank: Witness) -> None:
    key = bytes(EvidenceKey.objects.get().public_key)
    services.evidence_key_create(name="hana", kind="bank", public_key=key, actor="process:test")
    for name, kind, other in (
        ("hana", "vault", key),
        ("hana", "bank", bytes(32)),
        ("woori", "bank", key),
    ):
        with pytest.raises(Conflict):
            services.evidence_key_create(
                name=name, kind=kind, public_key=other, actor="process:test"
            )
    with pytest.raises(Invalid):
        services.evidence_key_create(
            name="x", kind="broker", public_key=bytes(32), actor="process:test"
        )
    with pytest.raises(FileExistsError):
        witness_admit("hana", "bank")
    assert EvidenceKey.objects.count() == 1


def test_chain_reference_separates_kinds() -> None:
    assert evidence.chain_reference("bank_notice", "1") != evidence.chain_reference(
        "vault_receipt", "1"
    )
