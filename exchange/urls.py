"""The doors' routes; each room adds its own under /v1."""

from django.urls import URLPattern, URLResolver, include, path
from django.views.decorators.cache import cache_page
from drf_spectacular.renderers import OpenApiJsonRenderer
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

from exchange.operations.views import HealthView, operator_health, operator_metrics

# It changes with our code alone, and to write it takes a quarter of a second.
DOCUMENT_KEPT_S = 24 * 3600

urlpatterns: list[URLPattern | URLResolver] = [
    path("v1/", include("exchange.trading.api.urls")),  # first, for orders come most often
    path("v1/", include("exchange.members.api.urls")),
    path("v1/", include("exchange.marketdata.api.urls")),
    path("v1/", include("exchange.funds.api.urls")),
    path("v1/health", HealthView.as_view()),
    path("health", operator_health),
    path("metrics", operator_metrics),
    path(
        "v1/openapi.json",
        cache_page(DOCUMENT_KEPT_S)(
            SpectacularAPIView.as_view(renderer_classes=[OpenApiJsonRenderer])
        ),
        name="openapi",
    ),
    path("v1/docs", SpectacularSwaggerView.as_view(url_name="openapi")),
]
handler400 = "exchange.api.problems.handler_400"
handler404 = "exchange.api.problems.handler_404"
handler500 = "exchange.api.problems.handler_500"
