"""What an operator does by `manage.py`: list, admit, make and revoke keys; answers are JSON."""

import json
from typing import Any

import pytest

from exchange.stack import StackError
from tests.exchange.conftest import Trader, Venue
from tests.waiting import wait_until


def manage(venue: Venue, *arguments: str) -> Any:
    return json.loads(venue.stack.manage(*arguments).stdout)


def test_defaults_are_listed_once_when_the_command_runs_again(venue: Venue) -> None:
    before = venue.status().state_hash
    prices = ("--base-price", "XAU-KRW=100000", "--base-price", "XAG-KRW=1000")
    listed = manage(venue, "instrument_list_defaults", *prices)
    assert [each["id"] for each in listed] == list(range(1, 10))
    assert [each["symbol"] for each in listed[:2]] == ["XAU-KRW", "XAG-KRW"]
    assert venue.status().state_hash == before


def test_member_is_refused_when_the_party_is_not_identified(venue: Venue) -> None:
    party = manage(venue, "party_apply", "--name", "N. N.")
    with pytest.raises(StackError, match="party_not_identified"):
        manage(venue, "member_admit", "--holder", str(party["holder"]), "--label", "nn")


def test_member_is_the_same_when_admitted_again(venue: Venue, trader: Trader) -> None:
    arguments = ("member_admit", "--holder", str(trader.holder), "--label")
    with pytest.raises(StackError, match="conflict"):
        manage(venue, *arguments, "another")


def test_key_works_until_it_is_revoked(venue: Venue, trader: Trader) -> None:
    made = manage(venue, "api_key_create", "--account", str(trader.account), "--scope", "read")
    assert (made["scopes"], made["expires_at"]) == (["read"], None)
    owner = Trader(venue, trader.account, made["access_key"], made["secret"])
    assert owner.send("GET", "/v1/balances").status == 200
    manage(venue, "api_key_revoke", made["access_key"])
    wait_until(lambda: owner.send("GET", "/v1/balances").status == 401)
    assert owner.send("GET", "/v1/balances").code == "key_revoked"
