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

from compliance.errors import BodyRefused, Forbidden, Invalid, NotFound, NotYet
from exchange.api.errors import STATUS, Code, DoorCode, Problem
from exchange.api.languages import ENGLISH, Language, language_of, message
from exchange.api.measures import refusal_count
from matching.client import EngineUnavailable
from matching.protocol.refusals import Refusal

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 1
DETAIL_CHARACTERS_MAX = 400

_INTERNAL = "the request failed here; give `instance` to support"

logger = logging.getLogger(__name__)


class ProblemDocument(msgspec.Struct, frozen=True):
    """What went wrong: `code` is stable and for programs, `detail` is for persons.

    `title` and, before the particulars in English, `detail` are in the language of the header
    Content-Language. `instance` names this very occurrence, in the answer and in the server's log.
    """

    type: str
    title: str
    status: int
    detail: str
    code: str
    instance: str


def problem_document(problem: Problem, language: Language = ENGLISH) -> ProblemDocument:
    """Return the document of a problem, under a new occurrence number."""
    written = message(problem.code, language)
    detail = problem.detail[:DETAIL_CHARACTERS_MAX]
    if written.detail:
        detail = f"{written.detail} ({detail})"
    return ProblemDocument(
        type=f"urn:nexus:problem:{problem.code}",
        title=written.title,
        status=problem.status,
        detail=detail.encode("utf-8", "backslashreplace").decode(),
        code=problem.code,
        instance=uuid4().urn,
    )


def problem_answer(error: BaseException, request: HttpRequest) -> HttpResponse:
    """Answer any exception with its problem document, in the client's language."""
    problem = problem_of(error)
    language = language_of(request.META.get("HTTP_ACCEPT_LANGUAGE", ""))
    document = problem_document(problem, language)
    _log(document, error)
    return HttpResponse(
        msgspec.json.encode(document),
        status=problem.status,
        content_type=MEDIA_TYPE,
        headers={
            **_headers(problem),
            **problem.headers,
            "Content-Language": language,
            "Vary": "Accept-Language",
        },
    )


def exception_handle(error: Exception, context: dict[str, Any]) -> HttpResponse:
    """Answer an exception of a view that is not ours (DRF's EXCEPTION_HANDLER)."""
    return problem_answer(error, context["request"])


def problem_of(error: BaseException) -> Problem:
    """Translate an exception; whatever is not known is an internal error without particulars."""
    match error:
        case Problem():
            return error
        case BodyRefused():
            return Problem(_code_of(error), str(error))
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
            return Problem(DoorCode.INTERNAL_ERROR, _INTERNAL)


def _code_of(refused: BodyRefused) -> Code:
    """Return a body's own code where the door has it, else that of the error's kind."""
    own = _CODE_BY_NAME.get(refused.code)
    if own is not None:
        return own
    for kind, code in _CODE_BY_KIND.items():
        if isinstance(refused, kind):
            return code
    return DoorCode.CONFLICT


_CODE_BY_NAME: dict[str, Code] = {str(code): code for code in STATUS}
_CODE_BY_KIND: dict[type[BodyRefused], DoorCode] = {
    NotFound: DoorCode.NOT_FOUND,
    Invalid: DoorCode.FIELD_INVALID,
    Forbidden: DoorCode.FORBIDDEN,
    NotYet: DoorCode.NOT_YET,
}
_CODE_BY_STATUS: dict[int, Code] = {
    401: DoorCode.AUTHENTICATION_MISSING,
    403: DoorCode.SCOPE_MISSING,
    404: DoorCode.NOT_FOUND,
    405: DoorCode.METHOD_NOT_ALLOWED,
    413: DoorCode.BODY_TOO_LARGE,
    415: DoorCode.MEDIA_TYPE_UNSUPPORTED,
    429: DoorCode.RATE_LIMITED,
    500: DoorCode.INTERNAL_ERROR,
}


def _headers(problem: Problem) -> dict[str, str]:
    if problem.status == 503:
        return {"Retry-After": str(RETRY_AFTER_S)}
    if problem.status == 401:
        return {"WWW-Authenticate": f'Bearer error="{problem.code}"'}
    return {}


def _log(document: ProblemDocument, error: BaseException) -> None:
    refusal_count(document.code)
    if document.status < 500:
        return
    unexpected = document.code == DoorCode.INTERNAL_ERROR
    logger.error(
        "%s %s: %s", document.code, document.instance, error, exc_info=error if unexpected else None
    )


def handler_400(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a request that Django itself refused to read."""
    return problem_answer(Problem(DoorCode.BAD_REQUEST, "the request cannot be read"), request)


def handler_404(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a request to an address that does not exist."""
    problem = Problem(DoorCode.NOT_FOUND, "there is nothing at this address; see /v1/docs")
    return problem_answer(problem, request)


def handler_500(request: HttpRequest) -> HttpResponse:
    """Answer a request that failed outside any view; Django has logged why."""
    return problem_answer(Problem(DoorCode.INTERNAL_ERROR, _INTERNAL), request)
