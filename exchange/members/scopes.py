"""What an API key may be used for."""

from django.db.models import TextChoices


class Scope(TextChoices):
    READ = "read"
    TRADE = "trade"
    WITHDRAW = "withdraw"
    KEYS = "keys"
