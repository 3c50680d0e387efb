"""Decimal strings and whole numbers, exactly: no float, no exponent, no sign, ASCII only.

What must not live here: what the numbers mean.
"""

import re
from decimal import Decimal

DECIMAL_PATTERN = r"^(0|[1-9][0-9]{0,18})(\.[0-9]{1,18})?$"
_decimal = re.compile(DECIMAL_PATTERN.removesuffix("$") + r"\Z", re.ASCII)


def decimal_parse(text: str, places: int) -> int | None:
    """Return `text` times 10 ** `places`; None if it is no plain decimal of at most `places`."""
    if len(text) > 40 or not _decimal.match(text):
        return None
    whole, _, fraction = text.partition(".")
    if len(fraction) > places:
        return None
    return int(whole + fraction.ljust(places, "0"))


def decimal_format(value: int, places: int) -> str:
    """Return `value` times 10 ** -`places` with all its places, such as -1.50 for -150 and 2."""
    sign = "-" if value < 0 else ""
    whole, fraction = divmod(abs(value), 10**places)
    return f"{sign}{whole}.{fraction:0{places}d}" if places else f"{sign}{whole}"


def decimal_places(step: Decimal) -> int:
    """Return how many places multiples of `step` need."""
    exponent = step.normalize().as_tuple().exponent
    assert isinstance(exponent, int), f"step {step} is not finite"
    return max(0, -exponent)
