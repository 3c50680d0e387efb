"""Money and metal into the house and out of it: deposits, withdrawals, bank accounts."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.conf import settings
from rest_framework.request import Request
from rest_framework.response import Response

from custody import selectors as custody_selectors
from custody import services as custody
from custody.errors import NotYet
from custody.trade_dates import trade_date
from exchange.api.decoding import NoQuery, body_decode, query_decode
from exchange.api.errors import DoorCode, Problem
from exchange.api.pages import next_cursor
from exchange.api.schema import documented
from exchange.api.times import moment_format
from exchange.funds.api import representation, shapes
from exchange.funds.api.views import asset_number
from exchange.funds.periods import Period
from exchange.listings.decimals import decimal_parse
from exchange.listings.selectors import assets
from exchange.members.api.views import MemberView
from exchange.members.scopes import Scope

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_CASH = "KRW"


class DepositsView(MemberView):
    """What came in for the member."""

    scopes = {"GET": Scope.READ}

    @documented(
        "list_deposits",
        "List deposits, newest first",
        query=shapes.DepositsQuery,
        answer=shapes.Deposits,
    )
    def get(self, request: Request) -> Response:
        query = query_decode(request, shapes.DepositsQuery)
        found = custody_selectors.deposits_page(
            self.account, after=_deposit_place(query.cursor), limit=query.limit
        )
        return Response(
            shapes.Deposits(
                [representation.deposit_show(one) for one in found],
                next_cursor([_cursor(*one.place) for one in found], query.limit),
            )
        )


class DepositInstructionsView(MemberView):
    """Where the member's deposits go."""

    scopes = {"GET": Scope.READ}

    @documented(
        "get_deposit_instructions",
        "Get the bank account and the address to which deposits go",
        answer=shapes.DepositInstructions,
    )
    def get(self, request: Request) -> Response:
        query_decode(request, NoQuery)
        account = custody_selectors.account_get(self.account)
        try:
            virtual = custody_selectors.virtual_account_get(self.account)
            minimum = str(settings.CUSTODY_DEPOSIT_MIN_WON)
            cash = shapes.CashInstruction(_CASH, virtual.bank_id, virtual.number, minimum)
        except NotYet:
            cash = None
        tokens = [
            shapes.TokenInstruction(asset.code, asset.token_address, account.address)
            for asset in custody_selectors.assets_by_id().values()
            if asset.kind != asset.Kind.CASH and asset.token_address
            if account.ready and account.address
        ]
        return Response(shapes.DepositInstructions(cash, tokens))


class WithdrawalsView(MemberView):
    """What the member takes out."""

    scopes = {"GET": Scope.READ, "POST": Scope.WITHDRAW}

    @documented(
        "list_withdrawals",
        "List withdrawals, newest first",
        query=shapes.WithdrawalsQuery,
        answer=shapes.Withdrawals,
    )
    def get(self, request: Request) -> Response:
        query = query_decode(request, shapes.WithdrawalsQuery)
        rows = custody_selectors.withdrawals_of(
            self.account,
            asset=asset_number(query.asset),
            state=query.state,
            after=_withdrawal_place(query.cursor),
        )
        found = list(rows[: query.limit])
        return Response(
            shapes.Withdrawals(
                [representation.withdrawal_show(one) for one in found],
                next_cursor([_cursor(one.created_at, one.pk.hex) for one in found], query.limit),
            )
        )

    @documented(
        "request_withdrawal",
        "Request a withdrawal (201), or get the one requested before under this reference (200)",
        body=shapes.RequestWithdrawal,
        answer=shapes.Withdrawal,
        status=201,
        also=(200,),
    )
    def post(self, request: Request) -> Response:
        query_decode(request, NoQuery)
        body = body_decode(request, shapes.RequestWithdrawal)
        asset = next((one for one in assets().values() if one.code == body.asset), None)
        if asset is None:
            raise Problem(DoorCode.FIELD_INVALID, f"no asset is called {body.asset}")
        amount_units = decimal_parse(body.amount, asset.decimals)
        if not amount_units:
            raise Problem(
                DoorCode.AMOUNT_INVALID,
                f"amount {body.amount[:40]!a} is not a positive decimal of at most "
                f"{asset.decimals} places",
            )
        known = custody_selectors.withdrawals_of(self.account)
        repeated = known.filter(client_reference=body.client_reference).exists()
        withdrawal = custody.withdrawal_request(
            account=self.account,
            asset=asset.id,
            amount_units=amount_units,
            kind=body.kind,
            destination=body.destination,
            client_reference=body.client_reference,
            actor=f"member:{self.principal.member_id}",
        )
        return Response(
            representation.withdrawal_show(withdrawal),
            status=200 if repeated else 201,
            headers={"Location": f"/v1/withdrawals/{withdrawal.pk}"},
        )


