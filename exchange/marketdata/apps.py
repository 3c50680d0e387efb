"""Django app configuration of public market data."""

from django.apps import AppConfig


class MarketDataConfig(AppConfig):
    name = "exchange.marketdata"
    label = "marketdata"
    default_auto_field = "django.db.models.BigAutoField"
