"""Orders, fills and balances of a member, each view one service or selector."""

from collections.abc import Sequence

from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.response import Response

from exchange.api.budgets import Budget
from exchange.api.decoding import NoQuery, body_decode, query_decode
from exchange.api.gathering import Gathered, attempt, in_memory, in_thread
from exchange.api.pages import PageQuery, next_cursor
from exchange.api.schema import documented
from exchange.api.times import NS_PER_S, time_format
from exchange.api.views import json_answer
from exchange.listings.selectors import assets
from exchange.members.api.views import MemberView
from exchange.members.scopes import Scope
from exchange.trading import selectors, services, tiers
from exchange.trading.api import serializers, shapes
from exchange.trading.projection import FillRecord, OrderRecord
from matching.client import engine_of_loop
from matching.protocol import queries
from matching.protocol.commands import PlaceOrder
from matching.protocol.events import OrderRepeated
from matching.protocol.units import Side
from settlement.selectors import settled_sequence

BUDGETS = {
    "GET": Budget.READ,
    "POST": Budget.ORDER,
    "PATCH": Budget.ORDER,
    "DELETE": Budget.CANCEL,
}


class OrdersView(MemberView):
    """All orders of the member."""

    scopes = {"GET": Scope.READ, "POST": Scope.TRADE, "DELETE": Scope.TRADE}
    budgets = BUDGETS

    @documented(
        "list_orders", "List orders, newest first", query=shapes.OrdersQuery, answer=shapes.Orders
    )
    async def get(self, request: Request) -> Response:
        query = query_decode(request, shapes.OrdersQuery)
        instrument = await in_memory(serializers.instrument_number, query.instrument)
        records = await in_thread(
            selectors.orders_page,
            self.account,
            open_only=None if query.state is None else query.state == "open",
            instrument=instrument,
            span_ns=query.span_ns(),
            before=query.before,
            limit=query.limit,
        )
        await selectors.stops_renew(records)
        cursor = next_cursor([record.order_id for record in records], query.limit)
        return Response(shapes.Orders(await in_memory(_orders_show, records), cursor))

    @documented(
        "place_order",
        "Place an order (201), or get the one placed before under this client_order_id (200)",
        body=shapes.PlaceOrder,
        answer=shapes.Order,
        status=201,
        also=(200,),
    )
    async def post(self, request: Request) -> HttpResponse:
        query_decode(request, NoQuery)
        answer = await _place((self.account, body_decode(request, shapes.PlaceOrder)))
        if isinstance(answer, OrderRepeated):
            answer = await _repeated_show(self.account, answer)
        return answer

    @documented(
        "cancel_orders",
        "Cancel all open orders, or those of an instrument, a side, a tag",
        query=shapes.CancelQuery,
        answer=shapes.CancelledOrders,
    )
    async def delete(self, request: Request) -> Response:
        query = query_decode(request, shapes.CancelQuery)
        serializers.tag_check(query.tag)
        instrument = await in_memory(serializers.instrument_number, query.instrument)
        cancelled = await services.orders_cancel(
            account=self.account,
            instrument=instrument or 0,
            side=Side[query.side.upper()] if query.side else 0,
            tag=query.tag,
        )
        return Response(shapes.CancelledOrders([str(order_id) for order_id in cancelled]))


class PairView(MemberView):
    """Two orders of which one cancels the other."""

    scopes = {"POST": Scope.TRADE}
    budgets = BUDGETS

    @documented(
        "place_pair",
        "Place a stop order and a limit order that cancel each other (201), or get them (200)",
        body=shapes.PlacePair,
        answer=shapes.OrderPair,
        status=201,
        also=(200,),
    )
    async def post(self, request: Request) -> HttpResponse:
        query_decode(request, NoQuery)
        body = body_decode(request, shapes.PlacePair)
        pair = await in_memory(serializers.pair_commands, self.account, body)
        stop, limit = await services.pair_place(*pair)
        shown = await in_memory(_orders_show, [stop.order, limit.order])
        created = stop.created or limit.created
        return json_answer(shapes.OrderPair(*shown), status=201 if created else 200, headers={})


class HeartbeatView(MemberView):
    """Cancel on disconnect."""

    scopes = {"POST": Scope.TRADE}
    budgets = {"POST": Budget.CANCEL}

    @documented(
        "set_heartbeat",
        "Have all open orders cancelled unless this comes again in time",
        body=shapes.SetHeartbeat,
        answer=shapes.Heartbeat,
    )
    async def post(self, request: Request) -> Response:
        query_decode(request, NoQuery)
        timeout_ns = body_decode(request, shapes.SetHeartbeat).timeout_s * NS_PER_S
        due_ns = await services.heartbeat_set(account=self.account, timeout_ns=timeout_ns)
        return Response(shapes.Heartbeat(time_format(due_ns) if due_ns else None))


