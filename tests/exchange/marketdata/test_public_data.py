"""What anybody may read, without a signature."""

import json
import time
from typing import Any

import pytest
from redis import Redis

from matching.protocol.commands import CancelAll, Credit, SetPhase
from matching.protocol.queries import Book, GetBook
from matching.protocol.units import Phase
from tests.exchange.conftest import Trader, Venue
from tests.waiting import wait_until


@pytest.fixture
def pair(venue: Venue) -> tuple[Trader, Trader]:
    """Two members who trade silver, in which nobody else has an order."""
    traders = (venue.trader(), venue.trader())
    for trader in traders:
        trader.fund(krw=100_000_000)
        venue.engine.send(Credit(trader.account, 3, 10**9, f"silver:{trader.account}"))
    return traders


def get(venue: Venue, target: str) -> Any:
    answer = venue.send("GET", target)
    assert answer.status == 200, answer
    return answer.json


def test_markets_say_how_to_order(venue: Venue) -> None:
    markets = get(venue, "/v1/markets")["markets"]
    assert [market["base_asset"] for market in markets] == [
        *("XAU", "XAG", "XPT", "XPD", "CU", "NI", "SN", "GDC", "CTB")
    ]
    assert markets[7]["tick_table"][1:3] == [
        {"from_price": "2000", "step": "5"},
        {"from_price": "5000", "step": "10"},
    ]
    assert (
        get(venue, "/v1/markets/XAU-KRW")
        == markets[0]
        == {
            "symbol": "XAU-KRW",
            "base_asset": "XAU",
            "quote_asset": "KRW",
            "unit": "g",
            "tick_size": "10",
            "tick_table": [],
            "lot_size": "0.01",
            "quantity_max": "5000.00",
            "base_price": "100000",
            "price_low": "90000",
            "price_high": "110000",
            "maker_fee_ppm": 100,
            "taker_fee_ppm": 300,
            "fee_tiers": [
                {"tier": 1, "volume": "1000000000", "maker_fee_ppm": 80, "taker_fee_ppm": 250},
                {"tier": 2, "volume": "10000000000", "maker_fee_ppm": 40, "taker_fee_ppm": 200},
                {"tier": 3, "volume": "100000000000", "maker_fee_ppm": -20, "taker_fee_ppm": 150},
            ],
            "value_max": "2000000000.0000",
            "collar_ppm": 100_000,
            "dynamic_ppm": 60_000,
            "closing_dynamic_ppm": 0,
            "static_ppm": 0,
            "volatility_auction_s": 120,
            "random_end_s": 30,
            "allocation": "price_time",
            "calendar": "24h",
            "phase": "continuous_24h",
            "phase_ends_at": None,
        }
    )


def test_segments_tell_their_index_and_breaker(venue: Venue) -> None:
    metals, securities = get(venue, "/v1/segments")["segments"]
    assert (metals["name"], len(metals["markets"]), metals["stages"]) == ("metals", 7, [])
    assert securities["markets"] == [
        {"symbol": "GDC-KRW", "weight": 1},
        {"symbol": "CTB-KRW", "weight": 5},
    ]
    # 71,500 KRW and 1,000 steps of 5 KRW; nobody has begun a day here.
    assert (securities["index"], securities["base_index"], securities["stage"]) == (
        *("76500", None),
        0,
    )
    assert [stage["fall_ppm"] for stage in securities["stages"]] == [80_000, 150_000, 200_000]
    assert (securities["hold_s"], securities["quiet_s"]) == (60, 2_400)


def test_book_and_trades_and_ticker_follow_the_engine(
    venue: Venue, pair: tuple[Trader, Trader]
) -> None:
    maker, taker = pair
    silver = {"instrument": "XAG-KRW"}
    for price, quantity in (("1010", "5"), ("1005", "2"), ("1005", "3")):
        maker.place("sell", price, quantity, **silver)
    maker.place("buy", "990", "7", **silver)
    first = taker.place("buy", "1005", "4", **silver)
    last = taker.place("sell", "990", "1", **silver)
    book = "/v1/markets/XAG-KRW/book"
    wait_until(lambda: int(get(venue, book)["sequence"]) >= int(last["order_id"]))
    found = get(venue, book)
    assert found["asks"] == [
        {"price": "1005", "quantity": "1", "orders": 1},
        {"price": "1010", "quantity": "5", "orders": 1},
    ]
    assert found["bids"] == [{"price": "990", "quantity": "6", "orders": 1}]
    assert len(get(venue, f"{book}?depth=1")["asks"]) == 1
    reply = venue.engine.ask(GetBook(2))
    assert isinstance(reply, Book)
    assert [level[0] for level in reply.asks] == [1005, 1010]
    trades = get(venue, "/v1/markets/XAG-KRW/trades?limit=3")["trades"]
    assert [(one["price"], one["quantity"], one["taker_side"]) for one in trades] == [
        ("990", "1", "sell"),
        ("1005", "2", "buy"),
        ("1005", "2", "buy"),
    ]
    assert trades[1]["traded_at"] == first["accepted_at"]
    ticker = get(venue, "/v1/markets/XAG-KRW/ticker")
    assert {name: ticker[name] for name in ("last", "open", "high", "low", "change")} == {
        "last": "990",
        "open": "1005",
        "high": "1005",
        "low": "990",
        "change": "-15",
    }
    assert (ticker["volume"], ticker["amount"], ticker["trades"]) == ("5", "5010.0000", 3)
    assert (ticker["bid"], ticker["ask"]) == ("990", "1005")
    for trader in pair:
        venue.engine.send(CancelAll(trader.account))


