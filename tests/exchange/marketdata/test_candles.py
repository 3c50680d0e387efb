"""Candles are those that anybody recomputes from all fills, also after deaths and lost stores."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, LiteralString
from uuid import uuid4
from zoneinfo import ZoneInfo

import psycopg
import pytest
from redis import Redis

from exchange.marketdata.candles import INTERVALS_S, CandleRecord, Candles, candle_begin
from exchange.marketdata.follower import CandleHistory
from matching.protocol.codec import StreamEntry
from matching.protocol.commands import CancelAll, Credit
from matching.protocol.events import Applied, Filled
from matching.protocol.units import FillKind, Side
from tests.exchange.conftest import Trader, Venue
from tests.exchange.flows import START_NS, Flow
from tests.waiting import wait_until

SEOUL = ZoneInfo("Asia/Seoul")
Trade = tuple[int, int, int, int]
NS_PER_S = 10**9
PLATINUM = 4


def begin_of(time_ns: int, interval_s: int) -> int:
    """Return when an interval begins, by the calendar of Seoul."""
    local = datetime.fromtimestamp(time_ns // NS_PER_S, SEOUL)
    midnight = local.replace(hour=0, minute=0, second=0)
    passed = (local - midnight) // timedelta(seconds=interval_s)
    return int((midnight + passed * timedelta(seconds=interval_s)).timestamp())


def recomputed(trades: list[Trade], interval_s: int) -> list[tuple[int, ...]]:
    """Return (begin, open, high, low, close, lots, quote, trades) of every interval with trades."""
    groups: dict[int, list[Trade]] = defaultdict(list)
    for trade in trades:
        groups[begin_of(trade[0], interval_s)].append(trade)
    return [
        (
            begin,
            group[0][1],
            max(price for _, price, _, _ in group),
            min(price for _, price, _, _ in group),
            group[-1][1],
            sum(lots for _, _, lots, _ in group),
            sum(quote for _, _, _, quote in group),
            len(group),
        )
        for begin, group in sorted(groups.items())
    ]


@pytest.mark.parametrize(
    ("moment", "interval", "begin"),
    [
        ("2026-11-22T14:59:59", "1d", "2026-11-21T15:00:00"),
        ("2026-11-22T15:00:00", "1d", "2026-11-22T15:00:00"),
        ("2026-11-22T15:00:00", "4h", "2026-11-22T15:00:00"),
        ("2026-11-22T18:59:59", "4h", "2026-11-22T15:00:00"),
        ("2026-11-22T18:59:59", "1h", "2026-11-22T18:00:00"),
        ("2026-11-22T18:59:59", "3m", "2026-11-22T18:57:00"),
    ],
)
def test_intervals_begin_as_the_day_does_in_seoul(moment: str, interval: str, begin: str) -> None:
    at, expected = (datetime.fromisoformat(each).replace(tzinfo=UTC) for each in (moment, begin))
    found = candle_begin(int(at.timestamp()) * NS_PER_S, INTERVALS_S[interval])
    assert found == int(expected.timestamp())


@pytest.mark.parametrize("seed", range(3))
def test_candles_are_those_of_all_fills_wherever_one_begins_again(seed: int) -> None:
    candles, written = Candles(), dict[tuple[int, int, int], CandleRecord]()
    trades: dict[int, list[Trade]] = defaultdict(list)
    for number, applied in enumerate(Flow(seed).run(1_500).applied):
        time_ns = applied.time_ns * 37  # a millisecond a command would stay within a minute
        for event in applied.events:
            if isinstance(event, Filled):
                candles.add(event, time_ns)
                trades[event.instrument].append(
                    (time_ns, event.price_ticks, event.quantity_lots, event.quote_units)
                )
        if number % 100 == 0:
            written |= candles.changed
            latest = {key[:2]: written[key] for key in sorted(written)}
            candles = Candles(latest.values())
    written |= candles.changed
    for instrument, made in trades.items():
        for interval_s in INTERVALS_S.values():
            found = [
                (each.begin_s, each.open_ticks, each.high_ticks, each.low_ticks, each.close_ticks)
                + (each.volume_lots, each.quote_units, each.trades)
                for key, each in sorted(written.items())
                if key[:2] == (instrument, interval_s)
            ]
            assert found == recomputed(made, interval_s)


@pytest.mark.django_db
def test_fill_that_makes_no_price_makes_no_candle() -> None:
    history = CandleHistory()
    for sequence, kind in enumerate(FillKind, 1):
        fill = Filled(sequence, 1, 10 * sequence, 2, 2, 20, Side.BUY, 0, 0, 3, 4, 0, 0, 0, 0, kind)
        applied = Applied(sequence, START_NS, (fill,))
        history.take(StreamEntry(sequence - 1, (applied,)))
    (minute,) = [each for each in history._candles.changed.values() if each.interval_s == 60]
    assert (minute.trades, minute.open_ticks, minute.high_ticks, minute.volume_lots) == (
        *(3, 10, 30),
        6,
    )


def test_candles_are_those_of_all_fills_after_deaths_and_a_lost_store(venue: Venue) -> None:
    market = venue.send("GET", "/v1/markets/XPT-KRW").json
    low = int(market["base_price"])
    maker, taker = (venue.trader().fund(krw=100_000_000) for _ in range(2))
    venue.engine.send(Credit(maker.account, PLATINUM, 10**9, f"test:{uuid4().hex}"))

    def trade(count: int) -> None:
        for number in range(count):
            price = str(low + 10 * (number % 7))
            maker.place("sell", price, "0.02", instrument="XPT-KRW")
            taker.place("buy", price, "0.02", instrument="XPT-KRW")

    trade(5)
    venue.stack.kill("marketdata")
    trade(5)
    venue.stack.start("marketdata")
    with Redis.from_url(venue.stack.urls["REDIS_URL"]) as valkey:
        valkey.flushall()
    trade(3)
    with psycopg.connect(venue.stack.urls["DATABASE_URL"], autocommit=True) as database:
        last = venue.status().sequence
        for table in ("trading_projectorposition", "marketdata_candleposition"):
            wait_until(partial(_reached, database, table, last), timeout_s=60)
        trades: list[Trade] = [
            (row[0], row[1], row[2], int(row[3]))
            for row in database.execute(
                "SELECT time_ns, price_ticks, quantity_lots, quote_units FROM trading_fill "
                "WHERE instrument = 3 ORDER BY fill_id"
            )
        ]
    assert len(trades) >= 13
    for interval, interval_s in INTERVALS_S.items():
        target = f"/v1/markets/XPT-KRW/candles?interval={interval}&limit=500"
        shown = venue.send("GET", target).json["candles"]
        assert [_units(each) for each in reversed(shown)] == recomputed(trades, interval_s)
    for trader in (maker, taker):
        venue.engine.send(CancelAll(trader.account))


def test_candles_are_paged_by_time(venue: Venue, trader: Trader) -> None:
    other = venue.trader().fund(krw=1_000_000)
    trader.place("sell", "100000", "0.01")
    other.place("buy", "100000", "0.01")
    target = "/v1/markets/XAU-KRW/candles?interval=1m&limit=1"
    wait_until(lambda: venue.send("GET", target).json["candles"])
    (newest,) = venue.send("GET", target).json["candles"]
    begin = newest["begin"]
    assert venue.send("GET", f"{target}&from={begin}").json["candles"][0]["begin"] >= begin
    older = venue.send("GET", f"{target}&to={begin}").json["candles"]
    assert all(each["begin"] < begin for each in older)
    for wrong in ("interval=2m", "from=yesterday", "to=2026-02-30T00:00:00Z", "limit=501"):
        answer = venue.send("GET", f"/v1/markets/XAU-KRW/candles?{wrong}")
        assert (answer.status, answer.code) == (400, "parameter_invalid")


def _reached(database: psycopg.Connection[Any], table: LiteralString, sequence: int) -> bool:
    row = database.execute("SELECT sequence FROM " + table).fetchone()
    return row is not None and int(row[0]) >= sequence


def _units(candle: dict[str, Any]) -> tuple[int, ...]:
    """Return a candle in ticks of 10 KRW, lots of 0.01 g and units of 0.0001 KRW."""
    begin = datetime.strptime(candle["begin"][:19], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC)
    prices = (int(candle[name]) // 10 for name in ("open", "high", "low", "close"))
    return (
        int(begin.timestamp()),
        *prices,
        int(candle["volume"].replace(".", "")),
        int(candle["amount"].replace(".", "")),
        candle["trades"],
    )
