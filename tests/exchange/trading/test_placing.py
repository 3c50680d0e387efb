"""The orders of a moment, placed together: each stands for itself."""

import asyncio

import pytest
from django.http import HttpResponse

from custody.services import assets_register
from exchange.listings import selectors as listings
from exchange.listings import services
from exchange.listings.defaults import default_listings
from exchange.trading.api import serializers, shapes, views
from exchange.trading.projection import OrderRecord
from matching.client import EngineClient
from matching.protocol.commands import Credit, OpenAccount, SetEligibility, SetPhase
from matching.protocol.queries import GetOpenOrders, OpenOrders
from matching.protocol.units import AccountKind, InstrumentClass, Phase
from tests.bodies import *

REVENUE, ALICE = 2, 3


@pytest.fixture
def gold(db: None, engine_client: EngineClient) -> str:
    """The symbol of an open market, in which ALICE may buy."""
    assets_register()
    (listing,) = [each for each in default_listings() if each.symbol == "XAU-KRW"]
    row = services.instrument_list(listing=listing, actor="process:test")
    for command in (
        OpenAccount(REVENUE, REVENUE, AccountKind.REVENUE),
        OpenAccount(ALICE, ALICE),
        SetEligibility(ALICE, 1, InstrumentClass.METAL),
        Credit(ALICE, row.quote_asset_id, 10**12, "in"),
        SetPhase(row.id, Phase.CONTINUOUS),
    ):
        engine_client.send(command)
    return listings.instruments(fresh=True)[row.symbol].symbol


def test_order_that_cannot_be_shown_fails_alone(
    gold: str, engine_client: EngineClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    show = serializers.order_show

    def faulty(order: OrderRecord) -> shapes.Order:
        if order.client_order_id == "2":
            raise KeyError(order.instrument)
        return show(order)

    monkeypatch.setattr(serializers, "order_show", faulty)
    wishes = [shapes.PlaceOrder(name, gold, "buy", "0.01", price="190000") for name in "123"]
    first, second, third = asyncio.run(views._orders_place([(ALICE, wish) for wish in wishes]))
    assert isinstance(first, HttpResponse) and isinstance(third, HttpResponse)
    assert (first.status_code, third.status_code) == (201, 201)
    assert isinstance(second, KeyError)
    resting = engine_client.ask(GetOpenOrders(ALICE))
    assert isinstance(resting, OpenOrders)
    assert [each.client_order_id for each in resting.orders] == ["1", "2", "3"]
