"""Whether the exchange can work now: its parts, and how far its followers are behind the engine."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Literal

import msgspec
import redis
from django.db import DatabaseError
from rest_framework.request import Request
from rest_framework.response import Response

from custody.selectors import ledger_position
from exchange.api.schema import documented
from exchange.api.valkey import valkey
from exchange.api.views import PublicView
from exchange.marketdata.store import position_read
from exchange.trading.selectors import projector_position
from matching.client import EngineUnavailable, engine
from matching.protocol.queries import GetStatus, Status
from settlement.selectors import obligations_position

PartState = Literal["ok", "unavailable"]


class EngineHealth(msgspec.Struct, frozen=True):
    """The engine's last sequence number, the last one published, and whether a standby follows."""

    sequence: str
    published_sequence: str
    epoch: int
    standby: bool


class FollowerHealth(msgspec.Struct, frozen=True):
    """A follower's position, and by how many commands it is behind; null when unknown."""

    position: str | None
    lag: int | None


class Health(msgspec.Struct, frozen=True):
    """`status` is unavailable (503) when a part is; what lags shows under `followers`."""

    status: PartState
    engine: EngineHealth | None
    database: PartState
    valkey: PartState
    followers: dict[str, FollowerHealth]


_POSITIONS: dict[str, Callable[[], int | None]] = {
    "projector": projector_position,
    "ledger": ledger_position,
    "clearing": obligations_position,
    "marketdata": position_read,
}


class HealthView(PublicView):
    @documented("get_health", "Get the state of all parts", answer=Health, also=(503,))
    def get(self, request: Request) -> Response:
        status = _engine_status()
        positions = {name: _position(read) for name, read in _POSITIONS.items()}
        database: PartState = "unavailable" if positions["projector"] is None else "ok"
        cache: PartState = "ok" if _valkey_answers() else "unavailable"
        up = status is not None and database == cache == "ok"
        return Response(
            Health(
                status="ok" if up else "unavailable",
                engine=_engine_health(status),
                database=database,
                valkey=cache,
                followers={
                    name: FollowerHealth(
                        None if position is None else str(position),
                        None
                        if position is None or status is None
                        else max(0, status.sequence - position),
                    )
                    for name, position in positions.items()
                },
            ),
            status=HTTPStatus.OK if up else HTTPStatus.SERVICE_UNAVAILABLE,
        )


def _engine_status() -> Status | None:
    try:
        status = engine().ask(GetStatus())
    except EngineUnavailable:
        return None
    assert isinstance(status, Status)
    return status


def _engine_health(status: Status | None) -> EngineHealth | None:
    if status is None:
        return None
    return EngineHealth(
        str(status.sequence), str(status.published_sequence), status.epoch, status.standby
    )


def _position(read: Callable[[], int | None]) -> int | None:
    try:
        return read()
    except (DatabaseError, redis.RedisError):
        return None


def _valkey_answers() -> bool:
    try:
        return bool(valkey().ping())
    except redis.RedisError:
        return False
