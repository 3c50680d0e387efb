"""ASGI entry of the REST door.

A resource is called here at once: Django's signals, middleware and resolver take longer than an
order's own work. Documentation, static files and addresses that do not exist go Django's own way.
What must not live here: any resource, or what a request means.
"""

import gc
import os
from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache
from http import HTTPStatus
from io import BytesIO
from time import perf_counter
from typing import Any

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "exchange.settings")
django = get_asgi_application()

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.core.handlers.asgi import ASGIRequest
from django.http import Http404, HttpResponse
from django.http.request import split_domain_port, validate_host
from django.urls import ResolverMatch, resolve

from exchange.api.decoding import BODY_BYTES_MAX
from exchange.api.measures import request_observe
from exchange.api.problems import handler_400
from exchange.api.views import DoorView

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]

ADDRESSES_KEPT_MAX = 4_096
COLLECTED_AT = 20_000  # objects made and not freed
# What is loaded by now stays: the collector neither walks it again nor tears pages that are shared.
gc.collect()
gc.freeze()
gc.set_threshold(COLLECTED_AT)
# What Django's SecurityMiddleware adds to answers.
_SECURITY = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
]


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request (ASGI 3)."""
    path = scope["path"]
    found = _resource(path) if scope["type"] == "http" and path.isascii() else None
    if found is None:
        await django(scope, receive, send)
        return
    try:
        body = await _body(scope, receive)
    except EOFError:
        response = HttpResponse(status=HTTPStatus.REQUEST_TIMEOUT)
    else:
        response = await _answer(scope, *found, body)
    content = response.content
    headers = [(name.encode(), value.encode("latin-1")) for name, value in response.items()]
    headers += [*_SECURITY, (b"content-length", b"%d" % len(content))]
    status = response.status_code
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


@lru_cache(ADDRESSES_KEPT_MAX)
def _resource(path: str) -> tuple[type[DoorView], ResolverMatch] | None:
    """Return the resource at an address, None for what Django answers itself."""
    try:
        found = resolve(path)
    except Http404:
        return None
    view: type = getattr(found.func, "view_class", object)
    return (view, found) if issubclass(view, DoorView) else None


async def _body(scope: Scope, receive: Receive) -> bytes:
    """Return the body, nothing for one that no resource would read. Raises `EOFError`."""
    headers = dict(scope["headers"])
    length = headers.get(b"content-length", b"0")
    if b"transfer-encoding" in headers or len(length) > 5 or int(length) > BODY_BYTES_MAX:
        return b""
    body, more = b"", length != b"0"
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise EOFError
        body += message["body"]
        more = message["more_body"]
    return body


async def _answer(
    scope: Scope, resource: type[DoorView], found: ResolverMatch, body: bytes
) -> HttpResponse:
    started = perf_counter()
    # As text a query need not be UTF-8; what was signed are its bytes.
    query = scope["query_string"].decode("latin-1")
    request = ASGIRequest({**scope, "query_string": query}, BytesIO())
    request._body = body
    request.META["RAW_URI"] = scope["raw_path"].decode("latin-1")
    request.resolver_match = found
    if _host_allowed(request.META.get("HTTP_HOST", "")):
        view = resource()
        view.setup(request, *found.args, **found.kwargs)
        response = await view.dispatch(request, *found.args, **found.kwargs)
    else:
        response = handler_400(request, DisallowedHost())
    request_observe(request, response, perf_counter() - started)
    return response


@lru_cache(ADDRESSES_KEPT_MAX)
def _host_allowed(host: str) -> bool:
    domain, _ = split_domain_port(host)
    return bool(domain) and validate_host(domain, settings.ALLOWED_HOSTS)
