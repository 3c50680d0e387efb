"""`python -m matching explain`: an order's life as an auditor reads it."""

import sys
from pathlib import Path

import msgspec
import pytest

from matching.__main__ import main
from matching.protocol.commands import (
    AmendOrder,
    CancelOrder,
    Credit,
    FillRoute,
    HoldRoute,
    OpenAccount,
    OrderTerms,
    SetEligibility,
    SetPhase,
)
from matching.protocol.events import AnyEvent, Filled
from matching.protocol.units import AccountKind, CancelReason, OrderKind, Phase, SelfTradePrevention
from matching.runtime.explain import Life, explain
from matching.runtime.explain.sentences import (
    OF_ACCOUNT,
    OF_INSTRUMENT,
    REASONS,
    SENTENCES,
    order_id_fields,
)
from matching.snapshot import write_snapshot
from tests.matching.market import (
    ALICE,
    ALICE_TOO,
    BOB,
    BUY,
    CAROL,
    FUNDS,
    GOLD,
    IOC,
    KRW,
    SELL,
    Market,
    gold,
    order,
)
from tests.matching.runtime.test_replay import INSTANCE, journal_written

MINE = "mine"
MIRROR = 77


def _lives(market: Market, tmp_path: Path, name: str) -> list[Life]:
    journal_written(tmp_path, market.log)
    return explain(tmp_path, name)


def _told(life: Life) -> list[tuple[int, str, str]]:
    return [(each.sequence, each.what, each.standing) for each in life.moments]


def test_order_tells_what_stood_before_it_and_what_that_became(
    market: Market, tmp_path: Path
) -> None:
    market.do(gold(maker_fee_ppm=1_000, taker_fee_ppm=2_000))
    market.rest(CAROL, BUY, 90, 1)
    cancelled = market.rest(ALICE, SELL, 100, 5)
    amended = market.rest(BOB, SELL, 100, 7)
    better = market.rest(BOB, SELL, 99, 3)
    market.rest(BOB, SELL, 101, 9)
    mine = market.rest(CAROL, SELL, 100, 6, client_order_id=MINE)
    market.rest(BOB, SELL, 100, 8)
    market.amend(BOB, amended, 100, 4)
    market.place(ALICE, BUY, 99, 3)
    market.cancel(ALICE, cancelled)
    market.place(ALICE, BUY, 100, 6)
    came = market.engine.sequence

    (life,) = _lives(market, tmp_path, f"{CAROL}:{MINE}")
    assert (life.order_id, life.account, life.instrument) == (mine, CAROL, GOLD)
    assert life.asked["price_ticks"] == 100 and life.asked["time_in_force"] == "GTC"
    assert (life.best_bid_ticks, life.best_ask_ticks, life.phase) == (90, 99, "CONTINUOUS")
    queued = "12 lots of 2 orders at 100 and 3 lots of 1 order at better prices"
    assert _told(life) == [
        (
            mine,
            "Accepted.",
            f"Rests with 6 lots behind {queued}; the best bid is 90, beyond its limit 100.",
        ),
        (
            came,
            f"Sold 2 lots at 100 as maker against order {came} of account {ALICE}, 4 remain.",
            "Rests with 4 lots; the best bid is 90, beyond its limit 100.",
        ),
    ]
    (queue,) = life.queues
    assert [
        (each.order_id, each.lots, each.filled_lots, each.reduced_lots, each.became)
        for each in queue.ahead
    ] == [
        (better, 3, 3, 0, "filled"),
        (cancelled, 5, 0, 0, "cancelled with 5 lots open: it was asked for"),
        (amended, 7, 4, 3, "filled"),
    ]
    (fill,) = life.fills
    assert (fill.role, fill.price_ticks, fill.lots, fill.remaining_lots) == ("maker", 100, 2, 4)
    assert (fill.fee_units, fill.counter_order_id, fill.counter_account) == (2, came, ALICE)
    assert (life.state, life.remaining_lots) == ("open", 4)
    assert life.standing == (
        "Rests with 4 lots, first in the queue; the best bid is 90, beyond its limit 100."
    )


def test_times_are_those_of_seoul_and_utc(market: Market, tmp_path: Path) -> None:
    mine = market.rest(CAROL, SELL, 100, 6)
    (life,) = _lives(market, tmp_path, str(mine))
    assert life.moments[0].seoul == f"2026-09-21 23:13:20.{mine:09d}"
    assert life.moments[0].utc == f"2026-09-21 14:13:20.{mine:09d}"


def test_amend_without_priority_begins_a_queue_anew(market: Market, tmp_path: Path) -> None:
    mine = market.rest(CAROL, SELL, 100, 6)
    other = market.rest(BOB, SELL, 101, 2)
    market.amend(CAROL, mine, 100, 5)
    market.amend(CAROL, mine, 101, 5)
    market.do(AmendOrder(CAROL, mine, 101, 5))
    market.amend(BOB, other, 102, 2)
    (life,) = _lives(market, tmp_path, str(mine))
    assert [what for _, what, _ in _told(life)] == [
        "Accepted.",
        "Amended to 5 lots at 100, priority kept.",
        "Amended to 5 lots at 101, priority lost.",
        f"Refused as unchanged: order {mine} is 5 lots at 101 already.",
    ]
    first, second = life.queues
    assert first.ahead == []
    assert [(each.order_id, each.became) for each in second.ahead] == [
        (other, "amended to 2 lots at 102, priority lost")
    ]
    assert life.standing == "Rests with 5 lots, first in the queue; there is no bid."


