"""Django app configuration of orders and fills."""

from django.apps import AppConfig


class TradingConfig(AppConfig):
    name = "exchange.trading"
    label = "trading"
    default_auto_field = "django.db.models.BigAutoField"
