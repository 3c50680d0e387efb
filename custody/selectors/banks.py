"""Whether banks hold what their own documents add up to."""

from dataclasses import dataclass
from datetime import datetime

from custody.evidence import instant_parse
from custody.models import BankBalance, BankNotice, CashDeposit, PaymentOrder

_UNANSWERED = (PaymentOrder.State.SIGNED, PaymentOrder.State.SENT)


@dataclass(frozen=True, slots=True)
class BankHolding:
    """What a bank last said that it holds, and what it must hold then, in base units."""

    bank: str
    asset: int
    booked_at: datetime
    held_units: int
    due_units: int


def bank_holdings() -> list[BankHolding]:
    """Return each bank's newest balance beside what it took in before, less what it paid out.

    Told in the bank's own times alone. What was booked in the balance's very second, or is ordered
    and not answered, may stand on either side of it and is counted in the bank's favour.
    """
    newest = BankBalance.objects.order_by("bank", "asset", "-booked_at", "-id")
    return [
        BankHolding(
            bank=balance.bank_id,
            asset=balance.asset_id,
            booked_at=balance.booked_at,
            held_units=balance.amount * 10**balance.asset.decimals,
            due_units=_taken_in(balance) - _paid_out(balance) * 10**balance.asset.decimals,
        )
        for balance in newest.distinct("bank", "asset").select_related("asset")
    ]


def _taken_in(balance: BankBalance) -> int:
    notices = BankNotice.objects.filter(bank=balance.bank_id, asset=balance.asset_id)
    deposits = CashDeposit.objects.filter(bank=balance.bank_id, asset=balance.asset_id)
    noticed = sum(
        units
        for booked_at, units in notices.values_list("booked_at", "amount_units")
        if instant_parse(booked_at) < balance.booked_at
    )
    deposited = sum(
        amount
        for booked_at, amount in deposits.values_list("document__booked_at", "amount")
        if instant_parse(booked_at) < balance.booked_at
    )
    return int(noticed + deposited * 10**balance.asset.decimals)


def _paid_out(balance: BankBalance) -> int:
    orders = PaymentOrder.objects.filter(bank=balance.bank_id, currency=balance.asset.code)
    paid = orders.filter(state=PaymentOrder.State.PAID)
    paid_out = sum(
        amount
        for booked_at, amount in paid.values_list("answer__booked_at", "amount")
        if instant_parse(booked_at) <= balance.booked_at
    )
    return int(
        paid_out + sum(orders.filter(state__in=_UNANSWERED).values_list("amount", flat=True))
    )
