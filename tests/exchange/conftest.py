"""One exchange without a chain for the doors' tests, with members who come new to each test."""

import http.client
import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from exchange.members.signing import request_sign
from exchange.stack import Stack
from exchange.stack.instance import REPOSITORY
from matching.client import EngineClient
from matching.protocol.commands import Credit
from matching.protocol.queries import GetStatus, Status
from tests.settings import SESSION_INSTANCE

MEMBERS = 110
PROCESSES = ("engine", "snapshots", "projector", "marketdata", "web")


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The stable code of a problem document, which this must be."""
        assert self.headers["content-type"] == "application/problem+json", self
        problem = self.json
        assert problem["status"] == self.status, problem
        assert set(problem) == {"type", "title", "status", "detail", "code", "instance"}
        return str(problem["code"])


@dataclass(frozen=True)
class Trader:
    """A member with an API key, and a connection for each request."""

    venue: "Venue"
    account: int
    access_key: str
    secret: str
    holder: int = 0

    def send(
        self, method: str, target: str, body: Any = None, *, headers: dict[str, str] | None = None
    ) -> Answer:
        """Send a signed request; `body` is sent as JSON, or as it is when bytes."""
        raw = (
            body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        )
        signed = {"Authorization": self.sign(method, target, raw)} | (headers or {})
        if raw:
            signed.setdefault("Content-Type", "application/json")
        return self.venue.send(method, target, raw, signed)

    def sign(self, method: str, target: str, body: bytes = b"", **options: Any) -> str:
        """Return the Authorization header of a request."""
        path, _, query = target.partition("?")
        return request_sign(self.access_key, self.secret, method, path, query, body, **options)

    def get(self, target: str) -> Any:
        answer = self.send("GET", target)
        assert answer.status == 200, answer
        return answer.json

    def order(self, side: str, price: str | None, quantity: str, **fields: Any) -> dict[str, Any]:
        """Return the body of an order with a fresh client order id."""
        order = {
            "client_order_id": uuid4().hex,
            "instrument": "XAU-KRW",
            "side": side,
            "quantity": quantity,
            **({} if price is None else {"price": price}),
        }
        return order | fields

    def place(self, side: str, price: str | None, quantity: str, **fields: Any) -> Any:
        answer = self.send("POST", "/v1/orders", self.order(side, price, quantity, **fields))
        assert answer.status == 201, answer
        return answer.json

    def fund(self, *, krw: int = 0, xau_mg: int = 0) -> "Trader":
        """Credit whole KRW and milligrams of gold."""
        for asset, units in ((1, krw * 10_000), (2, xau_mg)):
            if units:
                self.venue.engine.send(Credit(self.account, asset, units, f"test:{uuid4().hex}"))
        return self


@dataclass
class Venue:
    stack: Stack
    engine: EngineClient
    members: list[dict[str, Any]] = field(default_factory=list)
    keys: dict[str, dict[str, Any]] = field(default_factory=dict)

    def trader(self) -> Trader:
        """Return a member whom no test has met."""
        assert self.members, "prepare more members"
        return Trader(venue=self, **self.members.pop())

    def with_key(self, kind: str) -> Trader:
        """Return somebody with a special key: reading, trading, revoked, expired, suspended."""
        return Trader(venue=self, **self.keys[kind])

    @property
    def address(self) -> tuple[str, int]:
        parts = urlsplit(self.stack.web_url)
        assert parts.hostname and parts.port
        return parts.hostname, parts.port

    def send(
        self, method: str, target: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> Answer:
        connection = http.client.HTTPConnection(*self.address, timeout=10)
        try:
            connection.request(method, target, body=body or None, headers=headers or {})
            response = connection.getresponse()
            names = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, names, response.read())
        finally:
            connection.close()

    def send_raw(self, message: bytes) -> Answer:
        """Send bytes as they are; return the first answer."""
        with socket.create_connection(self.address, timeout=10) as connection:
            connection.sendall(message)
            response = http.client.HTTPResponse(connection)
            response.begin()
            names = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, names, response.read())

    def status(self) -> Status:
        """Return the engine's status with its state hash."""
        status = self.engine.ask(GetStatus(with_state_hash=True))
        assert isinstance(status, Status)
        return status


@pytest.fixture(scope="session")
def make_venue() -> Iterator[Callable[..., Venue]]:
    """Make exchanges without a chain; gone with the session."""
    made: list[Stack] = []

    def make(name: str, *, members: int) -> Venue:
        stack = Stack(
            f"{SESSION_INSTANCE.name}-{name}",
            processes=PROCESSES,
            setup=("migrate",),
            durable=False,
        )
        made.append(stack)
        stack.__enter__()
        prepared = subprocess.run(
            [sys.executable, "-m", "tests.exchange.prepare", str(members)],
            env=stack.env,
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        engine = EngineClient(stack.instance.engine_socket)
        return Venue(stack, engine, **json.loads(prepared.stdout))

    yield make
    for stack in made:
        stack.erase()


@pytest.fixture(scope="session")
def venue(make_venue: Callable[..., Venue]) -> Venue:
    """The exchange that tests share: break nothing, bring traders of your own."""
    return make_venue("venue", members=MEMBERS)


@pytest.fixture
def trader(venue: Venue) -> Trader:
    """A member with a million KRW and 100 g of gold."""
    return venue.trader().fund(krw=100_000_000, xau_mg=100_000)
