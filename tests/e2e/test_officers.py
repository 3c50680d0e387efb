"""Officers of three bodies at work through `manage.py`, each with a key file of their own."""

import json
from pathlib import Path

import pytest

from exchange.stack import Stack, StackError
from tests.e2e.office import Office


def test_officers_of_three_bodies_bring_a_member_to_trade(stack: Stack, tmp_path: Path) -> None:
    office = Office(stack, tmp_path)
    bodies = ("compliance", "custody", "venue")
    first = {body: office.officer("first", body) for body in bodies}
    second = {body: office.officer("second", body) for body in bodies}

    party = office.run(
        *("party_apply", "--name", "Gwangalli Metals", "--kind", "organisation"),
        *("--jurisdiction", "KR"),
    )
    with pytest.raises(StackError, match="party_not_identified"):
        office.run("member_admit", "--holder", str(party["holder"]), "--label", "Gwangalli")

    identify = office.propose(
        first["compliance"], "compliance.identify", {"holder": party["holder"], "classes": 1}
    )
    with pytest.raises(StackError, match="forbidden"):
        office.approve(first["compliance"], identify)
    with pytest.raises(StackError, match="forbidden"):
        office.approve(second["custody"], identify)
    with pytest.raises(StackError, match="signature"):
        office.approve(second["compliance"], identify, key=office.key(second["custody"]))
    office.approve(second["compliance"], identify)
    office.executed(identify)
    member = office.run("member_admit", "--holder", str(party["holder"]), "--label", "Gwangalli")

    notice = office.notice(member["account"])
    mint = office.propose(
        first["custody"],
        "custody.mint",
        {
            "evidence_kind": "bank_notice",
            "evidence_id": notice["notice_id"],
            "account": member["account"],
            "asset": 1,
            "amount_units": notice["amount_units"],
        },
    )
    office.approve(second["custody"], mint)
    office.executed(mint)

    office.run("instrument_list_defaults")
    listed = stack.manage("act_list", "--body", "custody").stdout.splitlines()
    assert mint in {json.loads(line)["id"] for line in listed}
    for phase in (3, 2):
        change = office.propose(
            first["venue"], "venue.set_phase", {"instrument": 1, "phase": phase}
        )
        office.approve(second["venue"], change)
        office.executed(change)

    assert office.run("audit_verify")["records"] > 12
