"""The demo's plot: found, fund, trade, settle, compare. Runs inside a started instance."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from rich.console import Console

from exchange.demo import report, session
from exchange.demo.market import Market
from exchange.demo.waiting import wait_until
from exchange.trading.selectors import fills_count, projector_position
from matching.client import engine
from matching.protocol.queries import GetStatus, Status
from matching.protocol.units import InstrumentClass
from settlement.reconciler import reconcile
from settlement.selectors import settled_fills

MEMBERS = ("Kim Seoyeon", "Lee Jiho", "Park Minjun", "Choi Haeun")
OUTSIDER = "Jung Doyun"
STREAM_ORDERS = 200
KRW, GRAM = 10_000, 1_000
FUNDS = {"KRW": 100_000_000 * KRW, "XAU": 500 * GRAM, "XAG": 20_000 * GRAM}

Progress = Callable[[str], AbstractContextManager[object]]


def play(base_url: str, out: Path, console: Console, progress: Progress) -> bool:
    """Play the market once, print the tables, write the figures; tell whether all books agree."""
    market = Market(base_url)
    with progress("enrolling officers, identifying and admitting members"):
        market.found()
        people = dict.fromkeys(MEMBERS, InstrumentClass.METAL)
        # Identified for securities alone: a metal order of this member must be refused.
        people[OUTSIDER] = InstrumentClass.SECURITY
        *traders, outsider = market.members_admit(people)
    with progress("minting against bank notices and audited vault receipts"):
        market.fund({trader.account: FUNDS for trader in traders})
    with progress("opening the markets"):
        market.open()
    traded = session.Session(traders)
    with progress("trading over HTTP"):
        session.one_gram(traded)
        session.every_kind(traded)
        session.must_be_refused(traded, outsider)
        session.stream(traded, STREAM_ORDERS)
    with progress("settling on chain until final"):
        wait_until(_all_settled, "every fill to be final on chain", timeout_s=120)
    with progress("comparing engine, ledger, chain, vault and bank"):
        compared = reconcile().report
    found = report.figures(traded, compared)
    labels = {trader.account: trader.label for trader in (*traders, outsider)} | {2: "revenue"}
    report.books_show(console, compared, labels)
    report.figures_show(console, found, traded.refusals)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(found, indent=1) + "\n")
    for trader in (*traders, outsider):
        trader.close()
    return bool(found["mismatches"] == 0 and found["fills"] == found["settled_fills"] > 0)


def _all_settled() -> bool:
    status = engine().ask(GetStatus())
    assert isinstance(status, Status)
    return (
        projector_position() >= status.sequence and fills_count() == status.fills == settled_fills()
    )
