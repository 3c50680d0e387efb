"""Reads what a batch moved through suspense and the guarantee fund, from the contracts' events."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from eth_abi.abi import decode
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from settlement.chain.client import Web3

_DIVERTED = keccak(text="Diverted(uint64,address,uint256)")
_SUBSTITUTED = keccak(text="Substituted(uint64,address,address,uint256)")


@dataclass(frozen=True, slots=True)
class ReserveMoved:
    """Units meant for an account which suspense got, or debited of it which the fund paid."""

    kind: Literal["diverted", "substituted"]
    token: str
    account: str
    amount_units: int


def reserve_movements_read(
    w3: Web3,
    settlement: str,
    tokens: Sequence[str],
    batch_id: int,
    from_block: int,
    to_block: int,
) -> list[ReserveMoved]:
    """Return the batch's diversions and substitutions in a range of blocks.

    Substitutions of a batch that was unwound have no effect, but their events stay.
    """
    if from_block > to_block:
        return []
    filters: Any = {
        "address": [to_checksum_address(one) for one in (settlement, *tokens)],
        "topics": [
            ["0x" + _DIVERTED.hex(), "0x" + _SUBSTITUTED.hex()],
            f"0x{batch_id:064x}",
        ],
        "fromBlock": from_block,
        "toBlock": to_block,
    }
    return [_moved(log) for log in w3.eth.get_logs(filters)]


def _moved(log: Any) -> ReserveMoved:
    indexed = [to_checksum_address(bytes(topic)[-20:]) for topic in log["topics"][2:]]
    (amount,) = decode(["uint256"], bytes(log["data"]))
    if bytes(log["topics"][0]) == _SUBSTITUTED:
        token, account = indexed
        return ReserveMoved("substituted", token, account, amount)
    return ReserveMoved("diverted", to_checksum_address(log["address"]), indexed[0], amount)
