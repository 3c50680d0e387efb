"""Answers to queries about books and accounts."""

from matching.accounts import Account
from matching.engine.state import State
from matching.protocol.queries import (
    AnyQuery,
    AnyReply,
    Balance,
    Balances,
    Book,
    GetBalances,
    GetBook,
    GetInstruments,
    GetMovement,
    GetOpenOrders,
    Instruments,
    InstrumentState,
    MovementFound,
    OpenOrder,
    OpenOrders,
)


def answer(state: State, sequence: int, query: AnyQuery) -> AnyReply:
    """Answer from the present state; what is unknown has no balances, orders or levels."""
    match query:
        case GetBalances():
            balances = (
                Balance(account.id, asset, account.available[asset], account.held[asset])
                for account in _accounts(state, query.account)
                for asset in account.assets()
            )
            return Balances(sequence, tuple(balances))
        case GetOpenOrders():
            orders = (
                OpenOrder(
                    order.id,
                    order.account,
                    order.accepted.client_order_id,
                    order.accepted.instrument,
                    order.side,
                    order.price_ticks,
                    order.remaining_lots,
                )
                for account in _accounts(state, query.account)
                for _, order in sorted(account.orders.items())
            )
            return OpenOrders(sequence, tuple(orders))
        case GetBook():
            book = state.books.get(query.instrument)
            if book is None:
                return Book(sequence, query.instrument, (), ())
            depth = max(query.depth, 0)
            return Book(sequence, query.instrument, book.bids.depth(depth), book.asks.depth(depth))
        case GetInstruments():
            instruments = (
                InstrumentState(book.definition, book.phase, book.last_price_ticks)
                for _, book in sorted(state.books.items())
            )
            return Instruments(sequence, tuple(instruments))
        case GetMovement():
            known = state.accounts.movements.get(query.reference)
            if known is None:
                return MovementFound(sequence, None, 0)
            return MovementFound(sequence, known.command, known.sequence)
        case _:
            raise TypeError(f"the runtime answers {type(query).__name__}")


def _accounts(state: State, account_id: int) -> list[Account]:
    if not account_id:
        return list(state.accounts.ordered())
    account = state.accounts.get(account_id)
    return [] if account is None else [account]
