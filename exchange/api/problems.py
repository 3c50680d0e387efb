"""Show every refusal and fault of the REST door as a problem document (RFC 9457).

What must not live here: codes and statuses (errors.py).
"""

import logging
from typing import Any
from uuid import uuid4

import msgspec
import redis
from django.core.exceptions import SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from rest_framework import exceptions
from rest_framework.response import Response

from exchange.api.errors import Code, DoorCode, Problem
from matching.client import EngineUnavailable
from matching.protocol.refusals import Refusal

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 1
DETAIL_CHARACTERS_MAX = 400

logger = logging.getLogger(__name__)


class ProblemDocument(msgspec.Struct, frozen=True):
    """What went wrong: `code` is stable and for programs, `detail` is for persons.

    `instance` names this very occurrence, in the answer and in the server's log.
    """

    type: str
    title: str
    status: int
    detail: str
    code: str
    instance: str


def problem_document(problem: Problem) -> ProblemDocument:
    """Return the document of a problem, under a new occurrence number."""
    detail = problem.detail[:DETAIL_CHARACTERS_MAX]
    return ProblemDocument(
        type=f"urn:nexus:problem:{problem.code}",
        title=problem.code.replace("_", " ").capitalize(),
        status=problem.status,
        detail=detail.encode("utf-8", "backslashreplace").decode(),
        code=problem.code,
        instance=uuid4().urn,
    )


def exception_handle(error: Exception, context: dict[str, Any]) -> Response:
    """Answer any exception of a view with its problem document (DRF's EXCEPTION_HANDLER)."""
    problem = problem_of(error)
    document = problem_document(problem)
    _log(document, error)
    return Response(
        document, status=problem.status, headers=_headers(problem), content_type=MEDIA_TYPE
    )


def problem_of(error: BaseException) -> Problem:
    """Translate an exception; whatever is not known is an internal error without particulars."""
    match error:
        case Problem():
            return error
        case EngineUnavailable():
            return Problem(
                Refusal.ENGINE_UNAVAILABLE,
                "the engine did not answer, and the command may have been applied: repeat it "
                "unchanged; an order under the same client_order_id is never placed twice",
            )
        case OperationalError() | InterfaceError():
            return Problem(DoorCode.DATABASE_UNAVAILABLE, "the database did not answer; try again")
        case redis.RedisError():
            return Problem(
                DoorCode.MARKET_DATA_UNAVAILABLE, "the store of market data did not answer"
            )
        case exceptions.APIException():
            return Problem(_CODE_BY_STATUS.get(error.status_code, DoorCode.BAD_REQUEST), str(error))
        case Http404():
            return Problem(DoorCode.NOT_FOUND, str(error) or "there is nothing at this address")
        case SuspiciousOperation():
            return Problem(DoorCode.BAD_REQUEST, "the request cannot be read")
        case _:
            return Problem(
                DoorCode.INTERNAL_ERROR, "the request failed here; give `instance` to support"
            )


_CODE_BY_STATUS: dict[int, Code] = {
    401: DoorCode.AUTHENTICATION_MISSING,
    403: DoorCode.SCOPE_MISSING,
    404: DoorCode.NOT_FOUND,
    405: DoorCode.METHOD_NOT_ALLOWED,
    413: DoorCode.BODY_TOO_LARGE,
    415: DoorCode.MEDIA_TYPE_UNSUPPORTED,
    429: DoorCode.TOO_MANY_REQUESTS,
    500: DoorCode.INTERNAL_ERROR,
}


def _headers(problem: Problem) -> dict[str, str]:
    if problem.status == 503:
        return {"Retry-After": str(RETRY_AFTER_S)}
    if problem.status == 401:
        return {"WWW-Authenticate": f'Bearer error="{problem.code}"'}
    return {}


def _log(document: ProblemDocument, error: BaseException) -> None:
    if document.status < 500:
        return
    unexpected = document.code == DoorCode.INTERNAL_ERROR
    logger.error(
        "%s %s: %s", document.code, document.instance, error, exc_info=error if unexpected else None
    )


def _plain(problem: Problem, error: BaseException | None = None) -> HttpResponse:
    document = problem_document(problem)
    _log(document, error or problem)
    return HttpResponse(
        msgspec.json.encode(document),
        status=problem.status,
        content_type=MEDIA_TYPE,
        headers=_headers(problem),
    )


def handler_400(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a request that Django itself refused to read."""
    return _plain(Problem(DoorCode.BAD_REQUEST, "the request cannot be read"))


def handler_404(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a request to an address that does not exist."""
    return _plain(Problem(DoorCode.NOT_FOUND, "there is nothing at this address; see /v1/docs"))


def handler_500(request: HttpRequest) -> HttpResponse:
    """Answer a request that failed outside any view; Django has logged why."""
    return _plain(
        Problem(DoorCode.INTERNAL_ERROR, "the request failed here; give `instance` to support")
    )
