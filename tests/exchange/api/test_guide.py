"""docs/api.md says what is: its program runs, and it knows every code."""

import json
import re
from typing import Any

from exchange.api.errors import STATUS
from exchange.stack.instance import REPOSITORY
from tests.exchange.conftest import Trader

GUIDE = (REPOSITORY / "docs" / "api.md").read_text()


def test_program_of_the_guide_places_and_reads_an_order(trader: Trader) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    names: dict[str, Any] = {}
    exec(program, names)  # noqa: S102 (the guide is ours)
    key = (trader.venue.stack.web_url, trader.access_key, trader.secret)
    body = json.dumps(trader.order("buy", "95000", "0.01")).encode()
    order = names["send"](*key, "POST", "/v1/orders", body)
    assert order["state"] == "open"
    assert names["send"](*key, "GET", f"/v1/orders/{order['order_id']}") == order


def test_guide_names_every_code_under_its_status() -> None:
    rows = re.findall(r"^\| (\d{3}) \| (.*?) \|", GUIDE, re.MULTILINE)
    named = {code: int(status) for status, codes in rows for code in re.findall(r"`(\w+)`", codes)}
    assert named == {str(code): int(status) for code, status in STATUS.items()}