class KillSwitchView(MemberView):
    """The member's own emergency stop."""

    scopes = {"GET": Scope.READ, "POST": Scope.TRADE}
    budgets = {"GET": Budget.READ, "POST": Budget.CANCEL}

    @documented("get_kill_switch", "Get whether your orders are stopped", answer=shapes.KillSwitch)
    def get(self, request: Request) -> Response:
        query_decode(request, NoQuery)
        engaged, changed_at_ns = selectors.kill_switch(account=self.account)
        changed_at = time_format(changed_at_ns) if changed_at_ns else None
        return Response(shapes.KillSwitch(engaged, changed_at))

    @documented(
        "engage_kill_switch",
        "Cancel all open orders and have new ones refused, until officers of the venue release it",
        body=shapes.EngageKillSwitch,
        answer=shapes.KillSwitchEngaged,
    )
    async def post(self, request: Request) -> Response:
        query_decode(request, NoQuery)
        body_decode(request, shapes.EngageKillSwitch)
        cancelled = await services.kill_switch_engage(account=self.account)
        return Response(shapes.KillSwitchEngaged(True, [str(number) for number in cancelled]))


class OrderView(MemberView):
    """One order of the member."""

    scopes = {"GET": Scope.READ, "PATCH": Scope.TRADE, "DELETE": Scope.TRADE}
    budgets = BUDGETS

    @documented("get_order", "Get an order", answer=shapes.Order)
    async def get(self, request: Request, order_id: int) -> Response:
        query_decode(request, NoQuery)
        return await _show(await selectors.order_get(self.account, order_id))

    @documented(
        "amend_order",
        "Amend price and open quantity of an order",
        body=shapes.AmendOrder,
        answer=shapes.AmendedOrder,
    )
    async def patch(self, request: Request, order_id: int) -> Response:
        query_decode(request, NoQuery)
        body = body_decode(request, shapes.AmendOrder)
        return await _amend(await selectors.order_get(self.account, order_id), body)

    @documented("cancel_order", "Cancel an order", answer=shapes.CancelledOrder)
    async def delete(self, request: Request, order_id: int) -> Response:
        query_decode(request, NoQuery)
        return await _cancel(self.account, order_id=order_id)


class OrderByClientIdView(MemberView):
    """One order of the member, by the member's own id."""

    scopes = {"GET": Scope.READ, "PATCH": Scope.TRADE, "DELETE": Scope.TRADE}
    budgets = BUDGETS

    @documented(
        "get_order_by_client_id", "Get an order by its client_order_id", answer=shapes.Order
    )
    async def get(self, request: Request, client_order_id: str) -> Response:
        return await _show(await self._order(request, client_order_id))

    @documented(
        "amend_order_by_client_id",
        "Amend price and open quantity of an order by its client_order_id",
        body=shapes.AmendOrder,
        answer=shapes.AmendedOrder,
    )
    async def patch(self, request: Request, client_order_id: str) -> Response:
        body = body_decode(request, shapes.AmendOrder)
        return await _amend(await self._order(request, client_order_id), body)

    @documented(
        "cancel_order_by_client_id",
        "Cancel an order by its client_order_id",
        answer=shapes.CancelledOrder,
    )
    async def delete(self, request: Request, client_order_id: str) -> Response:
        query_decode(request, NoQuery)
        serializers.client_order_id_check(client_order_id)
        return await _cancel(self.account, client_order_id=client_order_id)

    async def _order(self, request: Request, client_order_id: str) -> OrderRecord:
        query_decode(request, NoQuery)
        serializers.client_order_id_check(client_order_id)
        return await selectors.order_get_by_client_id(self.account, client_order_id)


class OrderFillsView(MemberView):
    """The fills of one order of the member."""

    scopes = {"GET": Scope.READ}

    @documented(
        "list_order_fills",
        "List the fills of an order, newest first",
        query=PageQuery,
        answer=shapes.Fills,
    )
    async def get(self, request: Request, order_id: int) -> Response:
        query = query_decode(request, PageQuery)
        order = await selectors.order_get(self.account, order_id)
        return await in_thread(self._page, order, query)

    def _page(self, order: OrderRecord, query: PageQuery) -> Response:
        records = selectors.fills_page(
            self.account,
            order_id=order.order_id,
            instrument=None,
            before=query.before,
            limit=query.limit,
        )
        return _fills(self.account, records, query.limit)


