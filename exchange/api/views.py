"""The base of all REST views: strict methods, budgets, idempotency, and one representation.

Requests are dispatched here and not by the framework's own machinery: negotiation, parsers and
throttles are settled once for all, and asking for them anew would take longer than most answers.
What must not live here: any resource, or who a member is (exchange.members).
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from inspect import iscoroutinefunction
from typing import Any, ClassVar

import msgspec
import redis
from django.http import HttpRequest
from django.http.response import HttpResponse, HttpResponseBase
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from exchange.api.addresses import client_address
from exchange.api.budgets import Budget, Standing, budget_take
from exchange.api.errors import DoorCode, Problem
from exchange.api.gathering import in_thread
from exchange.api.idempotency import answer_once
from exchange.api.problems import problem_answer

METHODS = ("GET", "HEAD", "POST", "PATCH", "DELETE")
_encode = msgspec.json.Encoder().encode


class DoorView(APIView):
    """A resource; `scopes` names, per method, what a key must be allowed (HEAD counts as GET).

    A view without `scopes` is public and names no authentication. `budgets` names what a method
    takes from; one that is not named takes nothing.
    """

    http_method_names = tuple(method.lower() for method in METHODS)
    scopes: ClassVar[dict[str, str]] = {}
    budgets: ClassVar[dict[str, Budget]] = {}
    standing: Standing | None = None
    view_is_async = True

    async def dispatch(  # type: ignore[override]
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Admit the request, carry it out, and answer whatever comes of it.

        A method that is no coroutine may block: it is called in a thread.
        """
        self.request = Request(request)
        try:
            handler = self._handler(request)
            owner = await self.admit(self.request)

            async def respond() -> HttpResponse:
                try:
                    if iscoroutinefunction(handler):
                        return _plain(await handler(self.request, *args, **kwargs))
                    return _plain(await in_thread(handler, self.request, *args, **kwargs))
                except Exception as error:  # noqa: BLE001  (every fault has its document)
                    return problem_answer(error, request)

            once = request.method == "POST"
            answer = await (answer_once(request, owner, respond) if once else respond())
        except Exception as error:  # noqa: BLE001
            answer = problem_answer(error, request)
        if self.standing:
            for name, value in self.standing.headers().items():
                answer.headers.setdefault(name, value)
        return answer

    async def admit(self, request: Request) -> str:
        """Let the request in or raise `Problem`; return on whose behalf it comes."""
        raise NotImplementedError

    @property
    def method(self) -> str:
        """The request's method; HEAD is a GET."""
        return "GET" if self.request.method == "HEAD" else str(self.request.method)

    def _handler(self, request: HttpRequest) -> Callable[..., Any]:
        handler: Callable[..., Any] | None = None
        if request.method in METHODS:
            handler = getattr(self, request.method.lower(), None)
        if handler is None:
            raise Problem(
                DoorCode.METHOD_NOT_ALLOWED,
                f"{str(request.method)[:16]!a} is not possible here",
                headers={"Allow": ", ".join(self.allowed_methods)},
            )
        return handler


class PublicView(DoorView):
    """A resource that anybody may use, each address within its budget."""

    authentication_classes: tuple[type[BaseAuthentication], ...] = ()
    permission_classes = ()
    budgets = {"GET": Budget.PUBLIC}

    async def admit(self, request: Request) -> str:
        """Take from the address's budget; to read is allowed while that cannot be asked."""
        owner = client_address(request.META)
        budget = self.budgets.get(self.method)
        if budget:
            with suppress(*(() if budget == Budget.SIGN_UP else (redis.RedisError,))):
                self.standing = await budget_take(budget, owner)
        return f"address:{owner}"


def json_answer(data: Any, status: int, headers: Mapping[str, str]) -> HttpResponse:
    """Return a shape as it goes out."""
    return HttpResponse(
        _encode(data), status=status, content_type="application/json", headers=headers
    )


def _plain(answer: HttpResponseBase) -> HttpResponse:
    """Return the answer as it goes out; shapes become JSON here."""
    if not isinstance(answer, Response):
        assert isinstance(answer, HttpResponse)
        return answer
    headers = {name: value for name, value in answer.headers.items() if name != "Content-Type"}
    return json_answer(answer.data, answer.status_code, headers)
