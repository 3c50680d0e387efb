"""One unit altered in engine, ledger or chain, behind everybody's back: the comparison names it."""

from matching.protocol.commands import Credit, Debit
from tests.e2e.house import House

KRW, XAU = 1, 2


def _found(house: House) -> list[tuple[str, int, int, int]]:
    """Return (source, account, asset, found less expected) of every difference."""
    status, report = house.reconcile()
    assert status == (1 if report["mismatches"] else 0)
    return [
        (row["source"], row["account"], row["asset"], row["found"] - row["expected"])
        for row in report["mismatches"]
    ]


def test_comparison_fails_when_one_unit_is_tampered_with_in_the_ledger(house: House) -> None:
    member = house.traders[0]
    assert _found(house) == []
    ((posting, entry_sequence),) = house.query(
        "SELECT p.id, e.sequence FROM custody_posting p JOIN custody_entry e ON e.id = p.entry_id"
        " WHERE p.account_id = %s AND p.asset_id = %s ORDER BY p.id LIMIT 1",
        member.account,
        XAU,
    )

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
    member = house.traders[0]
    ((token, address),) = house.query(
        "SELECT (SELECT token_address FROM custody_asset WHERE id = %s), address"
        " FROM custody_account WHERE id = %s",
        XAU,
        member.account,
    )
    slot, value = _balance_slot(house, token, address)
    house.chain("anvil_setStorageAt", token, slot, f"0x{value + 1:064x}")
    _blocks_pass(house)
    assert ("chain", member.account, XAU, 1) in _found(house)
    house.chain("anvil_setStorageAt", token, slot, f"0x{value:064x}")
    _blocks_pass(house)
    assert _found(house) == []


def test_comparison_fails_when_one_unit_is_credited_behind_custodys_back(house: House) -> None:
    member = house.traders[0]
    answer = house.engine.send(Credit(member.account, KRW, 1, "tampered:1"))
    found = _found(house)
    assert ("chain", member.account, KRW, -1) in found
    _, report = house.reconcile()
    (named,) = [row for row in report["mismatches"] if row["account"] == member.account]
    assert named["first_sequence"] == answer.sequence
    house.engine.send(Debit(member.account, KRW, 1, "tampered:2"))
    assert _found(house) == []


def _balance_slot(house: House, token: str, address: str) -> tuple[str, int]:
    """Find the storage slot of a holder's balance: a mapping of the first few slots."""
    from eth_utils.crypto import keccak

    holder = bytes.fromhex(address[2:]).rjust(32, b"\0")
    for position in range(12):
        slot = "0x" + keccak(holder + position.to_bytes(32, "big")).hex()
        value = int(house.chain("eth_getStorageAt", token, slot, "latest"), 16)
        if value:
            return slot, value
    raise AssertionError(f"no balance of {address} found in {token}")


def _blocks_pass(house: House) -> None:
    """Let what was set become final."""
    house.chain("anvil_mine", "0x4")
