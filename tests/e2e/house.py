"""A whole exchange with members in it, and what tests ask of it from outside."""

import json
from dataclasses import dataclass, field
from typing import Any

import psycopg
import requests

from exchange.demo.trader import Trader
from exchange.stack import Stack
from matching.client import EngineClient
from matching.protocol.queries import Balances, GetBalances, GetStatus, Status
from tests.waiting import wait_until

SETTLE_TIMEOUT_S = 60


@dataclass
class House:
    """One running exchange; `traders` are funded members of an open market."""

    stack: Stack
    traders: list[Trader] = field(default_factory=list)
    worker_log_offset: int = 0

    @classmethod
    def peopled(cls, stack: Stack, *names: str) -> "House":
        """Bring members with these names into the exchange by its own services."""
        named = [argument for name in names for argument in ("--member", name)]
        made = json.loads(stack.manage("demo_market", "--url", stack.web_url, *named).stdout)
        return cls(stack, [Trader(stack.web_url, **member) for member in made])

    @property
    def engine(self) -> EngineClient:
        return EngineClient(self.stack.instance.engine_socket)

    def status(self, *, with_state_hash: bool = False) -> Status:
        """Ask the engine for its status."""
        status = self.engine.ask(GetStatus(with_state_hash))
        assert isinstance(status, Status)
        return status

    def units(self, account: int, asset: int) -> int:
        """Return what the engine keeps for an account, held units included."""
        reply = self.engine.ask(GetBalances(account))
        assert isinstance(reply, Balances)
        return sum(b.available_units + b.held_units for b in reply.balances if b.asset == asset)

    def query(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Read from the database."""
        with psycopg.connect(self.stack.urls["DATABASE_URL"], autocommit=True) as connection:
            cursor = connection.execute(sql, parameters)
            return cursor.fetchall() if cursor.description else []

    def projected(self) -> None:
        """Wait until the projector has passed what the engine has applied."""
        wait_until(self._is_projected, timeout_s=SETTLE_TIMEOUT_S)

    def chain(self, method: str, *parameters: Any) -> Any:
        """Call the EVM node."""
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}
        answer = requests.post(self.stack.urls["CHAIN_URL"], json=request, timeout=10).json()
        assert "error" not in answer, answer
        return answer["result"]

    def settled(self) -> None:
        """Wait until every fill of the engine is projected and final on chain."""
        wait_until(self._is_settled, timeout_s=SETTLE_TIMEOUT_S)

    def _is_projected(self) -> bool:
        self.stack.tend()
        ((sequence,),) = self.query("SELECT sequence FROM trading_projectorposition")
        return bool(sequence >= self.status().sequence)

    def _is_settled(self) -> bool:
        self.stack.tend()
        fills = self.status().fills
        ((projected, settled),) = self.query(
            "SELECT (SELECT count(*) FROM trading_fill), (SELECT coalesce(sum(fills), 0)"
            " FROM settlement_batch WHERE state = 'confirmed')"
        )
        return bool(fills == projected == settled)

    def reconcile(self) -> tuple[int, dict[str, Any]]:
        """Compare all books; return the command's exit status and its report."""
        done = self.stack.manage("reconcile", check=False)
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)

    def agrees(self) -> None:
        """Assert that no two books differ."""
        status, report = self.reconcile()
        assert (status, report["mismatches"]) == (0, [])