def test_immediate_order_tells_why_the_rest_did_not_trade(market: Market, tmp_path: Path) -> None:
    market.rest(ALICE, SELL, 100, 2)
    market.rest(ALICE, SELL, 103, 2)
    market.place(BOB, BUY, 101, 5, time_in_force=IOC)
    (life,) = _lives(market, tmp_path, str(market.engine.sequence))
    ((_, what, standing),) = _told(life)
    assert what.startswith("Accepted; bought 2 lots at 100 as taker against order ")
    assert what.endswith("cancelled with 3 lots open: what did not trade at once was not to rest.")
    assert standing == "The best ask is 103, beyond its limit 101."
    assert (life.state, life.queues) == ("cancelled", [])


@pytest.mark.parametrize("prevention", SelfTradePrevention)
def test_self_trade_prevention_names_the_other_order(
    market: Market, tmp_path: Path, prevention: SelfTradePrevention
) -> None:
    older = market.rest(ALICE, SELL, 100, 2)
    market.place(ALICE_TOO, BUY, 100, 5, self_trade_prevention=prevention)
    newer = market.engine.sequence
    journal_written(tmp_path, market.log)
    for order_id, other in ((older, newer), (newer, older)):
        (life,) = explain(tmp_path, str(order_id))
        said = " ".join(each.what for each in life.moments)
        spared = (
            SelfTradePrevention.CANCEL_NEWEST
            if order_id == older
            else (SelfTradePrevention.CANCEL_OLDEST)
        )
        expected = prevention is not spared
        assert (f"against order {other} of the same holder" in said) is expected, said


def test_cancellation_tells_its_reason_and_the_command_that_caused_it(
    market: Market, tmp_path: Path
) -> None:
    mine = market.rest(CAROL, SELL, 100, 6)
    market.do(SetPhase(GOLD, Phase.HALTED))
    market.do(SetEligibility(102, 9, 0))
    market.do(CancelOrder(CAROL, mine))
    (life,) = _lives(market, tmp_path, str(mine))
    assert [(each.command, each.what, each.standing) for each in life.moments[1:]] == [
        (
            "SetPhase",
            "The market's phase became HALTED.",
            "Waits with 6 lots: nothing trades while the phase is HALTED.",
        ),
        (
            "SetEligibility",
            "Cancelled with 6 lots open: a new rule or the holder's eligibility forbids it.",
            "There is no bid.",
        ),
        (
            "CancelOrder",
            f"Refused as unknown_order: account {CAROL} has no open order {mine}.",
            "",
        ),
    ]
    assert life.standing == ""


def test_refused_and_repeated_orders_are_told_under_their_name(
    market: Market, tmp_path: Path
) -> None:
    market.do(order(CAROL, SELL, 0, 6, client_order_id=MINE))
    refused = market.engine.sequence
    mine = market.rest(CAROL, SELL, 100, 6, client_order_id=MINE)
    market.do(order(CAROL, SELL, 100, 6, client_order_id=MINE))
    market.do(order(CAROL, SELL, 100, 7, client_order_id=MINE))
    market.do(CancelOrder(CAROL, 0, MINE))
    first, second = _lives(market, tmp_path, f"{CAROL}:{MINE}")
    assert (first.state, first.order_id, first.queues) == ("refused", 0, [])
    ((sequence, what, _),) = _told(first)
    assert (sequence, what.split(":")[0]) == (refused, "Refused as price_invalid")
    assert (second.state, second.order_id) == ("cancelled", mine)
    assert [each.what.split(":")[0] for each in second.moments] == [
        "Accepted.",
        "The same order came again and was answered by this one.",
        "Refused as client_order_id_reused",
        "Cancelled with 6 lots open",
    ]
    assert explain(tmp_path, str(mine)) == [second]
    assert explain(tmp_path, str(refused))[0].moments == first.moments
    with pytest.raises(LookupError, match=f"repeated order {mine}"):
        explain(tmp_path, str(mine + 1))


def test_stop_order_tells_when_it_became_active(market: Market, tmp_path: Path) -> None:
    market.do(gold(base_price_ticks=100))
    terms = OrderTerms(stop_price_ticks=95)
    market.place(CAROL, SELL, 0, 5, kind=OrderKind.STOP, terms=terms)
    mine = market.engine.sequence
    bid = market.rest(ALICE, BUY, 95, 4)
    market.place(BOB, SELL, 95, 1)
    (life,) = _lives(market, tmp_path, str(mine))
    (_, parked, waiting), (_, active, standing) = _told(life)
    assert parked == "Accepted; waits outside the book for a last price of 95."
    assert waiting == "Waits with 5 lots outside the book."
    assert active == (
        f"Became active as MARKET; sold 3 lots at 95 as taker against order {bid} of account "
        f"{ALICE}, 2 remain; cancelled with 2 lots open: what did not trade at once was not to "
        f"rest."
    )
    assert (standing, life.state) == ("There is no bid.", "cancelled")


