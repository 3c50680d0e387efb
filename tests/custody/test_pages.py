"""Pages of deposits and withdrawals: every row once, also of rows that share an instant."""

from datetime import UTC, datetime, timedelta

import pytest

from custody import selectors, services
from custody.models import Account, CashDeposit, Issuance, TokenDeposit, Withdrawal
from tests.compliance.desks import Desk, act_approved
from tests.custody.outside import Witness, notice

pytestmark = pytest.mark.django_db
KRW, XAU = 1, 2
NOON = datetime(2026, 11, 22, 3, tzinfo=UTC)
INSTANTS = (NOON, NOON - timedelta(microseconds=1))


def _minted(account: Account, bank: Witness, carol: Desk, dave: Desk, at: datetime) -> None:
    document = notice(
        bank, account.pk, 10_000, notice_id=f"M-{at:%H%M%S%f}-{Issuance.objects.count()}"
    )
    kept = services.bank_notice_receive(document=document)
    act = act_approved(
        carol,
        dave,
        "custody.mint",
        evidence_kind="bank_notice",
        evidence_id=kept.pk,
        account=account.pk,
        asset=KRW,
        amount_units=10_000,
    )
    Issuance.objects.create(
        notice=kept, account=account, asset_id=KRW, amount_units=10_000, act=act, created_at=at
    )


def test_pages_of_deposits_hold_every_one_once_when_they_share_an_instant(
    account: Account, bank: Witness, carol: Desk, dave: Desk
) -> None:
    for at in INSTANTS:
        for number in range(3):
            name = f"{at:%S%f}{number}"
            CashDeposit.objects.create(
                notice_id=f"N:{name}",
                bank_id=bank.name,
                document={},
                currency="KRW",
                amount=7,
                asset_id=KRW,
                account=account,
                state="accepted",
                received_at=at,
            )
            TokenDeposit.objects.create(
                account=account,
                asset_id=XAU,
                amount_units=1,
                sender="0x",
                transaction_hash=f"0x{name}",
                log_index=number,
                block_number=1,
                created_at=at,
            )
            _minted(account, bank, carol, dave, at)
    everything = selectors.deposits_page(account.pk, limit=50)
    assert len({(one.kind, one.id) for one in everything}) == 18
    assert [one.place.received_at for one in everything] == 9 * [INSTANTS[0]] + 9 * [INSTANTS[1]]
    for limit in (1, 2, 5):
        paged, after = [], None
        while page := selectors.deposits_page(account.pk, after=after, limit=limit):
            paged += page
            after = page[-1].place
        assert paged == everything


def test_pages_of_withdrawals_hold_every_one_once_when_they_share_an_instant(
    account: Account,
) -> None:
    for at in INSTANTS:
        for number in range(4):
            Withdrawal.objects.create(
                account=account,
                asset_id=XAU,
                amount_units=1,
                kind="token",
                destination="0x",
                client_reference=f"{at:%f}{number}",
                created_at=at,
            )
    everything = list(selectors.withdrawals_of(account.pk))
    assert [one.created_at for one in everything] == 4 * [INSTANTS[0]] + 4 * [INSTANTS[1]]
    paged: list[Withdrawal] = []
    after = None
    while page := list(selectors.withdrawals_of(account.pk, after=after)[:3]):
        paged += page
        after = (page[-1].created_at, page[-1].pk)
    assert paged == everything
