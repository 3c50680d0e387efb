"""Replaying with an eye on some orders: each command that concerned one becomes a moment of it."""

from datetime import UTC, datetime, timedelta, timezone

from matching.engine import Engine
from matching.protocol.commands import PlaceOrder, Sequenced
from matching.protocol.events import (
    AnyEvent,
    Applied,
    Filled,
    OrderAccepted,
    OrderActivated,
    OrderAmended,
    OrderCancelled,
    OrderReduced,
    OrderRepeated,
    Refused,
    RouteHeld,
)
from matching.protocol.refusals import Refusal
from matching.protocol.units import CancelReason, FillKind, SelfTradePrevention, Side
from matching.runtime.explain.life import Ahead, Fill, Life, Moment, Queue
from matching.runtime.explain.sentences import (
    concerns,
    contents,
    lots,
    moves,
    orders_named,
    parks,
    sentence,
    told,
)
from matching.runtime.explain.standing import (
    ahead_of,
    best,
    opposite,
    own_opposite,
    phase_of,
    standing,
)

_SEOUL = timezone(timedelta(hours=9))
_NS_PER_S = 10**9


class Auditor:
    """An engine that is replayed, and the lives found so far."""

    def __init__(self, engine: Engine, wanted: int | tuple[int, str]) -> None:
        self.lives: list[Life] = []
        self._engine = engine
        self._wanted = wanted
        # What still stands ahead of any of the lives, by order.
        self._ahead: dict[int, list[Ahead]] = {}

    def see(self, sequenced: Sequenced) -> None:
        """Apply the next command and note what it meant for the orders looked at."""
        command = sequenced.command
        named = (getattr(command, "account", 0), getattr(command, "client_order_id", ""))
        begun = None
        if isinstance(command, PlaceOrder) and self._wanted in (named, sequenced.sequence):
            begun = _begun(self._engine, command)
        applied = self._engine.apply(sequenced)
        if begun is not None and not self._is_new(applied):
            begun = None
        if begun is not None:
            _accept(begun, applied)
            self.lives.append(begun)
        for event in applied.events if self._ahead else ():
            self._keep_count(event)
        for life in self.lives:
            addressed = (life.order_id and getattr(command, "order_id", 0) == life.order_id) or (
                named == (life.account, life.client_order_id) and begun in (None, life)
            )
            self._note(life, sequenced, applied, bool(addressed))

    def _is_new(self, applied: Applied) -> bool:
        first = applied.events[0]
        if isinstance(first, OrderRepeated):
            if not self.lives:
                raise LookupError(
                    f"command {applied.sequence} repeated order {first.order_id}: ask for that one"
                )
            return False
        reused = isinstance(first, Refused) and first.code is Refusal.CLIENT_ORDER_ID_REUSED
        return not (reused and self.lives)

    def _note(self, life: Life, sequenced: Sequenced, applied: Applied, addressed: bool) -> None:
        """Add a moment when the command concerned the order."""
        was_open = life.state == "open"
        moment = Moment(
            sequenced.sequence, *_times(applied.time_ns), type(sequenced.command).__name__
        )
        said: list[str] = []
        moved = False
        for event in applied.events:
            if isinstance(event, Refused):
                if addressed and (life.order_id or not life.moments):
                    said.append(told(event))
            elif life.order_id in (own := orders_named(event)) or (
                was_open and concerns(event, life.account, life.instrument)
            ):
                said.append(self._happen(life, event, moment, applied))
                moved |= bool(own) and moves(event)
        if not said:
            return
        moment.what = sentence(*said)
        life.moments.append(moment)
        if life.state == "open":
            ahead = self._queued(life, sequenced.sequence) if moved and not life.parked else None
            moment.standing = standing(self._engine, life, ahead)
        elif was_open and life.state == "cancelled":
            moment.standing = sentence(opposite(self._engine, life))

    def _queued(self, life: Life, sequence: int) -> list[Ahead] | None:
        """Note what stands before an order that has just taken its place."""
        ahead = ahead_of(self._engine, life)
        if ahead is not None:
            life.queues.append(Queue(sequence, ahead))
            for each in ahead:
                self._ahead.setdefault(each.order_id, []).append(each)
        return ahead

    def _happen(self, life: Life, event: AnyEvent, moment: Moment, applied: Applied) -> str:
        """Carry an event into the life and return it as a sentence."""
        said = told(event)
        life.parked = parks(event, life.parked)
        match event:
            case Filled():
                return _fill(life, event, moment)
            case OrderAmended():
                life.price_ticks, life.remaining_lots = event.price_ticks, event.remaining_lots
            case OrderActivated():
                life.price_ticks = event.price_ticks
            case OrderReduced():
                life.remaining_lots = event.remaining_lots
                if not any(isinstance(each, RouteHeld) for each in applied.events):
                    said += self._against(life, applied)
            case OrderCancelled():
                life.state, life.remaining_lots = "cancelled", event.remaining_lots
                if event.reason is CancelReason.SELF_TRADE:
                    said += self._against(life, applied)
        return said

    def _against(self, life: Life, applied: Applied) -> str:
        """Name the order of the same holder that self-trade prevention kept this one from."""
        newest = life.asked["self_trade_prevention"] == SelfTradePrevention.CANCEL_NEWEST.name
        prevented = [
            event.order_id
            for event in applied.events
            if (
                isinstance(event, OrderReduced)
                or (isinstance(event, OrderCancelled) and event.reason is CancelReason.SELF_TRADE)
            )
            and event.order_id != life.order_id
        ]
        came = applied.sequence == life.order_id or any(
            moves(event) and life.order_id in orders_named(event) for event in applied.events
        )
        if came and newest:
            other = own_opposite(self._engine, life)
        else:
            other = prevented[0] if prevented else applied.sequence
        return f" against order {other} of the same holder" if other else ""

    def _keep_count(self, event: AnyEvent) -> None:
        """Note what became of the orders that stood ahead, until they have left their place."""
        for order_id in orders_named(event):
            for each in self._ahead.get(order_id, ()):
                if _left_its_place(each, event):
                    self._ahead.pop(order_id, None)


