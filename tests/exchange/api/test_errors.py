"""Every code of engine and door has one HTTP status, and every fault one document."""

import msgspec
import pytest
import redis
from django.core.exceptions import SuspiciousOperation
from django.db import OperationalError
from django.http import Http404
from rest_framework.exceptions import APIException, MethodNotAllowed, Throttled

from exchange.api.errors import STATUS, DoorCode, Problem
from exchange.api.problems import problem_document, problem_of
from matching.client import EngineUnavailable
from matching.protocol.refusals import Refusal


def test_every_code_has_a_status_and_none_is_both_the_doors_and_the_engines() -> None:
    assert set(STATUS) == {*DoorCode, *Refusal}
    assert not {str(code) for code in DoorCode} & {str(code) for code in Refusal}
    assert all(400 <= status < 600 for status in STATUS.values())


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (EngineUnavailable("gone", sent=True), Refusal.ENGINE_UNAVAILABLE),
        (OperationalError("gone"), DoorCode.DATABASE_UNAVAILABLE),
        (redis.ConnectionError("gone"), DoorCode.MARKET_DATA_UNAVAILABLE),
        (MethodNotAllowed("PUT"), DoorCode.METHOD_NOT_ALLOWED),
        (Throttled(), DoorCode.RATE_LIMITED),
        (Http404(), DoorCode.NOT_FOUND),
        (SuspiciousOperation("odd"), DoorCode.BAD_REQUEST),
        (KeyError("secret of the house"), DoorCode.INTERNAL_ERROR),
        (APIException("odd"), DoorCode.INTERNAL_ERROR),
    ],
)
def test_exception_becomes_a_problem(error: Exception, code: DoorCode | Refusal) -> None:
    problem = problem_of(error)
    assert problem.code == code
    assert "secret" not in problem.detail


def test_document_can_be_written_when_the_detail_echoes_anything() -> None:
    document = problem_document(Problem(DoorCode.FIELD_INVALID, "\ud800" + "x" * 10_000))
    written = msgspec.json.decode(msgspec.json.encode(document))
    assert written["detail"].startswith("\\ud800x")
    assert len(written["detail"]) < 500
    assert written["type"] == "urn:nexus:problem:field_invalid"
