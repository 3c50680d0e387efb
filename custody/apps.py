"""Django app configuration of the depository."""

from django.apps import AppConfig


class CustodyConfig(AppConfig):
    name = "custody"
    label = "custody"
    default_auto_field = "django.db.models.BigAutoField"
