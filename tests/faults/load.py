"""Members who trade without pause while something breaks, and remember what was acknowledged."""

import http.client
import random
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from uuid import uuid4

from exchange.demo.trader import Trader

PAUSE_S = 0.05


@dataclass
class Load:
    """Trade from one thread a member; `acknowledged` maps client order id to order id."""

    traders: Sequence[Trader]
    acknowledged: dict[str, tuple[Trader, str]] = field(default_factory=dict)
    unknown: dict[str, tuple[Trader, dict[str, str]]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Self:
        for number, trader in enumerate(self.traders):
            thread = threading.Thread(target=self._trade, args=(trader, number), daemon=True)
            self._threads.append(thread)
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        for trader in self.traders:
            trader.close()

    def _trade(self, trader: Trader, number: int) -> None:
        chance = random.Random(number)
        while not self._stop.wait(PAUSE_S):
            order = {
                "client_order_id": uuid4().hex,
                "instrument": "XAU-KRW",
                "side": chance.choice(("buy", "sell")),
                "price": str(190_000 + 10 * chance.randrange(-3, 4)),
                "quantity": f"0.{chance.randrange(1, 30):02d}",
                "self_trade_prevention": "cancel_oldest",
            }
            self._send(trader, order)

    def _send(self, trader: Trader, order: dict[str, str]) -> None:
        try:
            answer = trader.order(**order)
        except (OSError, http.client.HTTPException):
            trader.close()
            self.unknown[order["client_order_id"]] = (trader, order)
            return
        # 200: the door repeated the order to the engine that had just begun.
        if answer.status in (200, 201):
            taken = (trader, answer.document["order_id"])
            self.acknowledged[order["client_order_id"]] = taken
        elif answer.status >= 500:
            self.unknown[order["client_order_id"]] = (trader, order)
        elif answer.document.get("code") != "insufficient_balance":
            self.wrong.append(f"{answer.status} {answer.document}")

    def verify(self, recorded: Sequence[tuple[str, int]]) -> None:
        """Assert that each acknowledged order is there once, and that a repeat makes no second.

        `recorded` are the client order id and order id of every order the exchange recorded.
        """
        assert self.wrong == []
        assert self.acknowledged
        found = {name: str(order_id) for name, order_id in recorded}
        assert len(found) == len(recorded)
        acknowledged = {name: order_id for name, (_, order_id) in self.acknowledged.items()}
        assert acknowledged.items() <= found.items()
        for name, (trader, order) in self.unknown.items():
            answers = [trader.order(**order) for _ in range(2)]
            assert [answer.status for answer in answers] in ([200, 200], [201, 200]), answers
            assert answers[0].document["order_id"] == answers[1].document["order_id"], name
