"""The roof's app configuration: loads Celery once Django is ready."""

from django.apps import AppConfig


class ExchangeConfig(AppConfig):
    name = "exchange"

    def ready(self) -> None:
        from exchange import celery  # noqa: F401  (binds shared tasks to the app)