def test_order_in_an_auction_tells_how_it_ended(market: Market, tmp_path: Path) -> None:
    market.phase(Phase.OPENING_AUCTION)
    mine = market.rest(CAROL, SELL, 100, 5)
    low = market.rest(CAROL, SELL, 110, 5)
    market.rest(BOB, BUY, 100, 3)
    market.phase(Phase.CONTINUOUS)
    (life,) = _lives(market, tmp_path, str(mine))
    (_, what, standing), (_, ended, after) = _told(life)
    assert (what, standing) == ("Accepted.", "Waits with 5 lots for the auction's end.")
    assert ended.startswith("The auction ended: 3 lots traded at 100; sold 3 lots at 100 as ")
    assert ended.endswith("2 remain; the market's phase became CONTINUOUS.")
    assert after == "Rests with 2 lots; there is no bid."
    (other,) = explain(tmp_path, str(low))
    assert other.moments[1].what == (
        "The auction ended: 3 lots traded at 100; the market's phase became CONTINUOUS."
    )


def test_iceberg_and_route_tell_what_is_seen_and_what_went_out(
    market: Market, tmp_path: Path
) -> None:
    ice = market.rest(CAROL, SELL, 100, 5, terms=OrderTerms(display_lots=2))
    routed = market.rest(ALICE, SELL, 101, 5)
    market.place(BOB, BUY, 100, 2)
    came = market.engine.sequence
    market.do(OpenAccount(MIRROR, 903, AccountKind.MIRROR))
    market.do(Credit(MIRROR, KRW, FUNDS, "mirror"))
    market.do(HoldRoute(ALICE, routed, GOLD, SELL, 101, 3, 0, "route-1"))
    market.do(FillRoute("route-1", MIRROR, 101, 2, 0, "theirs-1"))
    (life,) = _lives(market, tmp_path, str(ice))
    assert life.moments[1].what == (
        f"Sold 2 lots at 100 as maker against order {came} of account {BOB}, 3 remain; "
        f"shows 2 lots anew, behind all others of its price."
    )
    (out,) = explain(tmp_path, str(routed))
    assert sorted(out.moments[1].what.rstrip(".").lower().split("; ")) == [
        "3 lots taken off without a fill, 2 remain",
        "3 lots went out to a partner exchange as route route-1",
    ]
    assert out.moments[2].what == (
        "Sold 2 lots at 101 at a partner exchange, 1 are still out there."
    )
    assert (out.state, out.remaining_lots) == ("open", 2)


def test_life_is_the_same_from_a_snapshot(market: Market, tmp_path: Path) -> None:
    market.rest(BOB, SELL, 100, 1)
    write_snapshot(tmp_path, INSTANCE, market.engine)
    mine = market.rest(CAROL, SELL, 100, 6, client_order_id=MINE)
    (by_name,) = _lives(market, tmp_path, f"{CAROL}:{MINE}")
    (by_id,) = explain(tmp_path, str(mine))
    assert by_id == by_name


@pytest.mark.parametrize(
    ("name", "error"),
    [("no", ValueError), ("4:", ValueError), ("x:y", ValueError), ("999", LookupError)],
)
def test_what_names_no_order_is_refused(
    market: Market, tmp_path: Path, name: str, error: type[Exception]
) -> None:
    with pytest.raises(error, match=name):
        _lives(market, tmp_path, name)


def test_every_event_about_orders_has_a_sentence() -> None:
    about = {
        kind
        for kind in AnyEvent.__args__
        if order_id_fields(kind) or kind in OF_ACCOUNT | OF_INSTRUMENT
    }
    assert about - {Filled} <= SENTENCES.keys()
    assert set(CancelReason) == REASONS.keys()


def test_life_is_shown_to_a_person_and_to_machines(
    market: Market,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for price in range(100, 130):
        market.rest(BOB, SELL, price, 1)
    mine = market.rest(CAROL, SELL, 200, 6)
    journal_written(tmp_path, market.log)
    arguments = ["matching", "explain", str(mine), "--journal", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", arguments)
    assert main() == 0
    shown = capsys.readouterr().out
    assert f"Order {mine} of account {CAROL}" in shown
    assert (
        "Rests with 6 lots behind 30 lots of 30 orders at better prices; there is no bid." in shown
    )
    assert "and 10 before these" in shown
    monkeypatch.setattr(sys, "argv", [*arguments, "--json"])
    assert main() == 0
    lives = msgspec.json.decode(capsys.readouterr().out, type=list[Life])
    assert lives == explain(tmp_path, str(mine))
    assert len(lives[0].queues[0].ahead) == 30
