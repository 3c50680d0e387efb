"""What the door measures of itself: answers, refusals by code, time to answer, time to the engine.

Counted in memory, or, where PROMETHEUS_MULTIPROC_DIR names a folder, in files that the door's
processes share: a count costs microseconds and no round trip. What must not live here: how metrics
are shown (exchange.operations).
"""

from collections.abc import Callable
from functools import cache
from time import perf_counter

from django.http import HttpRequest, HttpResponse
from prometheus_client import CollectorRegistry, Counter, Histogram

BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
METHODS = frozenset({"GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS"})

REGISTRY = CollectorRegistry()
_requests = Histogram(
    "nexus_http_request_seconds",
    "Time from a request's arrival in Django to its answer",
    ("method", "route"),
    buckets=BUCKETS_S,
    registry=REGISTRY,
)
_answers = Counter(
    "nexus_http_answers", "Answers by status", ("method", "route", "status"), registry=REGISTRY
)
_refusals = Counter(
    "nexus_refusals", "Requests refused, by stable code", ("code",), registry=REGISTRY
)
_acks = Histogram(
    "nexus_engine_ack_seconds",
    "Time from a command's sending to the engine's answer, journal written",
    ("command",),
    buckets=BUCKETS_S,
    registry=REGISTRY,
)
# Looking a child up by its labels costs more than counting it.
_request = cache(_requests.labels)
_answer = cache(_answers.labels)
_refusal = cache(_refusals.labels)
_ack = cache(_acks.labels)

Handler = Callable[[HttpRequest], HttpResponse]


def ack_observe(command: object, seconds: float) -> None:
    """Note how long the engine took to answer a command."""
    _ack(type(command).__name__).observe(seconds)


def refusal_count(code: str) -> None:
    """Note that a request was refused, or failed, with this code."""
    _refusal(code).inc()


def request_observe(request: HttpRequest, response: HttpResponse, seconds: float) -> None:
    """Note how a request was answered, and how long that took."""
    found = request.resolver_match
    method = str(request.method) if request.method in METHODS else "other"
    route = found.route if found else "none"
    _request(method, route).observe(seconds)
    _answer(method, route, response.status_code).inc()


def measured(handler: Handler) -> Handler:
    """Measure every request (Django middleware)."""

    def handle(request: HttpRequest) -> HttpResponse:
        started = perf_counter()
        response = handler(request)
        request_observe(request, response, perf_counter() - started)
        return response

    return handle
