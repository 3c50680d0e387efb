"""Celery's names for what trading does by the day; each may run twice."""

from celery import shared_task

from exchange.trading import tiers


@shared_task(name="venue.fee_tiers_set")
def fee_tiers_set() -> int:
    return tiers.fee_tiers_set()
