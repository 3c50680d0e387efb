"""A member's balances over time, fees and statements, each view one selector."""

from django.http import HttpResponse, HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response

from custody import selectors, statements
from custody.errors import Invalid
from exchange.api.decoding import query_decode
from exchange.api.errors import DoorCode, Problem
from exchange.api.pages import next_cursor
from exchange.api.schema import documented
from exchange.funds.api import representation, shapes
from exchange.funds.periods import period_of
from exchange.listings.selectors import assets, instrument_by_symbol
from exchange.members.api.views import MemberView
from exchange.members.scopes import Scope
from exchange.trading.fees import fees_by_day

_JSON, _CSV = "application/json", "text/csv"
_VARY = {"Vary": "Accept"}


class HistoryView(MemberView):
    """What moved the member's balances."""

    scopes = {"GET": Scope.READ}

    @documented(
        "list_movements",
        "List changes of balances with the balance after each, newest first",
        query=shapes.HistoryQuery,
        answer=shapes.Movements,
    )
    def get(self, request: Request) -> Response:
        query = query_decode(request, shapes.HistoryQuery)
        found = statements.history_page(
            self.account, asset=asset_number(query.asset), before=query.before, limit=query.limit
        )
        return Response(
            shapes.Movements(
                [representation.movement_show(one) for one in found],
                next_cursor([one.id for one in found], query.limit),
            )
        )


class FeesView(MemberView):
    """What the member paid for trading and for withdrawals of bars."""

    scopes = {"GET": Scope.READ}

    @documented(
        "list_fees",
        "List fees by trade date and instrument, and of withdrawals",
        query=shapes.FeesQuery,
        answer=shapes.Fees,
    )
    def get(self, request: Request) -> Response:
        query = query_decode(request, shapes.FeesQuery)
        period = period_of(None, query.first, query.last)
        number = instrument_by_symbol(query.instrument).id if query.instrument else None
        days = fees_by_day(
            self.account, begin_ns=period.begin_ns, end_ns=period.end_ns, instrument=number
        )
        withdrawals = (
            selectors.withdrawal_fees(self.account, begin=period.begin, end=period.end)
            if number is None
            else []
        )
        return Response(
            shapes.Fees(
                [representation.fee_show(day) for day in days],
                [representation.withdrawal_fee_show(one) for one in withdrawals],
            )
        )


class StatementsView(MemberView):
    """The member's statement of a period."""

    scopes = {"GET": Scope.READ}

    @documented(
        "get_statement",
        "Get a statement of a month or of dates, as JSON or CSV",
        query=shapes.StatementQuery,
        answer=shapes.Statement,
        media_types=(_JSON, _CSV),
    )
    def get(self, request: Request) -> HttpResponseBase:
        query = query_decode(request, shapes.StatementQuery)
        media_type = _media_type(request, query.format)
        period = period_of(query.month, query.first, query.last)
        try:
            made = statements.statement(self.account, begin=period.begin, end=period.end)
        except Invalid as error:
            raise Problem(DoorCode.PARAMETER_INVALID, str(error)) from error
        fees = fees_by_day(self.account, begin_ns=period.begin_ns, end_ns=period.end_ns)
        withdrawals = selectors.withdrawal_fees(self.account, begin=period.begin, end=period.end)
        shown = representation.statement_show(self.account, period, made, fees, withdrawals)
        if media_type == _JSON:
            return Response(shown, headers=_VARY)
        name = f"statement-{shown.first}-{shown.last}.csv"
        return HttpResponse(
            representation.statement_csv(shown),
            content_type=f"{_CSV}; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{name}"', **_VARY},
        )


def _media_type(request: Request, wanted: str | None) -> str:
    """Return in which form a statement goes out. Raises `Problem` when neither is accepted."""
    if wanted is not None:
        return _CSV if wanted == "csv" else _JSON
    accepted = request._request.get_preferred_type([_JSON, _CSV])
    if accepted is None:
        raise Problem(DoorCode.NOT_ACCEPTABLE, f"a statement comes as {_JSON} or {_CSV}")
    return accepted


def asset_number(code: str | None) -> int | None:
    """Return an asset's number, None for none. Raises `Problem` for an unknown code."""
    if code is None:
        return None
    for asset in assets().values():
        if asset.code == code:
            return asset.id
    raise Problem(DoorCode.PARAMETER_INVALID, f"no asset is called {code}")
