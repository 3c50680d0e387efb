"""Trade dates: days of Asia/Seoul, by which limits, sweeps and statements are reckoned."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

TRADE_ZONE = ZoneInfo("Asia/Seoul")


def trade_date() -> date:
    """Return today in Seoul."""
    return datetime.now(TRADE_ZONE).date()
