"""WSGI entry of the REST door.

A resource is called here at once: Django's signals, middleware and resolver take longer than an
order's own work. Documentation, static files and addresses that do not exist go Django's own way.
What must not live here: any resource, or what a request means.
"""

import os
from collections.abc import Iterable
from functools import lru_cache
from wsgiref.types import StartResponse, WSGIEnvironment

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "exchange.settings")
django = get_wsgi_application()

from django.core.exceptions import DisallowedHost
from django.core.handlers.wsgi import WSGIRequest
from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import ResolverMatch, resolve

from exchange.api.measures import measured
from exchange.api.problems import handler_400
from exchange.api.views import DoorView

ADDRESSES_KEPT_MAX = 4_096
# What Django's SecurityMiddleware adds to answers.
_SECURITY = [
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
]


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer a request (PEP 3333)."""
    path = environ.get("PATH_INFO", "")
    found = _resource(path) if path.isascii() else None
    if found is None:
        return django(environ, start_response)
    request = WSGIRequest(environ)
    request.resolver_match = found
    _database_check()
    response = _handle(request)
    if response.status_code >= 500:
        connection.close_if_unusable_or_obsolete()
    content = response.content
    headers = [*response.items(), *_SECURITY, ("Content-Length", str(len(content)))]
    start_response(f"{response.status_code} {response.reason_phrase}", headers)
    return [content]


@lru_cache(ADDRESSES_KEPT_MAX)
def _resource(path: str) -> ResolverMatch | None:
    """Return the resource at an address, None for what Django answers itself."""
    try:
        found = resolve(path)
    except Http404:
        return None
    return found if issubclass(getattr(found.func, "view_class", object), DoorView) else None


@measured
def _handle(request: HttpRequest) -> HttpResponse:
    try:
        request.get_host()
    except DisallowedHost as error:
        return handler_400(request, error)
    found = request.resolver_match
    assert found is not None
    answer: HttpResponse = found.func(request, *found.args, **found.kwargs)
    return answer


def _database_check() -> None:
    """Let go of a connection that the server has closed (seen without a round trip)."""
    if connection.connection is not None and not connection.is_usable():
        connection.close()
