"""One trading session over HTTP: every kind of order, a stream of them, and some that must fail."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from exchange.demo.trader import Answer, Trader

GOLD, SILVER = "XAU-KRW", "XAG-KRW"
SEED = 20260730


class Unexpected(Exception):
    """The exchange answered otherwise than a member may expect; the message shows both."""


@dataclass
class Session:
    """What the members did and how long each order took to be acknowledged."""

    traders: Sequence[Trader]
    orders: int = 0
    refusals: dict[str, int] = field(default_factory=dict)
    ack_ns: list[int] = field(default_factory=list)

    def place(self, trader: Trader, **fields: Any) -> dict[str, Any]:
        """Place an order that must be accepted, and return it. Raises `Unexpected`."""
        answer = trader.order(**{"client_order_id": uuid4().hex, **fields})
        if answer.status != 201:
            raise Unexpected(f"{trader.label} placed {fields}: {answer.status} {answer.document}")
        self.orders += 1
        self.ack_ns.append(answer.elapsed_ns)
        return answer.document

    def refused(self, code: str, answer: Answer) -> None:
        """Count an answer that must be a refusal under this code. Raises `Unexpected`."""
        found = answer.document.get("code")
        if not 400 <= answer.status < 500 or found != code:
            raise Unexpected(f"expected {code}, found {answer.status} {answer.document}")
        self.refusals[code] = self.refusals.get(code, 0) + 1


def one_gram(session: Session) -> None:
    """Sell one gram of gold from one member to another."""
    seller, buyer = session.traders[:2]
    terms = {"instrument": GOLD, "price": "190000", "quantity": "1.00"}
    session.place(seller, side="sell", **terms)
    bought = session.place(buyer, side="buy", **terms)
    if bought["state"] != "filled":
        raise Unexpected(f"the gram of gold did not change hands: {bought}")


def every_kind(session: Session) -> None:
    """Use each kind of order, each time in force, amend, cancel, and cancel all, once."""
    first, second, third = session.traders[:3]
    gold = {"instrument": GOLD}
    offer = session.place(first, **gold, side="sell", price="190500", quantity="5.00")
    session.place(second, **gold, side="buy", price="190500", quantity="0.50", time_in_force="ioc")
    session.place(second, **gold, side="buy", price="190500", quantity="0.50", time_in_force="fok")
    session.place(second, **gold, side="buy", kind="market", quantity="0.25")
    session.place(third, **gold, side="buy", price="189000", quantity="1.00", post_only=True)
    resting = session.place(third, **gold, side="buy", price="188000", quantity="1.00")
    _accepted(third.amend(resting["order_id"], price="188500", quantity="2.00"))
    _accepted(third.cancel(resting["order_id"]))
    _accepted(first.amend(offer["order_id"], price="190500", quantity="1.00"))
    session.place(
        first,
        **gold,
        side="buy",
        price="190500",
        quantity="0.10",
        self_trade_prevention="cancel_oldest",
    )
    for trader in (first, third):
        _accepted(trader.cancel_all())


def stream(session: Session, count: int) -> None:
    """Place `count` seeded orders around the price in both instruments, as makers and takers."""
    chance = random.Random(SEED)
    for _ in range(count):
        trader = chance.choice(session.traders)
        side = chance.choice(("buy", "sell"))
        ticks = chance.randrange(-20, 21)
        force = chance.choices(("gtc", "ioc"), (85, 15))[0]
        if chance.random() < 0.6:
            price, quantity = 190_000 + 10 * ticks, f"0.{chance.randrange(1, 100):02d}"
            instrument = GOLD
        else:
            price, quantity = 2_400 + ticks, str(chance.randrange(1, 50))
            instrument = SILVER
        session.place(
            trader,
            instrument=instrument,
            side=side,
            price=str(price),
            quantity=quantity,
            time_in_force=force,
        )
    for trader in session.traders:
        _accepted(trader.cancel_all())


def must_be_refused(session: Session, outsider: Trader) -> None:
    """Send what the exchange has to refuse: bad figures, another's order, a replay, no identity."""
    trader, other = session.traders[:2]
    good: dict[str, Any] = {
        "client_order_id": uuid4().hex,
        "instrument": GOLD,
        "side": "buy",
        "price": "189000",
        "quantity": "1.00",
    }

    def order(**changes: Any) -> Callable[[], Answer]:
        return lambda: trader.order(**{**good, "client_order_id": uuid4().hex, **changes})

    resting = session.place(other, **{**good, "client_order_id": uuid4().hex})
    for code, attempt in (
        ("price_invalid", order(price="189005")),
        ("price_outside_band", order(price="100000")),
        ("quantity_invalid", order(quantity="0.005")),
        ("quantity_too_large", order(quantity="5000.01")),
        ("unknown_instrument", order(instrument="XXX-KRW")),
        ("insufficient_balance", order(quantity="5000.00")),
        ("quantity_invalid", order(quantity="-1")),
        ("price_invalid", order(price="NaN")),
        ("price_invalid", order(price="1e999")),
        ("unknown_order", lambda: trader.cancel(resting["order_id"])),
        ("not_eligible", lambda: outsider.order(**good)),
    ):
        session.refused(code, attempt())
    nonce = uuid4().hex
    _accepted(trader.send("GET", "/v1/balances", nonce=nonce))
    session.refused("nonce_replayed", trader.send("GET", "/v1/balances", nonce=nonce))
    _accepted(other.cancel(resting["order_id"]))


def _accepted(answer: Answer) -> None:
    if answer.status != 200:
        raise Unexpected(f"expected 200, found {answer.status} {answer.document}")
