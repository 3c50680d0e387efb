"""Django app configuration of members and their API keys."""

from django.apps import AppConfig


class MembersConfig(AppConfig):
    name = "exchange.members"
    label = "members"
    default_auto_field = "django.db.models.BigAutoField"
