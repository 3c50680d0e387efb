"""List the default markets and segments in database and engine; again changes nothing."""

import json
from decimal import Decimal, InvalidOperation
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from compliance.errors import BodyRefused
from exchange.listings.defaults import DEFAULTS, SEGMENTS, default_listings
from exchange.listings.services import instrument_list, segment_list


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--base-price",
            action="append",
            default=[],
            metavar="SYMBOL=PRICE",
            help="put the band around this price instead of the last month's reference price",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        listings = default_listings(dict(_base_price(text) for text in options["base_price"]))
        try:
            rows = [
                instrument_list(listing=listing, actor="process:listings") for listing in listings
            ]
            for segment in SEGMENTS:
                segment_list(listing=segment, actor="process:listings")
        except BodyRefused as error:
            raise CommandError(str(error)) from error
        self.stdout.write(json.dumps([{"id": row.id, "symbol": row.symbol} for row in rows]))


def _base_price(text: str) -> tuple[str, Decimal]:
    symbol, _, price = text.partition("=")
    try:
        value = Decimal(price)
    except InvalidOperation:
        value = Decimal(0)
    if symbol not in {each.symbol for each in DEFAULTS} or not (value.is_finite() and value > 0):
        raise CommandError(f"--base-price {text}: expected, say, XAU-KRW=190000")
    return symbol, value
