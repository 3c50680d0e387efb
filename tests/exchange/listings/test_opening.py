"""A market that officers open before its engine can: opened as soon as it can."""

from compliance.selectors import act_get
from exchange.listings import services
from exchange.listings.models import Instrument
from matching.client import EngineClient
from matching.protocol.commands import OpenAccount
from matching.protocol.queries import GetInstruments, Instruments
from matching.protocol.units import AccountKind, Phase
from tests.compliance.desks import Desk, act_approved
from tests.exchange.listings.conftest import REVENUE


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
    reply = engine_client.ask(GetInstruments())
    assert isinstance(reply, Instruments)
    phases = {each.definition.instrument: each.phase for each in reply.instruments}
    assert phases[gold.id] is Phase.CONTINUOUS
