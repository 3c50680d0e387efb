"""Officers and sources of a played market, enrolled again after a start that was broken off."""

from pathlib import Path
from typing import Any

import pytest

from compliance import officer_keys, policy
from compliance.selectors import officer_get
from custody.selectors import evidence_keys
from exchange.demo.evidence import Sources
from exchange.demo.officers import Officers


@pytest.mark.django_db
def test_enrolment_is_finished_when_only_key_files_were_written(
    tmp_path: Path, settings: Any
) -> None:
    settings.KEYS = tmp_path
    officer, bank = (
        officer_keys.key_create(tmp_path / name) for name in ("venue-first.key", "bank.key")
    )
    for _ in range(2):
        Officers(tmp_path).enrol()
        Sources(tmp_path).enrol()
    assert bytes(officer_get("venue-first").public_key) == officer
    assert policy.policy_load("venue").officers["venue-first"] == officer
    assert bank in {key for _, key in evidence_keys().values()}
