"""The state that commands act on: accounts, books, segments, what is due, the fill counter."""

from enum import IntEnum
from typing import TypeAlias

from sortedcontainers import SortedList

from matching.accounts import Account, Accounts
from matching.book import Book
from matching.engine.image import AccountImage, BookImage, HolderImage, Image, SegmentImage
from matching.protocol.commands import DefineSegment
from matching.protocol.events import AnyEvent, OrderAccepted, Refused
from matching.protocol.refusals import Refusal
from matching.protocol.units import PARTS_PER_MILLION, TIME_NS_MAX

Events: TypeAlias = tuple[AnyEvent, ...]
# (due_ns, kind, number, account of an order): in this order what is due is done.
Timer: TypeAlias = tuple[int, "TimerKind", int, int]


class TimerKind(IntEnum):
    """What is due by the clock; numbers are instruments, segments, orders or accounts."""

    PHASE = 1
    BREAKER = 2
    EXPIRY = 3
    HEARTBEAT = 4
    INDICATIVE = 5


def refused(code: Refusal, detail: str) -> Events:
    """Return the events of a command that changed nothing."""
    return (Refused(code, detail),)


class Segment:
    """A segment of the market: its index, and how far its breaker has gone on its trade date."""

    __slots__ = (
        "base_index",
        "closes_at_ns",
        "day",
        "definition",
        "halted_until_ns",
        "index",
        "met_at_ns",
        "stage",
        "tripped_index",
        "weights",
    )

    def __init__(self, definition: DefineSegment) -> None:
        self.base_index = self.tripped_index = self.index = 0
        self.stage = self.closes_at_ns = self.met_at_ns = self.halted_until_ns = self.day = 0
        self.define(definition)

    def define(self, definition: DefineSegment) -> None:
        """Put new rules in force; the day's base and stages stay."""
        self.definition = definition
        self.weights = dict(definition.constituents)

    def shift(self, change: int) -> None:
        """Move what falls are measured from: a new base price, after a split say, is no fall."""
        for name in ("base_index", "tripped_index"):
            index = getattr(self, name)
            setattr(self, name, max(index + change, 0) if index else 0)

    def met(self) -> bool:
        """Tell whether the next stage is met by the index of now."""
        stages = self.definition.stages
        if not self.closes_at_ns or not self.base_index or self.stage >= len(stages):
            return False
        stage = stages[self.stage]
        if self.index * PARTS_PER_MILLION > self.base_index * (PARTS_PER_MILLION - stage.fall_ppm):
            return False
        return not self.stage or self.index * PARTS_PER_MILLION <= self.tripped_index * (
            PARTS_PER_MILLION - stage.further_ppm
        )


