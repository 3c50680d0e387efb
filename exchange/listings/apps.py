"""Django app configuration of listed instruments."""

from django.apps import AppConfig


class ListingsConfig(AppConfig):
    name = "exchange.listings"
    label = "listings"
    default_auto_field = "django.db.models.BigAutoField"
