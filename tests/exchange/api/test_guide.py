"""docs/api.md says what is: its program runs, and it knows every code."""

import re
from typing import Any

from django.conf import settings
from django.urls import get_resolver

from exchange.api.errors import STATUS
from exchange.api.views import DoorView
from exchange.stack.instance import REPOSITORY
from tests.exchange.conftest import Trader
from tests.exchange.test_ownership import routes
from tests.waiting import wait_until

GUIDE = (REPOSITORY / "docs" / "api.md").read_text()


def test_programs_of_the_guide_do_what_they_say(trader: Trader) -> None:
    names: dict[str, Any] = {
        "base": trader.venue.stack.web_url,
        "access_key": trader.access_key,
        "secret": trader.secret,
    }
    programs = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    assert len(programs) == 3
    for program in programs:
        exec(program, names)  # noqa: S102 (the guide is ours)
    target = f"/v1/orders/{names['order']['order_id']}"
    wait_until(lambda: trader.get(target)["state"] == "cancelled")
    assert trader.get(target)["quantity"] == "0.02"
    assert (names["state"], len(names["made"]["secret"])) == ("applied", 43)


def test_guide_names_every_route() -> None:
    named = {path.rstrip("/") for path in re.findall(r"`[^`]*?(/v1/[^`?\s]*)", GUIDE)}
    short = ("/v1/orders/by-client-id", "/v1/members/applications")
    for path, pattern in routes(get_resolver("exchange.urls")):
        shown = "/" + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", path)
        view = getattr(pattern.callback, "view_class", None)
        if view is not None and issubclass(view, DoorView):
            assert shown in named or shown.startswith(short), shown


def test_guide_tells_the_budgets() -> None:
    for name, (requests, seconds, burst) in settings.RATE_BUDGETS.items():
        (row,) = re.findall(rf"^\| {name.replace('_', '-')} \|.*$", GUIDE, re.MULTILINE)
        pace = {1: "", 60: " a minute", 86_400: " a day"}[seconds]
        assert row.endswith(f"| {requests:,}{pace} | {burst:,} |")


def test_guide_names_every_code_under_its_status() -> None:
    rows = re.findall(r"^\| (\d{3}) \| (.*?) \|", GUIDE, re.MULTILINE)
    named = {code: int(status) for status, codes in rows for code in re.findall(r"`(\w+)`", codes)}
    assert named == {str(code): int(status) for code, status in STATUS.items()}