def test_market_data_are_built_again_when_valkey_lost_them(
    venue: Venue, pair: tuple[Trader, Trader]
) -> None:
    maker, taker = pair
    maker.place("sell", "1000", "3", instrument="XAG-KRW")
    order = taker.place("buy", "1000", "1", instrument="XAG-KRW")
    book = "/v1/markets/XAG-KRW/book"
    wait_until(lambda: int(get(venue, book)["sequence"]) >= int(order["order_id"]))
    targets = (book, "/v1/markets/XAG-KRW/trades", "/v1/markets/XAG-KRW/ticker")
    before = [get(venue, target) for target in targets]
    with Redis.from_url(venue.stack.urls["REDIS_URL"]) as valkey:
        valkey.flushall()
    last = taker.place("buy", "900", "1", instrument="XAG-KRW")
    wait_until(lambda: get(venue, targets[1]) == before[1])
    wait_until(lambda: int(get(venue, book)["sequence"]) >= int(last["order_id"]))
    assert get(venue, book)["asks"] == before[0]["asks"]
    assert get(venue, targets[2]) == before[2] | {"bid": "900"}
    for trader in pair:
        venue.engine.send(CancelAll(trader.account))


def test_trades_join_without_gap_or_overlap(venue: Venue, pair: tuple[Trader, Trader]) -> None:
    maker, taker = pair
    maker.place("sell", "1000", "5", instrument="XAG-KRW")
    for _ in range(5):
        last = taker.place("buy", "1000", "1", instrument="XAG-KRW")
    book, trades = "/v1/markets/XAG-KRW/book", "/v1/markets/XAG-KRW/trades"
    wait_until(lambda: int(get(venue, book)["sequence"]) >= int(last["order_id"]))
    whole = [one["trade_id"] for one in get(venue, f"{trades}?limit=5")["trades"]]
    first = get(venue, f"{trades}?limit=2")
    second = get(venue, f"{trades}?limit=3&cursor={first['next_cursor']}")
    assert [one["trade_id"] for one in first["trades"] + second["trades"]] == whole


def test_tickers_are_those_of_every_market(venue: Venue) -> None:
    tickers = get(venue, "/v1/tickers")["tickers"]
    markets = [market["symbol"] for market in get(venue, "/v1/markets")["markets"]]
    assert [ticker["symbol"] for ticker in tickers] == markets
    assert tickers[1] == get(venue, "/v1/markets/XAG-KRW/ticker")


def test_status_gives_the_engines_own_phases(venue: Venue) -> None:
    venue.engine.send(SetPhase(2, Phase.HALTED))
    try:
        status = get(venue, "/v1/status")
        assert status["engine"] == "ok" and int(status["sequence"]) > 0
        phases = {market["symbol"]: market["phase"] for market in status["markets"]}
        assert (phases["XAU-KRW"], phases["XAG-KRW"]) == ("continuous_24h", "halted")
        assert not any(market["stopped"] for market in status["markets"])
    finally:
        venue.engine.send(SetPhase(2, Phase.CONTINUOUS_24H))


def test_time_is_the_servers(venue: Venue) -> None:
    found = get(venue, "/v1/time")
    assert abs(found["unix"] - time.time()) < 5
    assert found["time"].endswith("Z") and len(found["time"]) == len(
        "2026-01-01T00:00:00.000000000Z"
    )


def test_health_names_every_part_and_follower(venue: Venue) -> None:
    # Nobody clears here, which health complains of once a fill has waited long enough.
    def ask() -> Any:
        return venue.send("GET", "/health").json

    wait_until(lambda: ask()["followers"]["projector"]["lag"] == 0)
    wait_until(lambda: {cause["part"] for cause in ask()["causes"]} <= {"clearing"})
    health = ask()
    assert (health["database"], health["valkey"]) == ("ok", "ok")
    assert int(health["engine"]["sequence"]) > 0
    names = {"projector", "snapshots", "ledger", "clearing", "marketdata", "candles"}
    assert set(health["followers"]) == names
    wait_until(lambda: ask()["followers"]["candles"]["lag"] == 0)


def test_openapi_describes_every_resource_and_its_page_is_served(venue: Venue) -> None:
    document = get(venue, "/v1/openapi.json")
    assert document["openapi"].startswith("3.1")
    paths = document["paths"]
    assert set(paths["/v1/orders"]) == {"get", "post", "delete"}
    assert "security" not in paths["/v1/time"]["get"] or {} in paths["/v1/time"]["get"]["security"]
    assert paths["/v1/orders"]["get"]["security"] == [{"signedRequest": []}]
    references = json.dumps(document).split('"#/components/schemas/')[1:]
    named = {reference.partition('"')[0] for reference in references}
    assert named <= set(document["components"]["schemas"])
    page = venue.send("GET", "/v1/docs")
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    for asset in (b"swagger-ui-bundle.js", b"swagger-ui.css"):
        address = page.body.split(asset)[0].rpartition(b'"')[2] + asset
        assert venue.send("GET", address.decode()).status == 200
