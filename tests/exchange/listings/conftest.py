"""The nine markets listed in a test database and a real engine."""

from pathlib import Path

import pytest

from custody.services import assets_register
from exchange.listings import services
from exchange.listings.defaults import default_listings
from exchange.listings.models import Instrument
from matching.client import EngineClient
from matching.protocol.commands import OpenAccount
from matching.protocol.queries import GetInstruments, Instruments, InstrumentState
from matching.protocol.units import AccountKind, Phase
from tests.bodies import *
from tests.compliance.desks import Desk, desk_open

REVENUE = 2


@pytest.fixture
def markets(engine_client: EngineClient, listed: dict[str, Instrument]) -> dict[str, Instrument]:
    """All default instruments by symbol, closed, in an engine that may open them."""
    engine_client.send(OpenAccount(REVENUE, REVENUE, AccountKind.REVENUE))
    return listed


@pytest.fixture
def listed(db: None, engine_client: EngineClient) -> dict[str, Instrument]:
    """All default instruments by symbol, closed."""
    assets_register()
    listed = [
        services.instrument_list(listing=each, actor="process:test") for each in default_listings()
    ]
    return {row.symbol: row for row in listed}


@pytest.fixture
def venue_desks(db: None, keys: Path) -> tuple[Desk, Desk]:
    """Two officers of the venue."""
    return desk_open("vera", "venue"), desk_open("walt", "venue")


def state_of(engine: EngineClient, row: Instrument) -> InstrumentState:
    reply = engine.ask(GetInstruments())
    assert isinstance(reply, Instruments)
    (state,) = [each for each in reply.instruments if each.definition.instrument == row.id]
    return state


def phase_of(engine: EngineClient, row: Instrument) -> Phase:
    return state_of(engine, row).phase
