"""Orders over HTTP, checked and counted: those that must be accepted and those that must not."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any
from uuid import uuid4

from exchange.demo.trader import Answer, Trader

GOLD, SHARE = "XAU-KRW", "GDC-KRW"


class Unexpected(Exception):
    """The exchange answered otherwise than a member may expect; the message shows both."""


@dataclass
class Session:
    """What the members did and how long each order took to be acknowledged; for many threads."""

    traders: Sequence[Trader]
    refusals: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    ack_ns: list[int] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock, repr=False)

    @property
    def orders(self) -> int:
        """How many orders were accepted."""
        return len(self.ack_ns)

    def place(self, trader: Trader, *, may: str = "", **fields: Any) -> dict[str, Any]:
        """Place an order, and return it, or the problem if it may be refused under the code `may`.

        Raises `Unexpected`.
        """
        answer = trader.order(**{"client_order_id": uuid4().hex, **fields})
        if may and answer.document.get("code") == may:
            self.refused(may, answer)
            return answer.document
        if answer.status != 201:
            raise Unexpected(f"{trader.label} placed {fields}: {answer.status} {answer.document}")
        order = answer.document
        post_only = "post-only" if order["post_only"] else order["time_in_force"]
        with self._lock:
            self.kinds[f"{order['kind']} {post_only}"] += 1
            self.ack_ns.append(answer.elapsed_ns)
        return order

    def accept(self, what: str, answer: Answer) -> dict[str, Any]:
        """Count an answer that must be a success, and return it. Raises `Unexpected`."""
        if answer.status != 200:
            raise Unexpected(f"{what}: expected 200, found {answer.status} {answer.document}")
        with self._lock:
            self.kinds[what] += 1
        return answer.document

    def refused(self, code: str, answer: Answer) -> None:
        """Count an answer that must be a refusal under this code. Raises `Unexpected`."""
        found = answer.document.get("code")
        if not 400 <= answer.status < 500 or found != code:
            raise Unexpected(f"expected {code}, found {answer.status} {answer.document}")
        with self._lock:
            self.refusals[code] += 1


def one_gram(session: Session) -> None:
    """Sell one gram of gold from one member to another."""
    seller, buyer = session.traders[:2]
    terms = {"instrument": GOLD, "price": "190000", "quantity": "1.00"}
    session.place(seller, side="sell", **terms)
    bought = session.place(buyer, side="buy", **terms)
    if bought["state"] != "filled":
        raise Unexpected(f"the gram of gold did not change hands: {bought}")


def every_kind(session: Session) -> None:
    """Use plain orders with each time in force, amend, cancel, and cancel all."""
    first, second, third = session.traders[:3]
    gold = {"instrument": GOLD}
    offer = session.place(first, **gold, side="sell", price="190500", quantity="5.00")
    session.place(second, **gold, side="buy", price="190500", quantity="0.50", time_in_force="ioc")
    session.place(second, **gold, side="buy", price="190500", quantity="0.50", time_in_force="fok")
    session.place(second, **gold, side="buy", kind="market", quantity="0.25")
    session.place(third, **gold, side="buy", price="189000", quantity="1.00", post_only=True)
    resting = session.place(third, **gold, side="buy", price="188000", quantity="1.00")
    amended = third.amend(resting["order_id"], price="188500", quantity="2.00")
    session.accept("amend", amended)
    session.accept("cancel", third.cancel(resting["order_id"]))
    session.accept("amend", first.amend(offer["order_id"], price="190500", quantity="1.00"))
    for trader in (first, third):
        session.accept("cancel all", trader.cancel_all())


def every_special_kind(session: Session) -> None:
    """Use the kinds that wait, hide or find their own price; cancel by tag what is left."""
    seller, buyer = session.traders[:2]
    terms: dict[str, Any] = {"instrument": GOLD, "quantity": "1.00", "tag": "special"}
    for fields in (
        {"price": "190500", "display_quantity": "0.25"},
        {"price": "191000", "time_in_force": "day"},
        {"kind": "top_priority_limit"},
        {"kind": "stop", "stop_price": "185000"},
        {"kind": "stop_limit", "stop_price": "185000", "price": "184000"},
        {"kind": "trailing_stop", "trail": "3000"},
        {"kind": "midpoint", "price": "189500"},
    ):
        session.place(seller, side="sell", **terms | fields)
    session.place(buyer, side="buy", kind="best_limit", **terms)
    amount = {"quantity": None, "amount": "50000"}
    session.place(buyer, side="buy", kind="market", **terms | amount)
    gone = seller.send("DELETE", "/v1/orders", query={"tag": "special"})
    session.accept("cancel by tag", gone)


def every_prevention(session: Session) -> None:
    """Let a member's bid for 1 g meet its own offer of 2 g under each self-trade prevention."""
    member = session.traders[0]
    for prevention, left in {
        "cancel_newest": ["offer"],
        "cancel_oldest": ["bid"],
        "cancel_both": [],
        "reduce_both": ["offer"],
    }.items():
        terms = {"instrument": GOLD, "price": "190500"}
        offer = session.place(member, **terms, side="sell", quantity="2.00")
        bid = session.place(
            member, **terms, side="buy", quantity="1.00", self_trade_prevention=prevention
        )
        names = {offer["order_id"]: "offer", bid["order_id"]: "bid"}
        closed = session.accept("cancel all", member.cancel_all())["order_ids"]
        if [names[order_id] for order_id in closed] != left:
            raise Unexpected(f"{prevention} left {closed} of {names}, expected {left}")


def must_be_refused(session: Session, outsider: Trader) -> None:
    """Send what the exchange has to refuse: bad figures, another's order, a replay, no identity."""
    trader, other = session.traders[:2]
    good: dict[str, Any] = {
        "instrument": GOLD,
        "side": "buy",
        "price": "189000",
        "quantity": "1.00",
    }

    def order(**changes: Any) -> Callable[[], Answer]:
        return lambda: trader.order(**{"client_order_id": uuid4().hex, **good, **changes})

    resting = session.place(other, **good)
    for code, attempt in (
        ("price_invalid", order(price="189005")),
        ("price_invalid", order(instrument=SHARE, price="71550", quantity="1")),
        ("price_outside_band", order(price="100000")),
        ("quantity_invalid", order(quantity="0.005")),
        ("quantity_too_large", order(quantity="5000.01")),
        ("unknown_instrument", order(instrument="XXX-KRW")),
        ("insufficient_balance", order(quantity="5000.00")),
        ("quantity_invalid", order(quantity="-1")),
        ("price_invalid", order(price="NaN")),
        ("price_invalid", order(price="1e999")),
        ("unknown_order", lambda: trader.cancel(resting["order_id"])),
        ("not_eligible", lambda: outsider.order(**{"client_order_id": uuid4().hex, **good})),
    ):
        session.refused(code, attempt())
    nonce = uuid4().hex
    session.accept("read", trader.send("GET", "/v1/balances", nonce=nonce))
    session.refused("nonce_replayed", trader.send("GET", "/v1/balances", nonce=nonce))
    session.accept("cancel", other.cancel(resting["order_id"]))
