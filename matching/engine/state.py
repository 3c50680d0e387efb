"""The state that commands act on: all accounts, all books, the fill counter."""

from typing import TypeAlias

from matching.accounts import Account, Accounts
from matching.book import Book
from matching.engine.image import AccountImage, BookImage, HolderImage, Image
from matching.order import Order
from matching.protocol.events import AnyEvent, OrderAccepted, Refused
from matching.protocol.refusals import Refusal

Events: TypeAlias = tuple[AnyEvent, ...]


def refused(code: Refusal, detail: str) -> Events:
    """Return the events of a command that changed nothing."""
    return (Refused(code, detail),)


class State:
    """Everything the engine knows but its sequence number and clock."""

    __slots__ = ("accounts", "books", "fills")

    def __init__(self) -> None:
        self.accounts = Accounts()
        self.books: dict[int, Book] = {}
        self.fills = 0

    def image(self) -> Image:
        """Return the state as data in canonical order."""
        accounts = self.accounts
        holders = sorted(accounts.holders.items())
        outstanding = sorted(accounts.outstanding.items())
        return Image(
            holders=tuple(HolderImage(id_, h.version, h.classes, h.frozen) for id_, h in holders),
            accounts=tuple(_account_image(account) for account in accounts.ordered()),
            books=tuple(_book_image(book) for _, book in sorted(self.books.items())),
            outstanding=tuple((asset, units) for asset, units in outstanding if units),
            movements=tuple(movement for _, movement in sorted(accounts.movements.items())),
            trade_day=accounts.trade_day,
            fills=self.fills,
        )

    @classmethod
    def restore(cls, image: Image) -> "State":
        """Rebuild the state that gave this image."""
        state = cls()
        accounts = state.accounts
        for holder in image.holders:
            accounts.holder(holder.holder).set(holder.version, holder.classes, holder.frozen)
        for entry in image.accounts:
            account = accounts.open(entry.account, entry.holder, entry.kind)
            for asset, available, held in entry.balances:
                account.available[asset] = available
                account.held[asset] = held
            account.ids = {accepted.client_order_id: accepted for accepted in entry.ids}
            account.older_ids = {accepted.client_order_id: accepted for accepted in entry.older_ids}
        for page in image.books:
            book = state.books[page.definition.instrument] = Book(page.definition)
            book.phase = page.phase
            book.phase_decided_at_ns = page.phase_decided_at_ns
            book.last_price_ticks = page.last_price_ticks
            for order in page.orders:
                accounts[order.account].orders[order.id] = order
                book.add(order)
        accounts.outstanding.update(image.outstanding)
        for movement in image.movements:
            accounts.movements[movement.command.reference] = movement
        accounts.begin_day(image.trade_day)
        state.fills = image.fills
        return state

    def _check(self) -> None:
        """Assert every invariant: conservation, exact holds, books whole, indexes in agreement."""
        self.accounts._check()
        resting: dict[int, Order] = {}
        for book in self.books.values():
            book._check()
            resting |= {order.id: order for order in book.bids.orders() + book.asks.orders()}
        owned: dict[int, Order] = {}
        for account in self.accounts.values():
            holds: dict[int, int] = {}
            for order_id, order in account.orders.items():
                book = self.books[order.accepted.instrument]
                asset = book.quote_asset if order.side == 1 else book.base_asset
                holds[asset] = holds.get(asset, 0) + order.held_units
                assert order.id == order_id
                assert account.holder.allowed & book.class_bit, f"order {order_id} is forbidden"
            held = {asset: units for asset, units in account.held.items() if units}
            assert held == holds, f"account {account.id} holds {held}, its orders {holds}"
            owned |= account.orders
        assert owned == resting, "books and accounts disagree about the open orders"
        assert all(resting[order_id] is order for order_id, order in owned.items())


def _account_image(account: Account) -> AccountImage:
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
    )


def _sorted_ids(ids: dict[str, OrderAccepted]) -> tuple[OrderAccepted, ...]:
    return tuple(accepted for _, accepted in sorted(ids.items()))


def _book_image(book: Book) -> BookImage:
    orders = tuple(book.bids.orders() + book.asks.orders())
    return BookImage(
        book.definition, book.phase, book.phase_decided_at_ns, book.last_price_ticks, orders
    )
