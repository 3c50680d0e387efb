"""Health: a summary for everybody; the whole, and the metrics, for operators."""

import time
from http import HTTPStatus

import msgspec
from django.http import Http404, HttpRequest, HttpResponse
from rest_framework.request import Request
from rest_framework.response import Response

from exchange.api.problems import handler_404
from exchange.api.schema import documented
from exchange.api.views import PublicView
from exchange.operations import metrics
from exchange.operations.access import operator_admitted
from exchange.operations.health import report
from exchange.operations.shapes import Health, Report

# Anybody may ask the summary, and to find it out costs many queries.
SUMMARY_KEPT_S = 1.0
_summary: tuple[float, Health] | None = None


class HealthView(PublicView):
    """The summary that everybody may see, as often as a probe likes: it is kept for a second."""

    budgets = {}

    @documented("get_health", "Get the state of the exchange", answer=Health, also=(503,))
    def get(self, request: Request) -> Response:
        global _summary
        if _summary is None or time.monotonic() > _summary[0]:
            found = report()
            health = Health(found.status, [cause.part for cause in found.causes])
            _summary = (time.monotonic() + SUMMARY_KEPT_S, health)
        return Response(_summary[1], status=_status(_summary[1]))


def operator_health(request: HttpRequest) -> HttpResponse:
    """Answer the whole report to an operator; to others there is nothing at this address."""
    if not operator_admitted(request):
        return handler_404(request, Http404())
    found = report()
    return HttpResponse(
        msgspec.json.encode(found), status=_status(found), content_type="application/json"
    )


def operator_metrics(request: HttpRequest) -> HttpResponse:
    """Answer Prometheus' scrape, under the same condition."""
    if not operator_admitted(request):
        return handler_404(request, Http404())
    return HttpResponse(metrics.exposition(), content_type=metrics.CONTENT_TYPE)


def _status(health: Health | Report) -> HTTPStatus:
    return HTTPStatus.OK if health.status == "ok" else HTTPStatus.SERVICE_UNAVAILABLE
