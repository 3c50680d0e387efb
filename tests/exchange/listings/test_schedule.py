"""Phases by the calendar, at given times: exact transitions, officers' acts, what was missed."""

from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path
from time import time_ns

import pytest
from django.db import IntegrityError, transaction
from pytest_django import DjangoAssertNumQueries

from compliance.models import Act, AuditRecord
from exchange.api.errors import Problem
from exchange.listings import selectors, services
from exchange.listings.calendars import Session, sessions_compute, trade_date
from exchange.listings.defaults import SEGMENTS
from exchange.listings.models import Calendar, Instrument, Segment, TradingSession
from exchange.listings.selectors import instrument_by_symbol, instruments, price_parse
from matching.client import EngineClient, engine
from matching.protocol.commands import SetKillSwitch, SetPhase
from matching.protocol.queries import (
    GetInstruments,
    GetSegments,
    Segments,
)
from matching.protocol.units import Phase
from tests.compliance.desks import Desk, act_approved
from tests.exchange.listings.conftest import phase_of, state_of

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SHARE, GOLD = "GDC-KRW", "XAU-KRW"
MICROSECOND = timedelta(microseconds=1)
# Far after any clock on which officers decide. A module's engine outlives its tests and takes no
# decision older than its last, so that each test has a week of its own.
_weeks = (date(2094, 6, 4) + timedelta(weeks=number) for number in count())


