"""What the funds resources take and give: the one definition behind decoding and OpenAPI.

Amounts are decimal strings of the asset's unit of account, dates are trade dates of Asia/Seoul.
"""

from typing import Annotated, Literal

import msgspec

from exchange.api.decoding import Strict
from exchange.api.pages import PageQuery

KindName = Literal["trade", "deposit", "withdrawal", "return"]
AssetCode = Annotated[str, msgspec.Meta(pattern=r"^[A-Z0-9.-]{1,12}$", examples=["KRW"])]
DateString = Annotated[
    str, msgspec.Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$", examples=["2026-11-01"])
]
MonthString = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{4}-[0-9]{2}$", examples=["2026-11"])]


class HistoryQuery(PageQuery, frozen=True):
    asset: AssetCode | None = None


class FeesQuery(Strict, frozen=True, rename={"first": "from", "last": "to"}):
    """Dates from `from` to `to`, both included; without them this month up to today."""

    first: DateString | None = None
    last: DateString | None = None
    instrument: str | None = None


class StatementQuery(Strict, frozen=True, rename={"first": "from", "last": "to"}):
    """A `month`, or dates from `from` to `to`; without either this month up to today."""

    month: MonthString | None = None
    first: DateString | None = None
    last: DateString | None = None
    format: Literal["json", "csv"] = "json"


class Movement(msgspec.Struct, frozen=True):
    """A change of a balance; `balance` is what the asset stood at after it, held units included.

    A trade's `reference` names its fill, and its amount of the quote asset includes the fee.
    """

    movement_id: str
    asset: str
    kind: KindName
    amount: str
    balance: str
    reference: str
    sequence: str
    moved_at: str


class Movements(msgspec.Struct, frozen=True):
    movements: list[Movement]
    next_cursor: str | None


class FeeDay(msgspec.Struct, frozen=True):
    """What a day's fills in one instrument came to; a negative `fee` is a rebate."""

    date: str
    instrument: str
    fills: int
    amount: str
    fee: str
    fee_asset: str


class Fees(msgspec.Struct, frozen=True):
    fees: list[FeeDay]


class AssetStatement(msgspec.Struct, frozen=True):
    """One asset in a period: `opening` and the amounts of all movements add up to `closing`."""

    asset: str
    opening: str
    closing: str
    movements: list[Movement]


class Statement(msgspec.Struct, frozen=True, rename={"first": "from", "last": "to"}):
    """A period as the ledger stood at `sequence`: oldest movement first, fees as in /v1/fees."""

    account: str
    first: str
    last: str
    sequence: str
    assets: list[AssetStatement]
    fees: list[FeeDay]