class State:
    """Everything the engine knows but its sequence number; `time_ns` is the command's."""

    __slots__ = (
        "accounts",
        "books",
        "compensated",
        "fills",
        "moved",
        "segments",
        "time_ns",
        "timers",
    )

    def __init__(self) -> None:
        self.accounts = Accounts()
        self.books: dict[int, Book] = {}
        self.segments: dict[int, Segment] = {}
        # Segments whose index has moved since their breakers were looked at.
        self.moved: set[int] = set()
        self.compensated: set[int] = set()
        self.timers: SortedList[Timer] = SortedList()
        self.fills = 0
        self.time_ns = 0

    @property
    def due_ns(self) -> int:
        """When something is due by the clock."""
        return self.timers[0][0] if self.timers else TIME_NS_MAX

    def set_timer(
        self, kind: TimerKind, number: int, before_ns: int, due_ns: int, account: int = 0
    ) -> int:
        """Move a timer from one time to another, 0 being none; return the new one."""
        if before_ns:
            self.timers.remove((before_ns, kind, number, account))
        if due_ns:
            self.timers.add((due_ns, kind, number, account))
        return due_ns

    def trade_at(self, book: Book, price_ticks: int) -> None:
        """Take in the price of a trade of this market."""
        book.last_price_ticks = price_ticks
        if price_ticks != book.reference_ticks:
            self.refer(book, price_ticks)

    def refer(self, book: Book, reference_ticks: int) -> None:
        """Make a price the book's reference, and move the index of its segment."""
        change = reference_ticks - book.reference_ticks
        book.refer(reference_ticks)
        if book.segment:
            segment = self.segments[book.segment]
            segment.index += segment.weights[book.instrument] * change
            self.moved.add(book.segment)

    def look(self) -> None:
        """See, at the end of a command, whether breakers are met by where prices have come to."""
        for number in sorted(self.moved):
            self.watch(self.segments[number])
        self.moved.clear()

    def watch(self, segment: Segment) -> None:
        """See whether the next stage of the breaker is met, and since when."""
        met = segment.met()
        if met and not segment.met_at_ns:
            segment.met_at_ns = self.time_ns
            due_ns = self.time_ns + segment.definition.hold_ns
            self.set_timer(TimerKind.BREAKER, segment.definition.segment, 0, due_ns)
        elif not met:
            self.unwatch(segment)

    def unwatch(self, segment: Segment) -> None:
        """Forget since when the next stage is met."""
        if segment.met_at_ns:
            due_ns = segment.met_at_ns + segment.definition.hold_ns
            self.set_timer(TimerKind.BREAKER, segment.definition.segment, due_ns, 0)
            segment.met_at_ns = 0

    def image(self) -> Image:
        """Return the state as data in canonical order."""
        accounts = self.accounts
        holders = sorted(accounts.holders.items())
        outstanding = sorted(accounts.outstanding.items())
        return Image(
            holders=tuple(
                HolderImage(id_, h.version, h.classes, h.frozen, h.tier) for id_, h in holders
            ),
            accounts=tuple(
                _account_image(account, accounts.trade_day) for account in accounts.ordered()
            ),
            books=tuple(_book_image(book) for _, book in sorted(self.books.items())),
            segments=tuple(_segment_image(each) for _, each in sorted(self.segments.items())),
            routes=tuple(route for _, route in sorted(accounts.routes.items())),
            outstanding=tuple((asset, units) for asset, units in outstanding if units),
            movements=tuple(movement for _, movement in sorted(accounts.movements.items())),
            trade_day=accounts.trade_day,
            fills=self.fills,
            compensated=tuple(sorted(self.compensated)),
        )

    @classmethod
    def restore(cls, image: Image) -> "State":
        """Rebuild the state that gave this image."""
        state = cls()
        accounts = state.accounts
        accounts.begin_day(image.trade_day)
        for each in image.holders:
            holder = accounts.holder(each.holder)
            holder.set(each.version, each.classes, each.frozen)
            holder.tier = each.tier
        for entry in image.accounts:
            account = accounts.open(entry.account, entry.holder, entry.kind)
            for asset, available, held in entry.balances:
                account.available[asset] = available
                account.held[asset] = held
            account.ids = {accepted.client_order_id: accepted for accepted in entry.ids}
            account.older_ids = {accepted.client_order_id: accepted for accepted in entry.older_ids}
            account.lasting_ids = {each.client_order_id: each for each in entry.lasting_ids}
            account.kill(entry.killed)
            account.heartbeat_due_ns = state.set_timer(
                TimerKind.HEARTBEAT, account.id, 0, entry.heartbeat_due_ns
            )
        for page in image.books:
            state._restore_book(page)
        for part in image.segments:
            state._restore_segment(part)
        accounts.routes = {route.reference: route for route in image.routes}
        accounts.outstanding.update(image.outstanding)
        for movement in image.movements:
            accounts.movements[movement.command.reference] = movement
        state.fills = image.fills
        state.compensated = set(image.compensated)
        return state

    def _restore_book(self, page: BookImage) -> None:
        number = page.definition.instrument
        book = self.books[number] = Book(page.definition)
        book.killed = page.killed
        book.enter(page.phase)
        book.resumes = page.resumes
        book.phase_decided_at_ns = page.phase_decided_at_ns
        book.decided_phase = page.decided_phase
        book.ends_at_ns = self.set_timer(TimerKind.PHASE, number, 0, page.ends_at_ns)
        book.reopening_ns = page.reopening_ns
        book.announced_ns, book.extended = page.announced_ns, page.extended
        book.last_price_ticks = page.last_price_ticks
        book.static_ticks = page.static_ticks
        book.refer(page.reference_ticks)
        book.indicative = page.indicative
        book.indicative_due_ns = self.set_timer(
            TimerKind.INDICATIVE, number, 0, page.indicative_due_ns
        )
        accounts, add = self.accounts, book.add
        for order in page.orders:
            accounts[order.account].orders[order.id] = order
            add(order)
            if order.special is not None and order.special.expires_at_ns:
                due_ns = order.special.expires_at_ns
                self.set_timer(TimerKind.EXPIRY, order.id, 0, due_ns, order.account)

    def _restore_segment(self, part: SegmentImage) -> None:
        segment = Segment(part.definition)
        self.segments[part.definition.segment] = segment
        segment.base_index, segment.tripped_index = part.base_index, part.tripped_index
        segment.stage, segment.closes_at_ns = part.stage, part.closes_at_ns
        segment.met_at_ns, segment.day = part.met_at_ns, part.day
        segment.halted_until_ns = part.halted_until_ns
        if part.met_at_ns:
            due_ns = part.met_at_ns + part.definition.hold_ns
            self.set_timer(TimerKind.BREAKER, part.definition.segment, 0, due_ns)
        self.join(segment)

    def join(self, segment: Segment) -> None:
        """Let the instruments of a segment know it, and reckon its index."""
        number = segment.definition.segment
        for book in self.books.values():
            if book.segment == number:
                book.segment = 0
        segment.index = 0
        for instrument, weight in segment.weights.items():
            book = self.books[instrument]
            book.segment = number
            segment.index += weight * book.reference_ticks