async def _orders_place(
    wishes: Sequence[tuple[int, shapes.PlaceOrder]],
) -> list[HttpResponse | OrderRepeated | Exception]:
    """Place what accounts wish for: all the orders of a moment."""
    commands = await in_memory(_commands, wishes)
    sound = [each for each in commands if isinstance(each, PlaceOrder)]
    placed = iter(await services.orders_place(sound) if sound else ())
    found = [next(placed) if isinstance(each, PlaceOrder) else each for each in commands]
    return await in_memory(_shown, found)


def _commands(wishes: Sequence[tuple[int, shapes.PlaceOrder]]) -> list[PlaceOrder | Exception]:
    return [attempt(serializers.place_command, *wish) for wish in wishes]


def _shown(
    found: Sequence[services.Placed | OrderRepeated | Exception],
) -> list[HttpResponse | OrderRepeated | Exception]:
    return [
        attempt(_placed_show, each) if isinstance(each, services.Placed) else each for each in found
    ]


_place = Gathered[tuple[int, shapes.PlaceOrder], HttpResponse | OrderRepeated](_orders_place)


async def _repeated_show(account: int, repeated: OrderRepeated) -> HttpResponse:
    return await in_memory(_placed_show, await services.order_repeated(account, repeated))


def _placed_show(placed: services.Placed) -> HttpResponse:
    return json_answer(
        serializers.order_show(placed.order),
        status=201 if placed.created else 200,
        headers={"Location": f"/v1/orders/{placed.order.order_id}"},
    )


def _orders_show(orders: Sequence[OrderRecord]) -> list[shapes.Order]:
    return [serializers.order_show(each) for each in orders]


async def _show(order: OrderRecord) -> Response:
    await selectors.stops_renew([order])
    return Response(await in_memory(serializers.order_show, order))


async def _amend(order: OrderRecord, body: shapes.AmendOrder) -> Response:
    command = await in_memory(serializers.amend_command, order, body)
    order, amended = await services.order_amend(command)
    shown = await in_memory(serializers.order_show, order)
    return Response(shapes.AmendedOrder(shown, amended.priority_kept))


async def _cancel(account: int, *, order_id: int = 0, client_order_id: str = "") -> Response:
    event, time_ns = await services.order_cancel(
        account=account, order_id=order_id, client_order_id=client_order_id
    )
    return Response(await in_memory(serializers.cancelled_show, event, time_ns))


def _fills(account: int, records: list[FillRecord], limit: int) -> Response:
    settled = settled_sequence()
    return Response(
        shapes.Fills(
            [serializers.fill_show(record, account, settled) for record in records],
            next_cursor([record.fill_id for record in records], limit),
        )
    )


class FillsView(MemberView):
    """All fills of the member."""

    scopes = {"GET": Scope.READ}

    @documented(
        "list_fills", "List fills, newest first", query=shapes.FillsQuery, answer=shapes.Fills
    )
    def get(self, request: Request) -> Response:
        query = query_decode(request, shapes.FillsQuery)
        records = selectors.fills_page(
            self.account,
            order_id=int(query.order_id) if query.order_id else None,
            instrument=serializers.instrument_number(query.instrument),
            span_ns=query.span_ns(),
            before=query.before,
            limit=query.limit,
        )
        return _fills(self.account, records, query.limit)


class FeeTierView(MemberView):
    """What trading costs the member today."""

    scopes = {"GET": Scope.READ}

    @documented("get_fee_tier", "Get your fee tier and rates", answer=shapes.FeeTierStanding)
    def get(self, request: Request) -> Response:
        query_decode(request, NoQuery)
        return Response(serializers.fee_tier_show(tiers.standing(account=self.account)))


class BalancesView(MemberView):
    """What the engine keeps for the member."""

    scopes = {"GET": Scope.READ}

    @documented("get_balances", "Get all balances, from the engine", answer=shapes.Balances)
    async def get(self, request: Request) -> Response:
        query_decode(request, NoQuery)
        reply = await engine_of_loop().ask(queries.GetBalances(self.account))
        assert isinstance(reply, queries.Balances)
        known = await in_memory(assets)
        return Response(
            shapes.Balances(
                [
                    shapes.Balance(
                        asset.code,
                        asset.format(balance.available_units),
                        asset.format(balance.held_units),
                    )
                    for balance in reply.balances
                    if (asset := known.get(balance.asset))
                ],
                str(reply.sequence),
            )
        )
