"""The signer's own count of what it let through: durable, each use once, day by day."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

from custody.allowance import DAYS_KEPT, Allowance

DAY = date(2026, 11, 22)


def _take(allowance: Allowance, use: str, units: int, **changed: Any) -> bool:
    terms: dict[str, Any] = {"name": "withdraw:XAU:1000", "limit": 10, "day": DAY}
    return allowance.take(use=use, units=units, **{**terms, **changed})


def test_uses_pass_together_up_to_the_limit(tmp_path: Path) -> None:
    allowance = Allowance(tmp_path)
    wishes = (("a", 6), ("b", 5), ("c", 4), ("d", 1))
    assert [_take(allowance, *wish) for wish in wishes] == [True, False, True, False]
    assert _take(allowance, "b", 5, name="withdraw:XAU:1001")
    assert not _take(allowance, "e", 1, limit=0, name="withdraw:XAU:1002")


def test_use_counts_once_also_on_a_later_day_and_after_a_restart(tmp_path: Path) -> None:
    assert _take(Allowance(tmp_path), "a", 10)
    for day in (DAY, DAY + timedelta(days=1), DAY + timedelta(days=DAYS_KEPT)):
        again = Allowance(tmp_path)
        assert _take(again, "a", 10, day=day)
        assert _take(again, f"b{day}", 10, day=day) is (day != DAY)
    assert _take(Allowance(tmp_path), "a", 10, day=DAY + timedelta(days=2 * DAYS_KEPT))
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["2027-01-01", "2027-02-10"]


def test_line_that_was_torn_counts_for_nothing(tmp_path: Path) -> None:
    assert _take(Allowance(tmp_path), "a", 3)
    with (tmp_path / "2026-11-22").open("a") as file:
        file.write("withdraw:XAU:1000 b")
    assert _take(Allowance(tmp_path), "c", 7)
    lines = (tmp_path / "2026-11-22").read_text().splitlines()
    assert lines == ["withdraw:XAU:1000 a 3", "withdraw:XAU:1000 c 7"]
