"""Bars in vaults: a member's own, and for anybody those that stand behind tokens."""

from typing import Any, Literal

import msgspec
from rest_framework.request import Request
from rest_framework.response import Response

from custody import selectors
from custody.evidence import instant_parse
from exchange.api.decoding import query_decode
from exchange.api.pages import PageQuery, next_cursor
from exchange.api.schema import documented
from exchange.api.times import moment_format
from exchange.api.views import PublicView
from exchange.funds.api.shapes import AssetCode
from exchange.funds.api.views import asset_number
from exchange.listings.decimals import decimal_format
from exchange.listings.selectors import assets
from exchange.members.api.views import MemberView
from exchange.members.scopes import Scope

# Fineness is told in parts per thousand, as bars are stamped.
_FINENESS_DECIMALS = 3


class BarsQuery(PageQuery, frozen=True):
    asset: AssetCode | None = None
    state: Literal["received", "stored", "promised", "redeemed", "released"] | None = None


class ReserveBarsQuery(PageQuery, frozen=True):
    asset: AssetCode | None = None
    state: Literal["stored", "promised"] | None = None


class ReserveBar(msgspec.Struct, frozen=True):
    """A bar in a vault, which an auditor has counted; `fineness` is in parts per thousand.

    It is `received`, then `stored` behind tokens, `promised` to a withdrawal, `redeemed` when its
    tokens are burned, `released` when the vault has handed it over.
    """

    asset: str
    refiner: str
    serial: str
    year: int
    vault: str
    auditor: str
    gross_weight: str
    fine_weight: str
    fineness: str
    state: str
    received_at: str


class Bar(ReserveBar, frozen=True):
    """A bar that you delivered, under `receipt_id`, or redeem, by `withdrawal_id`."""

    receipt_id: str | None
    withdrawal_id: str | None
    released_at: str | None


class ReserveBars(msgspec.Struct, frozen=True):
    """Bars that stand behind tokens: their fine weights sum to what there is of each on chain."""

    bars: list[ReserveBar]
    next_cursor: str | None


class Bars(msgspec.Struct, frozen=True):
    bars: list[Bar]
    next_cursor: str | None


class BarsView(MemberView):
    """Bars of the member."""

    scopes = {"GET": Scope.READ}

    @documented(
        "list_bars", "List bars delivered or redeemed, newest first", query=BarsQuery, answer=Bars
    )
    def get(self, request: Request) -> Response:
        query = query_decode(request, BarsQuery)
        rows = selectors.bars_of(self.account, **_wanted(query))
        found = list(rows[: query.limit])
        shown = [_own_show(one, self.account) for one in found]
        return Response(Bars(shown, next_cursor([one.pk for one in found], query.limit)))


class ReserveBarsView(PublicView):
    """Bars behind tokens, whosever they are."""

    @documented(
        "list_reserve_bars",
        "List bars that stand behind tokens, newest first",
        query=ReserveBarsQuery,
        answer=ReserveBars,
    )
    def get(self, request: Request) -> Response:
        query = query_decode(request, ReserveBarsQuery)
        found = list(selectors.bars_in_reserve(**_wanted(query))[: query.limit])
        shown = [ReserveBar(**_terms(one)) for one in found]
        return Response(ReserveBars(shown, next_cursor([one.pk for one in found], query.limit)))


def _wanted(query: BarsQuery | ReserveBarsQuery) -> dict[str, Any]:
    return {"asset": asset_number(query.asset), "state": query.state, "before": query.before}


def _own_show(bar: Any, account: int) -> Bar:
    """Return a bar as a member reads it who delivered it, redeems it, or both."""
    reservation = getattr(bar, "reservation", None)
    withdrawal: Any = reservation.withdrawal if reservation else None
    release = getattr(withdrawal, "release", None)
    own = withdrawal is not None and withdrawal.account_id == account
    return Bar(
        **_terms(bar),
        receipt_id=bar.receipt_id if bar.receipt.account_id == account else None,
        withdrawal_id=str(withdrawal.pk) if own else None,
        released_at=moment_format(instant_parse(release.released_at)) if release else None,
    )


def _terms(bar: Any) -> dict[str, Any]:
    asset = assets()[bar.receipt.asset_id]
    return {
        "asset": asset.code,
        "refiner": bar.refiner,
        "serial": bar.serial,
        "year": bar.year,
        "vault": bar.vault,
        "auditor": bar.receipt.auditor_id,
        "gross_weight": asset.format(bar.gross_units),
        "fine_weight": asset.format(bar.fine_units),
        "fineness": decimal_format(bar.fineness_ppm, _FINENESS_DECIMALS),
        "state": bar.state,
        "received_at": moment_format(bar.receipt.received_at),
    }