def kst(day: date, hour: int, minute: int = 0) -> datetime:
    """Return an hour of Seoul's clock, which has no summer time, in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(
        hours=hour - 9, minutes=minute
    )


@pytest.fixture
def days(markets: dict[str, Instrument], engine_client: EngineClient) -> tuple[date, date]:
    """A Friday and the Monday after, sessions of KRX; all is closed and scheduled until then."""
    friday = next(_weeks)
    monday = friday + timedelta(days=3)
    for day in (friday, monday):
        TradingSession.objects.create(
            calendar=Calendar.XKRX, date=day, opens_at=kst(day, 9), closes_at=kst(day, 15, 30)
        )
    Instrument.objects.update(scheduled_to=kst(friday, 0))
    for row in markets.values():
        engine_client.send(SetPhase(row.id, Phase.CLOSED))
    return friday, monday


def decide(desks: tuple[Desk, Desk], row: Instrument, phase: Phase, at: datetime) -> None:
    """Let two officers set a phase, approved at a time, and carry it out."""
    done = act_approved(*desks, "venue.set_phase", instrument=row.id, phase=int(phase))
    Act.objects.filter(id=done.id).update(decided_at=at)
    services.act_execute(act_id=done.id)
    assert Act.objects.get(id=done.id).state == Act.State.EXECUTED


def ends_at(engine: EngineClient, row: Instrument) -> datetime | None:
    """Return when the market's phase ends by itself."""
    found = state_of(engine, row).ends_at_ns
    return EPOCH + timedelta(microseconds=found // 1_000) if found else None


def test_market_enters_its_auctions_at_the_very_transition(
    markets: dict[str, Instrument], days: tuple[date, date], engine_client: EngineClient
) -> None:
    friday, _ = days
    share = markets[SHARE]
    # The engine's own clock stands long before, so that no auction ends by itself here.
    for at, phase, followed in (
        (kst(friday, 8, 30) - MICROSECOND, Phase.CLOSED, 0),
        (kst(friday, 8, 30), Phase.OPENING_AUCTION, 2),
        (kst(friday, 9), Phase.OPENING_AUCTION, 0),
        (kst(friday, 9, 5), Phase.CONTINUOUS, 2),
        (kst(friday, 9, 5), Phase.CONTINUOUS, 0),
        (kst(friday, 15, 20) - MICROSECOND, Phase.CONTINUOUS, 0),
        (kst(friday, 15, 20), Phase.CLOSING_AUCTION, 2),
        (kst(friday, 15, 30), Phase.CLOSING_AUCTION, 0),
        (kst(friday, 15, 35), Phase.CLOSED, 2),
    ):
        assert services.phases_schedule(now=at) == followed
        assert phase_of(engine_client, share) is phase
        ends = {Phase.OPENING_AUCTION: kst(friday, 9), Phase.CLOSING_AUCTION: kst(friday, 15, 30)}
        assert ends_at(engine_client, share) == ends.get(phase)
    assert phase_of(engine_client, markets[GOLD]) is Phase.CLOSED
    assert services.phases_schedule(now=kst(friday, 24)) == 7
    assert phase_of(engine_client, markets[GOLD]) is Phase.CONTINUOUS_24H
    passed = AuditRecord.objects.filter(
        action="instrument.transition_passed", subject=f"instrument:{SHARE}"
    )
    assert [record.detail["phase"] for record in passed.order_by("id")] == [
        *("OPENING_AUCTION", "CONTINUOUS", "CLOSING_AUCTION", "CLOSED")
    ]


def test_what_closed_for_the_day_is_not_opened_again_for_the_closing_auction(
    markets: dict[str, Instrument], days: tuple[date, date], engine_client: EngineClient
) -> None:
    friday, _ = days
    share = markets[SHARE]
    services.phases_schedule(now=kst(friday, 9, 5))
    engine_client.send(SetPhase(share.id, Phase.CLOSED))  # as a breaker's last stage does
    services.phases_schedule(now=kst(friday, 15, 20))
    assert phase_of(engine_client, share) is Phase.CLOSED


def test_interruption_of_a_24_hour_market_outlasts_midnight(
    markets: dict[str, Instrument], days: tuple[date, date], engine_client: EngineClient
) -> None:
    friday, _ = days
    gold = markets[GOLD]
    ends_at_ns = time_ns() + 3_600 * 10**9
    engine_client.send(SetPhase(gold.id, Phase.VOLATILITY_AUCTION, 0, ends_at_ns))
    assert services.phases_schedule(now=kst(friday, 24)) == 9
    assert phase_of(engine_client, gold) is Phase.VOLATILITY_AUCTION
    assert phase_of(engine_client, markets["XAG-KRW"]) is Phase.CONTINUOUS_24H


def test_segments_begin_their_day_once_all_their_markets_have(
    markets: dict[str, Instrument], days: tuple[date, date], engine_client: EngineClient
) -> None:
    friday, _ = days
    for listing in SEGMENTS:
        services.segment_list(listing=listing, actor="process:test")
    Segment.objects.update(scheduled_to=kst(friday, 0))
    assert services.sessions_begin(now=kst(friday, 8, 30)) == 0
    services.phases_schedule(now=kst(friday, 8, 30))
    assert services.sessions_begin(now=kst(friday, 8, 30)) == 1
    assert services.sessions_begin(now=kst(friday, 9)) == 0
    reply = engine_client.ask(GetSegments())
    assert isinstance(reply, Segments)
    metals, securities = reply.segments
    assert (metals.definition.stages, metals.closes_at_ns) == ((), 0)
    assert EPOCH + timedelta(microseconds=securities.closes_at_ns // 1_000) == kst(friday, 15, 30)
    # 71,500 KRW and 1,000 steps of 5 KRW.
    assert securities.base_index == securities.index == 71_500 + 5 * 1_000
    services.phases_schedule(now=kst(friday, 24))
    assert services.sessions_begin(now=kst(friday, 24)) == 1


def test_only_the_latest_counts_when_transitions_were_missed(
    markets: dict[str, Instrument], days: tuple[date, date], engine_client: EngineClient
) -> None:
    _, monday = days
    before = engine_client.ask(GetInstruments()).sequence
    assert services.phases_schedule(now=kst(monday, 16)) == 9
    assert phase_of(engine_client, markets[SHARE]) is Phase.CLOSED
    # The shares were closed already.
    assert engine_client.ask(GetInstruments()).sequence == before + 7
    row = Instrument.objects.get(symbol=SHARE)
    assert row.scheduled_to == kst(monday, 15, 35)


def test_opening_that_was_missed_is_made_up_for(
    markets: dict[str, Instrument], days: tuple[date, date], engine_client: EngineClient
) -> None:
    friday, _ = days
    assert services.phases_schedule(now=kst(friday, 11)) == 2
    assert phase_of(engine_client, markets[SHARE]) is Phase.CONTINUOUS


def test_officers_word_stands_until_the_next_transition(
    markets: dict[str, Instrument],
    days: tuple[date, date],
    engine_client: EngineClient,
    venue_desks: tuple[Desk, Desk],
) -> None:
    friday, monday = days
    share = markets[SHARE]

    act = partial(decide, venue_desks, share)
    services.phases_schedule(now=kst(friday, 16))
    act(Phase.CONTINUOUS, kst(friday, 20))  # a special session
    assert services.phases_schedule(now=kst(friday, 23)) == 0
    assert phase_of(engine_client, share) is Phase.CONTINUOUS
    act(Phase.CLOSED, kst(monday, 8, 31))  # decided before the schedule had looked
    services.phases_schedule(now=kst(monday, 8, 32))
    assert phase_of(engine_client, share) is Phase.CLOSED
    act(Phase.CLOSED, kst(monday, 9, 1))
    for at in (kst(monday, 9, 5), kst(monday, 15, 20), kst(monday, 15, 35)):
        services.phases_schedule(now=at)
    assert phase_of(engine_client, share) is Phase.CLOSED


def test_halted_market_stays_halted_until_officers_lift_it(
    markets: dict[str, Instrument],
    days: tuple[date, date],
    engine_client: EngineClient,
    venue_desks: tuple[Desk, Desk],
) -> None:
    friday, monday = days
    share = markets[SHARE]

    act = partial(decide, venue_desks, share)
    services.phases_schedule(now=kst(friday, 8, 30))
    act(Phase.HALTED, kst(friday, 8, 29))  # decided just before the auction, carried out after
    for at in (kst(friday, 15, 20), kst(friday, 15, 35), kst(monday, 8, 30)):
        services.phases_schedule(now=at)
        assert phase_of(engine_client, share) is Phase.HALTED
    act(Phase.CONTINUOUS, kst(monday, 11))
    assert phase_of(engine_client, share) is Phase.CONTINUOUS
    services.phases_schedule(now=kst(monday, 15, 20))
    assert phase_of(engine_client, share) is Phase.CLOSING_AUCTION


def test_officers_stop_a_market_and_release_it(
    markets: dict[str, Instrument], engine_client: EngineClient, venue_desks: tuple[Desk, Desk]
) -> None:
    gold = markets[GOLD]
    for engaged in (True, False):
        done = act_approved(
            *venue_desks, "venue.set_kill_switch", account=0, instrument=gold.id, engaged=engaged
        )
        if not engaged:  # a worker told the engine, and died
            engine_client.send(SetKillSwitch(0, gold.id, engaged))
        services.act_execute(act_id=done.id)
        assert Act.objects.get(id=done.id).state == Act.State.EXECUTED
        assert state_of(engine_client, gold).killed is engaged


def test_market_stays_closed_when_its_sessions_run_out(
    markets: dict[str, Instrument], days: tuple[date, date], engine_client: EngineClient
) -> None:
    _, monday = days
    services.phases_schedule(now=kst(monday, 8, 30))
    share, next_day = markets[SHARE], monday + timedelta(days=1)
    services.phases_schedule(now=kst(next_day, 9))
    assert phase_of(engine_client, share) is Phase.CLOSED
    TradingSession.objects.create(
        calendar=Calendar.XKRX,
        date=next_day,
        opens_at=kst(next_day, 10),
        closes_at=kst(next_day, 16, 30),
    )
    # An opening an hour late has its auction an hour later.
    assert services.phases_schedule(now=kst(next_day, 9, 29)) == 0
    assert services.phases_schedule(now=kst(next_day, 9, 31)) == 2
    assert phase_of(engine_client, share) is Phase.OPENING_AUCTION
    assert ends_at(engine_client, share) == kst(next_day, 10)


def test_transition_is_due_again_when_the_engine_is_away(
    markets: dict[str, Instrument],
    days: tuple[date, date],
    engine_client: EngineClient,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    friday, _ = days

    with monkeypatch.context() as patch:
        patch.setenv("NEXUS_ENGINE_SOCKET", str(tmp_path / "nobody"))
        engine.cache_clear()
        assert services.phases_schedule(now=kst(friday, 8, 30)) == 0
    engine.cache_clear()
    assert Instrument.objects.get(symbol=SHARE).scheduled_to == kst(friday, 0)
    assert services.phases_schedule(now=kst(friday, 8, 30)) == 2
    assert phase_of(engine_client, markets[SHARE]) is Phase.OPENING_AUCTION


def test_new_market_waits_for_its_next_session(
    markets: dict[str, Instrument], engine_client: EngineClient
) -> None:
    listed_at = Instrument.objects.get(symbol=GOLD).scheduled_to
    assert services.phases_schedule(now=listed_at) == 0
    assert phase_of(engine_client, markets[GOLD]) is not Phase.HALTED


def test_base_price_moves_the_band_in_rows_and_engine(
    markets: dict[str, Instrument], engine_client: EngineClient
) -> None:
    share = markets[SHARE]
    assert (share.price_ticks_low, share.price_ticks_high) == (50_100, 92_900)
    moved = services.instrument_rebase(
        instrument_id=share.id, base_price_ticks=90_000, actor="process:test"
    )
    assert (moved.price_ticks_low, moved.price_ticks_high) == (63_000, 117_000)
    assert moved.defined_sequence == engine_client.ask(GetInstruments()).sequence
    again = services.instrument_rebase(
        instrument_id=share.id, base_price_ticks=90_000, actor="process:test"
    )
    assert again.defined_sequence == moved.defined_sequence
    # The module's engine outlives this test's rows.
    services.instrument_rebase(
        instrument_id=share.id, base_price_ticks=71_500, actor="process:test"
    )


def test_price_is_judged_by_the_band_as_it_is_when_it_has_just_moved(
    markets: dict[str, Instrument], monkeypatch: pytest.MonkeyPatch
) -> None:
    share = markets[SHARE]
    terms = instruments(fresh=True)[SHARE]
    assert price_parse(terms, "92900") == 92_900
    with pytest.raises(Problem, match=r"price_outside_band.* outside 50100 to 92900"):
        price_parse(terms, "93000")
    with pytest.raises(Problem, match="price_invalid: price 71550 is not a multiple of 100"):
        price_parse(terms, "71550")
    services.instrument_rebase(
        instrument_id=share.id, base_price_ticks=90_000, actor="process:test"
    )
    monkeypatch.setattr(selectors, "RECENT_S", 0)
    assert price_parse(terms, "93000") == 93_000


def test_refusals_in_a_row_read_no_listing_that_is_recent(
    markets: dict[str, Instrument],
    monkeypatch: pytest.MonkeyPatch,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    monkeypatch.setattr(selectors, "RECENT_S", 3_600)
    monkeypatch.setattr(selectors, "KEPT_S", 3_600)
    terms = instruments(fresh=True)[SHARE]
    with django_assert_num_queries(0):
        for _ in range(100):
            with pytest.raises(Problem, match="price_outside_band"):
                price_parse(terms, "93000")
            with pytest.raises(Problem, match="unknown_instrument"):
                instrument_by_symbol("NONE-KRW")


def test_session_is_refused_by_the_database_when_it_is_doubled_or_ends_before_it_begins(
    db: None,
) -> None:
    friday = next(_weeks)

    def add(opens: datetime, closes: datetime) -> None:
        with transaction.atomic():
            TradingSession.objects.create(
                calendar="XKRX", date=friday, opens_at=opens, closes_at=closes
            )

    add(kst(friday, 9), kst(friday, 15))
    with pytest.raises(IntegrityError):
        add(kst(friday, 10), kst(friday, 15))
    TradingSession.objects.all().delete()
    with pytest.raises(IntegrityError):
        add(kst(friday, 10), kst(friday, 10))


def test_sessions_are_those_of_krx_and_stored_once(
    markets: dict[str, Instrument], monkeypatch: pytest.MonkeyPatch
) -> None:
    computed: list[tuple[str, date, date]] = []

    def compute(calendar: str, first: date, last: date) -> list[Session]:
        computed.append((calendar, first, last))
        return sessions_compute(calendar, first, last)

    monkeypatch.setattr("exchange.listings.services.sessions.sessions_compute", compute)
    today = date(2026, 1, 5)
    stored = services.sessions_store(today=today)
    assert stored == TradingSession.objects.count() > 250
    assert computed == [("XKRX", date(2025, 12, 22), date(2027, 2, 9))]
    days = list(TradingSession.objects.order_by("date").values_list("date", flat=True)[:8])
    # Christmas, the exchange's year-end, New Year's Day and two weekends are missing.
    assert [day.isoformat()[2:] for day in days] == [
        *("25-12-22", "25-12-23", "25-12-24", "25-12-26", "25-12-29", "25-12-30"),
        *("26-01-02", "26-01-05"),
    ]
    first = TradingSession.objects.get(date=date(2026, 1, 2))
    assert (first.opens_at, first.closes_at) == (kst(first.date, 10), kst(first.date, 15, 30))
    usual = TradingSession.objects.get(date=date(2026, 1, 5))
    assert (usual.opens_at, usual.closes_at) == (kst(usual.date, 9), kst(usual.date, 15, 30))
    assert services.sessions_store(today=today + timedelta(days=300)) == 0
    assert len(computed) == 1


def test_trade_date_is_seouls() -> None:
    assert trade_date(datetime(2026, 1, 1, 14, 59, 59, tzinfo=UTC)) == date(2026, 1, 1)
    assert trade_date(datetime(2026, 1, 1, 15, tzinfo=UTC)) == date(2026, 1, 2)