def _begun(engine: Engine, command: PlaceOrder) -> Life:
    """Return the beginning of a life: what is asked, and the book before it."""
    bid, ask = best(engine, command.instrument)
    return Life(
        order_id=0,
        account=command.account,
        client_order_id=command.client_order_id,
        instrument=command.instrument,
        side=command.side,
        asked=contents(command),
        phase=phase_of(engine, command.instrument),
        best_bid_ticks=bid,
        best_ask_ticks=ask,
        state="refused",
        price_ticks=command.price_ticks,
        remaining_lots=command.quantity_lots,
    )


def _accept(life: Life, applied: Applied) -> None:
    first = applied.events[0]
    if isinstance(first, OrderAccepted):
        life.order_id, life.price_ticks, life.state = first.order_id, first.price_ticks, "open"


def _left_its_place(ahead: Ahead, event: AnyEvent) -> bool:
    """Carry an event into what became of an order ahead; tell whether it stands there no more."""
    match event:
        case Filled():
            maker = event.maker_order_id == ahead.order_id
            left = event.maker_remaining_lots if maker else event.taker_remaining_lots
            ahead.filled_lots += event.quantity_lots
            ahead.became = "filled in part" if left else "filled"
            return not left
        case OrderReduced():
            ahead.reduced_lots += event.by_lots
            ahead.became = "reduced"
            return False
        case OrderAmended() if event.priority_kept:
            ahead.reduced_lots = ahead.lots - ahead.filled_lots - event.remaining_lots
            ahead.became = "reduced"
            return False
    ahead.became = told(event)
    return isinstance(event, OrderCancelled | OrderAmended)


def _fill(life: Life, event: Filled, moment: Moment) -> str:
    taking = event.taker_order_id == life.order_id
    mine, other = ("taker", "maker") if taking else ("maker", "taker")
    fill = Fill(
        sequence=moment.sequence,
        fill_id=event.fill_id,
        role=mine,
        price_ticks=event.price_ticks,
        lots=event.quantity_lots,
        remaining_lots=getattr(event, f"{mine}_remaining_lots"),
        fee_units=getattr(event, f"{mine}_fee_units"),
        counter_order_id=getattr(event, f"{other}_order_id"),
        counter_account=getattr(event, f"{other}_account"),
    )
    life.fills.append(fill)
    verb = "bought" if life.side is Side.BUY else "sold"
    traded = f"{verb} {lots(fill.lots)} at {fill.price_ticks}"
    if event.kind is FillKind.EXTERNAL:
        return f"{traded} at a partner exchange, {fill.remaining_lots} are still out there"
    life.remaining_lots = fill.remaining_lots
    if not fill.remaining_lots:
        life.state = "filled"
    return (
        f"{traded} as {mine} against order "
        f"{fill.counter_order_id} of account {fill.counter_account}, {fill.remaining_lots} remain"
    )


def _times(time_ns: int) -> tuple[str, str]:
    """Return a time in Seoul and in UTC, to the nanosecond."""
    seconds, ns = divmod(time_ns, _NS_PER_S)
    moment = datetime.fromtimestamp(seconds, UTC)
    return tuple(f"{moment.astimezone(zone):%Y-%m-%d %H:%M:%S}.{ns:09d}" for zone in (_SEOUL, UTC))  # type: ignore[return-value]
