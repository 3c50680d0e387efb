"""One unit altered in engine, ledger or chain, behind everybody's back: the comparison names it."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from exchange.stack import Stack
from matching.protocol.commands import Credit
from tests.e2e.house import House
from tests.settings import SESSION_INSTANCE

KRW, XAU = 1, 2


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    """An exchange of this module's own, to be tampered with."""
    with Stack(f"{SESSION_INSTANCE.name}-tamper", durable=False) as stack:
        yield House.peopled(stack, "Ra Minseo")
    stack.erase()


def _found(house: House) -> list[tuple[str, int, int, int]]:
    """Return (source, account, asset, found less expected) of every difference."""
    status, report = house.reconcile()
    assert status == (1 if report["mismatches"] else 0)
    return [
        (row["source"], row["account"], row["asset"], row["found"] - row["expected"])
        for row in report["mismatches"]
    ]


def test_comparison_fails_when_one_unit_is_tampered_with_in_the_ledger(house: House) -> None:
    (member,) = house.traders
    assert _found(house) == []
    (sequence,) = house.query(
        "SELECT p.id, e.sequence FROM custody_posting p JOIN custody_entry e ON e.id = p.entry_id"
        " WHERE p.account_id = %s AND p.asset_id = %s",
        member.account,
        XAU,
    )
    posting, entry_sequence = sequence

    def alter(units: int) -> None:
        house.query("ALTER TABLE custody_posting DISABLE TRIGGER ALL")
        house.query(
            "UPDATE custody_posting SET amount_units = amount_units + %s WHERE id = %s",
            units,
            posting,
        )
        house.query("ALTER TABLE custody_posting ENABLE TRIGGER ALL")

    alter(1)
    _, report = house.reconcile()
    (mismatch,) = report["mismatches"]
    assert (mismatch["source"], mismatch["account"], mismatch["asset"]) == (
        "ledger",
        member.account,
        XAU,
    )
    assert mismatch["found"] - mismatch["expected"] == 1
    assert mismatch["first_sequence"] == entry_sequence
    assert house.query("SELECT 1 FROM custody_withdrawalhalt WHERE lifted_at IS NULL")
    alter(-1)
    assert _found(house) == []


def test_comparison_fails_when_one_unit_is_tampered_with_on_chain(house: House) -> None:
    (member,) = house.traders
    ((token, address),) = house.query(
        "SELECT (SELECT token_address FROM custody_asset WHERE id = %s), address"
        " FROM custody_account WHERE id = %s",
        XAU,
        member.account,
    )
    slot, value = _balance_slot(house, token, address)
    _rpc(house, "anvil_setStorageAt", token, slot, f"0x{value + 1:064x}")
    _blocks_pass(house)
    assert ("chain", member.account, XAU, 1) in _found(house)
    _rpc(house, "anvil_setStorageAt", token, slot, f"0x{value:064x}")
    _blocks_pass(house)
    assert _found(house) == []


def test_comparison_fails_when_one_unit_is_credited_behind_custodys_back(house: House) -> None:
    (member,) = house.traders
    answer = house.engine.send(Credit(member.account, KRW, 1, "tampered:1"))
    found = _found(house)
    assert ("chain", member.account, KRW, -1) in found
    _, report = house.reconcile()
    (named,) = [row for row in report["mismatches"] if row["account"] == member.account]
    assert named["first_sequence"] == answer.sequence


def _balance_slot(house: House, token: str, address: str) -> tuple[str, int]:
    """Find the storage slot of a holder's balance: a mapping of the first few slots."""
    from eth_utils.crypto import keccak

    holder = bytes.fromhex(address[2:]).rjust(32, b"\0")
    for position in range(12):
        slot = "0x" + keccak(holder + position.to_bytes(32, "big")).hex()
        value = int(_rpc(house, "eth_getStorageAt", token, slot, "latest"), 16)
        if value:
            return slot, value
    raise AssertionError(f"no balance of {address} found in {token}")


def _blocks_pass(house: House) -> None:
    """Let what was set become final."""
    _rpc(house, "anvil_mine", "0x4")


def _rpc(house: House, method: str, *parameters: Any) -> Any:
    request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}
    answer = requests.post(house.stack.urls["CHAIN_URL"], json=request, timeout=10).json()
    assert "error" not in answer, answer
    return answer["result"]
