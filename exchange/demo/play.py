"""The demo's plot: found, fund, trade, settle, compare. Runs inside a started instance."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from decimal import Decimal
from pathlib import Path

from rich.console import Console

from custody import selectors as custody
from exchange.demo import report, session, walk
from exchange.demo.market import KRW, Market
from exchange.demo.waiting import wait_until
from exchange.listings.defaults import DEFAULTS, base_prices
from exchange.listings.references import reference_months
from exchange.trading.selectors import fills_count, projector_position
from matching.client import engine
from matching.protocol.queries import GetStatus, Status
from matching.protocol.units import InstrumentClass
from settlement.reconciler import reconcile
from settlement.selectors import settled_fills

MEMBERS = (
    *("Kim Seoyeon", "Lee Jiho", "Park Minjun", "Choi Haeun", "Kang Dohyun", "Cho Yuna"),
    *("Yoon Jiwoo", "Jang Seojun", "Lim Chaewon", "Han Eunwoo", "Oh Sua", "Seo Hajun"),
    *("Shin Ara", "Kwon Taeyang", "Hwang Jia", "Ahn Siwoo", "Song Nari", "Yoo Geon"),
    *("Hong Bora", "Moon Junho"),
)
OUTSIDER = "Jung Doyun"
SEED = 20260730
CASH_KRW = 500_000_000
HOLDINGS_KRW = Decimal(1_000_000_000)
BOTH = InstrumentClass.METAL | InstrumentClass.SECURITY

Progress = Callable[[str], AbstractContextManager[object]]


def play(base_url: str, out: Path, console: Console, progress: Progress, months_count: int) -> bool:
    """Play the market once, print the tables, write the figures; tell whether all books agree.

    The members trade through the last `months_count` months of reference prices.
    """
    market = Market(base_url)
    with progress("enrolling officers, identifying and admitting 21 members"):
        market.found()
        # Identified for securities alone: a metal order of this member must be refused.
        people = dict.fromkeys(MEMBERS, BOTH) | {OUTSIDER: InstrumentClass.SECURITY}
        *traders, outsider = market.members_admit(people)
    months = reference_months()[-months_count:]
    quoted = walk.quoted_markets(len(traders), [listing.symbol for listing in DEFAULTS])
    with progress("minting against notices of bank and registrar and audited vault receipts"):
        market.fund(
            {
                trader.account: {"KRW": CASH_KRW * KRW} | _holding(symbol, months[-1])
                for trader, symbol in zip(traders, quoted, strict=True)
            }
        )
    with progress("listing nine markets and opening them for a special session"):
        market.open(base_prices(months[0]))
    traded = session.Session(traders)
    walked = walk.Walk(traded, quoted, months, SEED)
    with progress(f"trading {months[0]} to {months[-1]} over HTTP"):
        walked.go(market)
    with progress("using every kind of order once more, and what must be refused"):
        session.one_gram(traded)
        session.every_kind(traded)
        session.every_special_kind(traded)
        session.every_prevention(traded)
        session.must_be_refused(traded, outsider)
    with progress("settling on chain until final"):
        wait_until(_all_settled, "every fill to be final on chain")
    with progress("comparing engine, ledger, chain, vault, registrar and bank"):
        compared = reconcile().report
    found = report.figures(traded, compared)
    report.books_show(console, compared)
    report.markets_show(console, walked.path, traders[0])
    report.figures_show(console, found, traded)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(found, indent=1) + "\n")
    with ExitStack() as closing:
        for trader in (*traders, outsider):
            closing.callback(trader.close)
    return bool(found["mismatches"] == 0 and found["fills"] == found["settled_fills"] > 0)


def _holding(symbol: str | None, month: str) -> dict[str, int]:
    """Return base units of what a market trades, worth a holding at a month's price."""
    if symbol is None:
        return {}
    asset = custody.asset_get(code=symbol.partition("-")[0])
    return {asset.code: int(HOLDINGS_KRW / base_prices(month)[symbol]) * 10**asset.decimals}


def _all_settled() -> bool:
    status = engine().ask(GetStatus())
    assert isinstance(status, Status)
    return (
        projector_position() >= status.sequence and fills_count() == status.fills == settled_fills()
    )