def _account_image(account: Account, day: int) -> AccountImage:
    account.roll_to(day)
    lasting = {
        name: accepted
        for name, accepted in account.lasting_ids.items()
        if accepted.order_id in account.orders
    }
    return AccountImage(
        account=account.id,
        holder=account.holder.id,
        kind=account.kind,
        balances=tuple(
            (asset, account.available.get(asset, 0), account.held.get(asset, 0))
            for asset in account.assets()
        ),
        ids=_sorted_ids(account.ids),
        older_ids=_sorted_ids(account.older_ids),
        lasting_ids=_sorted_ids(lasting),
        killed=account.killed,
        heartbeat_due_ns=account.heartbeat_due_ns,
    )


def _sorted_ids(ids: dict[str, OrderAccepted]) -> tuple[OrderAccepted, ...]:
    return tuple(accepted for _, accepted in sorted(ids.items()))


def _book_image(book: Book) -> BookImage:
    return BookImage(
        definition=book.definition,
        phase=book.phase,
        resumes=book.resumes,
        phase_decided_at_ns=book.phase_decided_at_ns,
        decided_phase=book.decided_phase,
        ends_at_ns=book.ends_at_ns,
        reopening_ns=book.reopening_ns,
        announced_ns=book.announced_ns,
        extended=book.extended,
        killed=book.killed,
        last_price_ticks=book.last_price_ticks,
        reference_ticks=book.reference_ticks,
        static_ticks=book.static_ticks,
        indicative=book.indicative,
        indicative_due_ns=book.indicative_due_ns,
        orders=tuple(book.orders()),
    )


def _segment_image(segment: Segment) -> SegmentImage:
    return SegmentImage(
        segment.definition,
        segment.base_index,
        segment.tripped_index,
        segment.stage,
        segment.closes_at_ns,
        segment.met_at_ns,
        segment.day,
        segment.halted_until_ns,
    )