class WithdrawalView(MemberView):
    """One withdrawal of the member."""

    scopes = {"GET": Scope.READ}

    @documented("get_withdrawal", "Get a withdrawal", answer=shapes.Withdrawal)
    def get(self, request: Request, withdrawal_id: UUID) -> Response:
        query_decode(request, NoQuery)
        found = custody_selectors.withdrawal_get(self.account, withdrawal_id)
        return Response(representation.withdrawal_show(found))


class WithdrawalCancelView(MemberView):
    """The end of a withdrawal that has not begun."""

    scopes = {"POST": Scope.WITHDRAW}

    @documented(
        "cancel_withdrawal",
        "Cancel a withdrawal that is only requested; again changes nothing",
        answer=shapes.Withdrawal,
    )
    def post(self, request: Request, withdrawal_id: UUID) -> Response:
        query_decode(request, NoQuery)
        custody.withdrawal_cancel(
            account=self.account,
            withdrawal_id=withdrawal_id,
            actor=f"member:{self.principal.member_id}",
        )
        found = custody_selectors.withdrawal_get(self.account, withdrawal_id)
        return Response(representation.withdrawal_show(found))


class LimitsView(MemberView):
    """What passes without officers, and what of it is left."""

    scopes = {"GET": Scope.READ}

    @documented(
        "list_limits", "List the automatic limits of the day and their use", answer=shapes.Limits
    )
    def get(self, request: Request) -> Response:
        query_decode(request, NoQuery)
        today = trade_date()
        found = custody_selectors.limits_of(self.account, today)
        return Response(
            shapes.Limits(
                today.isoformat(),
                moment_format(Period(today, today).end),
                [representation.limit_show(one) for one in found],
            )
        )


class BankAccountsView(MemberView):
    """Bank accounts to which the member's money may go."""

    scopes = {"GET": Scope.READ, "POST": Scope.WITHDRAW}

    @documented("list_bank_accounts", "List bank accounts", answer=shapes.BankAccounts)
    def get(self, request: Request) -> Response:
        query_decode(request, NoQuery)
        found = custody_selectors.bank_accounts_of(self.account)
        return Response(
            shapes.BankAccounts([representation.bank_account_show(one) for one in found])
        )

    @documented(
        "register_bank_account",
        "Register a bank account in the member's own name (201), or get it as registered (200)",
        body=shapes.RegisterBankAccount,
        answer=shapes.BankAccount,
        status=201,
        also=(200,),
    )
    def post(self, request: Request) -> Response:
        query_decode(request, NoQuery)
        body = body_decode(request, shapes.RegisterBankAccount)
        known = custody_selectors.bank_accounts_of(self.account)
        repeated = any((one.bank, one.number) == (body.bank, body.number) for one in known)
        made = custody.bank_account_register(
            account=self.account,
            bank=body.bank,
            number=body.number,
            holder_name=body.holder_name,
            actor=f"member:{self.principal.member_id}",
        )
        return Response(representation.bank_account_show(made), status=200 if repeated else 201)


def _cursor(instant: datetime, *place: object) -> str:
    """Return the cursor of a row: microseconds since 1970, and its place within the instant."""
    return ".".join(map(str, ((instant - _EPOCH) // _MICROSECOND, *place)))


def _deposit_place(cursor: str | None) -> custody_selectors.DepositPlace | None:
    if cursor is None:
        return None
    instant, source, key = cursor.split(".", 2)
    return custody_selectors.DepositPlace(_instant(instant), int(source), key)


def _withdrawal_place(cursor: str | None) -> tuple[datetime, UUID] | None:
    if cursor is None:
        return None
    instant, number = cursor.split(".")
    return _instant(instant), UUID(number)


def _instant(microseconds: str) -> datetime:
    return _EPOCH + int(microseconds) * _MICROSECOND
