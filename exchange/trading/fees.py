"""Fees that an account paid, summed from its fills by trade date (Asia/Seoul) and instrument."""

from dataclasses import dataclass
from datetime import date

from django.db import connection

_SQL = """
    SELECT (to_timestamp((time_ns / 1000000000)::float8) AT TIME ZONE 'Asia/Seoul')::date AS day,
           instrument, count(*), sum(quote_units), sum(fee_units)
    FROM (
        SELECT time_ns, instrument, quote_units, maker_fee_units AS fee_units
            FROM trading_fill WHERE maker_account = %(account)s
        UNION ALL
        SELECT time_ns, instrument, quote_units, taker_fee_units
            FROM trading_fill WHERE taker_account = %(account)s
    ) AS own
    WHERE time_ns >= %(begin_ns)s AND time_ns < %(end_ns)s
        AND (%(instrument)s::int IS NULL OR instrument = %(instrument)s)
    GROUP BY day, instrument ORDER BY day, instrument
"""


@dataclass(frozen=True, slots=True)
class FeeDay:
    """What one day's fills in one instrument came to; a negative fee is a rebate."""

    day: date
    instrument: int
    fills: int
    quote_units: int
    fee_units: int


def fees_by_day(
    account: int, *, begin_ns: int, end_ns: int, instrument: int | None = None
) -> list[FeeDay]:
    """Return an account's fees of fills from `begin_ns` up to, not including, `end_ns`."""
    with connection.cursor() as cursor:
        cursor.execute(
            _SQL,
            {
                "account": account,
                "begin_ns": begin_ns,
                "end_ns": end_ns,
                "instrument": instrument,
            },
        )
        return [
            FeeDay(day, number, fills, int(quote_units), int(fee_units))
            for day, number, fills, quote_units, fee_units in cursor.fetchall()
        ]
