"""Markets that open late, and those that the engine opens by itself at the auction's end."""

from datetime import UTC, datetime, timedelta

from compliance.selectors import act_get
from exchange.listings import services
from exchange.listings.models import Calendar, Instrument, TradingSession
from matching.client import EngineClient
from matching.protocol.commands import OpenAccount
from matching.protocol.units import AccountKind, Phase
from tests.compliance.desks import Desk, act_approved
from tests.exchange.listings.conftest import REVENUE, phase_of, state_of
from tests.waiting import wait_until


def test_opening_waits_when_the_revenue_account_is_not_open_yet(
    listed: dict[str, Instrument], engine_client: EngineClient, venue_desks: tuple[Desk, Desk]
) -> None:
    gold = listed["XAU-KRW"]
    act = act_approved(
        *venue_desks, "venue.set_phase", instrument=gold.id, phase=int(Phase.CONTINUOUS)
    )
    services.act_execute(act_id=act.id)
    waiting = act_get(act.id)
    assert (waiting.state, waiting.attempts) == ("approved", 1)

    engine_client.send(OpenAccount(REVENUE, REVENUE, AccountKind.REVENUE))
    services.act_execute(act_id=act.id)
    assert act_get(act.id).state == "executed"
    assert phase_of(engine_client, gold) is Phase.CONTINUOUS


def test_engine_ends_the_auctions_by_itself_and_the_schedule_keeps_out(
    markets: dict[str, Instrument], engine_client: EngineClient
) -> None:
    share = markets["GDC-KRW"]
    now = datetime.now(UTC)
    opens_at = now + timedelta(milliseconds=300)
    TradingSession.objects.create(
        calendar=Calendar.XKRX,
        date=opens_at.date(),
        opens_at=opens_at,
        closes_at=opens_at + timedelta(hours=6),
    )
    without_random_end(markets)
    Instrument.objects.update(scheduled_to=now - timedelta(hours=1))
    services.phases_schedule(now=now)
    assert phase_of(engine_client, share) is Phase.OPENING_AUCTION
    wait_until(lambda: phase_of(engine_client, share) is Phase.CONTINUOUS)
    before = state_of(engine_client, share)
    assert services.phases_schedule(now=opens_at + timedelta(minutes=5)) == 2
    assert state_of(engine_client, share) == before


def without_random_end(markets: dict[str, Instrument]) -> None:
    for symbol in ("GDC-KRW", "CTB-KRW"):
        Instrument.objects.filter(symbol=symbol).update(random_end_ns=0)
        services.instrument_define(instrument_id=markets[symbol].id)
