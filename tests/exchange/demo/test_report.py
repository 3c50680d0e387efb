"""The demo's verdict: one unit off in any book is a mismatch, and fails it."""

from typing import Any

import pytest

from exchange.demo.report import mismatches


def _report() -> dict[str, Any]:
    return {
        "mismatches": [],
        "accounts": [{"account": 1000, "asset": 2, "engine": 7, "ledger": 7, "chain": 7}],
        "assets": [{"asset": 2, "supply": 7, "outside_holdings": 7}],
    }


def test_nothing_differs_when_all_books_agree() -> None:
    assert mismatches(_report()) == []


@pytest.mark.parametrize("book", ["engine", "ledger", "chain"])
def test_unit_is_missed_when_one_book_lacks_it(book: str) -> None:
    report = _report()
    report["accounts"][0][book] -= 1
    (found,) = mismatches(report)
    assert found.startswith("account 1000 asset 2: ") and f"{book} 6" in found


def test_reserve_is_missed_when_a_unit_is_not_vouched_for() -> None:
    report = _report()
    report["assets"][0]["outside_holdings"] += 1
    assert mismatches(report) == ["asset 2: supply 7, held outside for it 8"]


def test_reconcilers_word_counts() -> None:
    report = _report() | {"mismatches": [{"message": "account 1000: lost"}]}
    assert mismatches(report) == ["account 1000: lost"]
