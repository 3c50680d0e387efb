"""From records of ledger and fills to what a member reads, as JSON shapes or CSV."""

import csv
import io
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from custody import statements
from custody.catalogue import CASH
from custody.selectors import DepositRecord, LimitUse, WithdrawalFee
from custody.trade_dates import TRADE_ZONE
from exchange.api.times import moment_format
from exchange.funds.api import shapes
from exchange.funds.periods import Period
from exchange.listings.decimals import decimal_format
from exchange.listings.selectors import assets, instrument_by_id
from exchange.trading.fees import FeeDay

CSV_COLUMNS = ("asset", "moved_at", "kind", "amount", "balance", "reference", "sequence")


def movement_show(one: statements.Movement) -> shapes.Movement:
    """Return a movement as its member reads it."""
    asset = assets()[one.asset]
    return shapes.Movement(
        movement_id=str(one.id),
        asset=asset.code,
        kind=one.kind,  # type: ignore[arg-type]  # the shape says which kinds there are
        amount=asset.format(one.amount_units),
        balance=asset.format(one.balance_units),
        reference=one.reference,
        sequence=str(one.sequence),
        moved_at=moment_format(one.time),
    )


def fee_show(day: FeeDay) -> shapes.FeeDay:
    """Return a day's fees in one instrument as their member reads them."""
    terms = instrument_by_id(day.instrument)
    return shapes.FeeDay(
        date=day.day.isoformat(),
        instrument=terms.symbol,
        fills=day.fills,
        amount=terms.quote.format(day.quote_units),
        fee=terms.quote.format(day.fee_units),
        fee_asset=terms.quote.code,
    )


def withdrawal_fee_show(one: WithdrawalFee) -> shapes.WithdrawalFee:
    """Return what a withdrawal cost as its member reads it."""
    return shapes.WithdrawalFee(
        date=one.requested_at.astimezone(TRADE_ZONE).date().isoformat(),
        withdrawal_id=str(one.withdrawal),
        fee=decimal_format(one.fee_units, CASH.decimals),
        vat=decimal_format(one.vat_units, CASH.decimals),
        fee_asset=CASH.code,
    )


def statement_show(
    account: int,
    period: Period,
    made: statements.Statement,
    fees: Iterable[FeeDay],
    withdrawals: Iterable[WithdrawalFee],
) -> shapes.Statement:
    """Return a statement as its member reads it."""
    known = assets()
    return shapes.Statement(
        account=str(account),
        first=period.first.isoformat(),
        last=period.last.isoformat(),
        sequence=str(made.sequence),
        assets=[
            shapes.AssetStatement(
                asset=known[one.asset].code,
                opening=known[one.asset].format(one.opening_units),
                closing=known[one.asset].format(one.closing_units),
                movements=[movement_show(movement) for movement in one.movements],
            )
            for one in made.assets
        ],
        fees=[fee_show(day) for day in fees],
        withdrawals=[withdrawal_fee_show(one) for one in withdrawals],
    )


def statement_csv(shown: shapes.Statement) -> str:
    """Return a statement's movements as CSV (RFC 4180), each asset between opening and closing."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(CSV_COLUMNS)
    for asset in shown.assets:
        writer.writerows(_csv_rows(shown, asset))
    return text.getvalue()


def _csv_rows(shown: shapes.Statement, asset: shapes.AssetStatement) -> Iterator[tuple[str, ...]]:
    yield (asset.asset, shown.first, "opening", "", asset.opening, "", "")
    for one in asset.movements:
        yield (
            one.asset,
            one.moved_at,
            one.kind,
            one.amount,
            one.balance,
            one.reference,
            one.sequence,
        )
    yield (asset.asset, shown.last, "closing", "", asset.closing, "", shown.sequence)


def deposit_show(one: DepositRecord) -> shapes.Deposit:
    """Return a deposit as its member reads it."""
    return shapes.Deposit(
        deposit_id=one.id,
        kind=one.kind,  # type: ignore[arg-type]  # the shape says which kinds there are
        asset=one.code,
        amount=decimal_format(one.amount, one.decimals),
        state=one.state,  # type: ignore[arg-type]
        reason=one.reason,
        received_at=moment_format(one.place.received_at),
    )


def limit_show(one: LimitUse) -> shapes.Limit:
    """Return an automatic limit as its member reads it."""
    remaining = max(0, one.limit_units - one.used_units)
    return shapes.Limit(
        action=one.action,  # type: ignore[arg-type]  # the shape says which actions there are
        asset=one.asset.code,
        limit=decimal_format(one.limit_units, one.asset.decimals),
        used=decimal_format(one.used_units, one.asset.decimals),
        remaining=decimal_format(remaining, one.asset.decimals),
    )


def withdrawal_show(one: Any) -> shapes.Withdrawal:
    """Return a withdrawal as its member reads it."""
    payment = getattr(one, "payment", None)
    return shapes.Withdrawal(
        withdrawal_id=str(one.pk),
        client_reference=one.client_reference,
        kind=one.kind,
        asset=one.asset.code,
        amount=decimal_format(one.amount_units, one.asset.decimals),
        fee=decimal_format(one.fee_units, CASH.decimals),
        vat=decimal_format(one.vat_units, CASH.decimals),
        destination=one.destination,
        state=one.state,
        reason=one.reason,
        requested_at=moment_format(one.created_at),
        executed_at=_moment(one.executed_at),
        sent_at=_moment(payment.sent_at if payment else None),
        closed_at=_moment(one.closed_at),
    )


def _moment(instant: datetime | None) -> str | None:
    return moment_format(instant) if instant else None


def bank_account_show(one: Any) -> shapes.BankAccount:
    """Return a bank account as its member reads it."""
    return shapes.BankAccount(
        destination=f"{one.bank}:{one.number}",
        bank=one.bank,
        number=one.number,
        holder_name=one.holder_name,
        registered_at=moment_format(one.registered_at),
    )
