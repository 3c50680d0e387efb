"""Routes of a member's orders, fills and balances."""

from django.urls import path, register_converter
from django.urls.converters import IntConverter, StringConverter

from exchange.trading.api import views


class OrderIdConverter(IntConverter):
    regex = "[1-9][0-9]{0,17}"


class ClientOrderIdConverter(StringConverter):
    regex = r"[A-Za-z0-9_.:-]{1,36}"


register_converter(OrderIdConverter, "order_id")
register_converter(ClientOrderIdConverter, "client_order_id")

urlpatterns = [
    path("orders", views.OrdersView.as_view()),
    path("orders/pair", views.PairView.as_view()),
    path("orders/heartbeat", views.HeartbeatView.as_view()),
    path("kill-switch", views.KillSwitchView.as_view()),
    path("orders/<order_id:order_id>", views.OrderView.as_view()),
    path("orders/<order_id:order_id>/fills", views.OrderFillsView.as_view()),
    path(
        "orders/by-client-id/<client_order_id:client_order_id>", views.OrderByClientIdView.as_view()
    ),
    path("fees/tier", views.FeeTierView.as_view()),
    path("fills", views.FillsView.as_view()),
    path("balances", views.BalancesView.as_view()),
]
