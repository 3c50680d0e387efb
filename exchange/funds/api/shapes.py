"""What the funds resources take and give: the one definition behind decoding and OpenAPI.

Amounts are decimal strings of the asset's unit of account, dates are trade dates of Asia/Seoul.
"""

from typing import Annotated, Literal

import msgspec

from exchange.api.decoding import Strict
from exchange.api.pages import LIMIT_MAX, PageQuery

PageLimit = Annotated[int, msgspec.Meta(ge=1, le=LIMIT_MAX)]
# Microseconds since 1970, for a cursor that then names a row within its instant.
_INSTANT = "[1-9][0-9]{0,16}"
KindName = Literal[
    "trade",
    "deposit",
    "withdrawal",
    "fee",
    "vat",
    "return",
    "transfer",
    "conversion",
    "split",
    "allocation",
]
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
    """A `month`, or dates from `from` to `to`; without either this month up to today.

    Without a `format` the header Accept chooses.
    """

    month: MonthString | None = None
    first: DateString | None = None
    last: DateString | None = None
    format: Literal["json", "csv"] | None = None


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


class WithdrawalFee(msgspec.Struct, frozen=True):
    """What a withdrawal of bars cost besides, by the trade date of its request."""

    date: str
    withdrawal_id: str
    fee: str
    vat: str
    fee_asset: str


class Fees(msgspec.Struct, frozen=True):
    """Of fills by date and instrument, of withdrawals each by itself unless it came back."""

    fees: list[FeeDay]
    withdrawals: list[WithdrawalFee]


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
    withdrawals: list[WithdrawalFee]


class DepositsQuery(Strict, frozen=True):
    """Which page: `cursor` is the `next_cursor` of the page before."""

    limit: PageLimit = 50
    cursor: (
        Annotated[
            str,
            msgspec.Meta(
                pattern=rf"^{_INSTANT}\.(0\.[A-Za-z0-9_.:-]{{1,64}}|[12]\.[0-9]{{1,18}})$"
            ),
        ]
        | None
    ) = None


class Deposit(msgspec.Struct, frozen=True):
    """Something that came in: `pending` until it is yours to trade with, `review` until decided.

    `deposit_id` is the bank's notice, the vault's receipt, or transaction and log on chain.
    """

    deposit_id: str
    kind: Literal["cash", "bar", "security", "token"]
    asset: str
    amount: str
    state: Literal["review", "pending", "credited", "returning", "returned"]
    reason: str
    received_at: str


class Deposits(msgspec.Struct, frozen=True):
    deposits: list[Deposit]
    next_cursor: str | None


class CashInstruction(msgspec.Struct, frozen=True):
    """Pay from an account in your own name into this number, which is yours alone.

    Less than `minimum` at once, in won, waits in review.
    """

    asset: str
    bank: str
    number: str
    minimum: str


class TokenInstruction(msgspec.Struct, frozen=True):
    """Send the token of this contract to `address`; anything else sent there is lost."""

    asset: str
    token: str
    address: str


class DepositInstructions(msgspec.Struct, frozen=True):
    """Where deposits go; `cash` is null and `tokens` empty while the account is being opened."""

    cash: CashInstruction | None
    tokens: list[TokenInstruction]


class Limit(msgspec.Struct, frozen=True):
    """How much passes in a day without two officers of ours, and what of it has today."""

    action: Literal["deposit", "withdraw"]
    asset: str
    limit: str
    used: str
    remaining: str


class Limits(msgspec.Struct, frozen=True):
    """Automatic limits of your account for the trade date `date`, which ends at `ends_at`.

    What exceeds the remainder when its turn comes is not refused: it waits for two officers.
    """

    date: str
    ends_at: str
    limits: list[Limit]


WithdrawalKind = Literal["cash", "token", "bar"]
WithdrawalState = Literal[
    "requested",
    "debiting",
    "held",
    "covered",
    "signed",
    "executed",
    "completed",
    "returning",
    "returned",
    "refused",
    "cancelled",
]


class RequestWithdrawal(Strict, frozen=True):
    """A wish to take an asset out; the same again under one client_reference is one withdrawal.

    `destination` of cash is a registered bank account as `bank:number`; of a token an outside
    address with its checksum (EIP-55); of bars `<refiner>/<serial>/<year>[,...]@<pickup>`, whose
    fine weights sum to the amount; they cost a fee for each and VAT on their value, in KRW. Cash
    leaves in whole won.
    """

    client_reference: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_.:-]{1,64}$")]
    kind: WithdrawalKind
    asset: AssetCode
    amount: Annotated[str, msgspec.Meta(max_length=40, examples=["50000", "1.250"])]
    destination: Annotated[str, msgspec.Meta(min_length=1, max_length=1000)]


class WithdrawalsQuery(Strict, frozen=True):
    """Which page: `cursor` is the `next_cursor` of the page before."""

    limit: PageLimit = 50
    cursor: Annotated[str, msgspec.Meta(pattern=rf"^{_INSTANT}\.[0-9a-f]{{32}}$")] | None = None
    asset: AssetCode | None = None
    state: WithdrawalState | None = None


class Withdrawal(msgspec.Struct, frozen=True):
    """A withdrawal: held by the engine, covered by settled title, signed, executed, completed.

    It can be cancelled while `requested`. `refused` and `returned` say why in `reason`. `fee` and
    `vat` are in KRW, leave with the units, and come back with them. Cash was `sent_at` to the bank
    as an order to pay; `closed_at` is when the bank's answer came, or whatever else ended it.
    """

    withdrawal_id: str
    client_reference: str
    kind: WithdrawalKind
    asset: str
    amount: str
    fee: str
    vat: str
    destination: str
    state: WithdrawalState
    reason: str
    requested_at: str
    executed_at: str | None
    sent_at: str | None
    closed_at: str | None


class Withdrawals(msgspec.Struct, frozen=True):
    withdrawals: list[Withdrawal]
    next_cursor: str | None


class RegisterBankAccount(Strict, frozen=True):
    """An account of your own at a bank, in the very name that you were identified under."""

    bank: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_.-]{1,64}$", examples=["kb"])]
    number: Annotated[str, msgspec.Meta(pattern=r"^[0-9-]{4,32}$", examples=["110-222-333"])]
    holder_name: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class BankAccount(msgspec.Struct, frozen=True):
    """A bank account to which money may go; `destination` is how a withdrawal names it."""

    destination: str
    bank: str
    number: str
    holder_name: str
    registered_at: str


class BankAccounts(msgspec.Struct, frozen=True):
    """All registered bank accounts, oldest first."""

    bank_accounts: list[BankAccount]
