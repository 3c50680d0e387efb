"""Django app configuration of the clearing house."""

from django.apps import AppConfig


class SettlementConfig(AppConfig):
    name = "settlement"
    label = "settlement"
    default_auto_field = "django.db.models.BigAutoField"
