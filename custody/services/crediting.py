"""Credits in the engine, which every way into the house ends with."""

from custody.errors import Conflict
from matching.client import engine
from matching.protocol.commands import Credit
from matching.protocol.events import Credited, ReferenceRepeated


def engine_credit(*, account: int, asset: int, amount_units: int, reference: str) -> int:
    """Credit units once under a reference, however often; return the credit's sequence number.

    Raises `EngineUnavailable`, `Conflict` when the engine refuses.
    """
    answer = engine().send(Credit(account, asset, amount_units, reference))
    event = answer.events[0]
    if isinstance(event, Credited):
        return answer.sequence
    if isinstance(event, ReferenceRepeated):
        return event.sequence
    raise Conflict(f"engine refused the credit {reference}: {event}")
