"""Orders over the wire: real server, engine, database, projector."""

from tests.exchange.conftest import Trader


def test_order_rests_and_is_read_back_when_nothing_matches(trader: Trader) -> None:
    placed = trader.place("buy", "95000", "0.05")
    assert (placed["state"], placed["remaining_quantity"]) == ("open", "0.05")
    assert trader.get(f"/v1/orders/{placed['order_id']}") == placed
