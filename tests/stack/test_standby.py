"""Two engines under the supervisor: the market goes on when either dies, and it comes back."""

from signal import SIGKILL

from exchange.stack import Stack
from matching.client import EngineClient
from matching.protocol.commands import CancelAll
from matching.protocol.queries import GetStatus, Status
from tests.settings import SESSION_INSTANCE
from tests.waiting import wait_until


def _status(client: EngineClient) -> Status:
    status = client.ask(GetStatus())
    assert isinstance(status, Status)
    return status


def test_either_engine_leads_when_the_other_dies() -> None:
    name = f"{SESSION_INSTANCE.name}-standby"
    with Stack(name, processes=["engine"], standby=True, setup=(), durable=False) as stack:
        client = EngineClient(stack.instance.engine_socket)
        wait_until(lambda: _status(client).standby)
        for epoch in (1, 2):
            assert _status(client).epoch == epoch
            sequence = client.send(CancelAll(1)).sequence
            leader = "engine" if (epoch == 1) is _engine_led_first(stack) else "standby"
            assert stack.kill(leader) == -SIGKILL
            assert client.send(CancelAll(1)).sequence == sequence + 1
            stack.start(leader)
            wait_until(lambda: _status(client).standby)
        client.close()
        stack.erase()


def _engine_led_first(stack: Stack) -> bool:
    """Tell by the log of the first ready engine: which wins the first lease is chance."""
    return '"epoch":1,' in (stack.instance.logs / "engine.log").read_text()
