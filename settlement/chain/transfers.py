"""Reads `Transfer` events of tokens: who sent what to whom, in a bounded range of blocks.

The node's answer is decoded here and not by web3, which takes a hundred times as long: batches
write thousands of these events.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from settlement.chain.client import Web3

_TRANSFER = "0x" + keccak(text="Transfer(address,address,uint256)").hex()


@dataclass(frozen=True, slots=True)
class Transferred:
    """One event; addresses carry their checksum, the hash is hex with 0x."""

    token: str
    sender: str
    receiver: str
    amount_units: int
    transaction_hash: str
    log_index: int
    block_number: int


def transfers_read(
    w3: Web3,
    tokens: Sequence[str],
    receivers: set[str],
    ignored_senders: set[str],
    from_block: int,
    to_block: int,
) -> Iterator[Transferred]:
    """Yield transfers of these tokens to these receivers, in the order of the chain.

    Units of one token at most fill 63 bits; transfers of nothing and those of `ignored_senders`
    are left out. Raises ValueError when the node refuses.
    """
    wanted = {one.lower() for one in receivers}
    ignored = {one.lower() for one in ignored_senders}
    for log in _logs(w3, tokens, from_block, to_block):
        sender, receiver = ("0x" + topic[-40:] for topic in log["topics"][1:3])
        units = int(log["data"], 16)
        if units and receiver in wanted and sender not in ignored:
            yield Transferred(
                token=to_checksum_address(log["address"]),
                sender=to_checksum_address(sender),
                receiver=to_checksum_address(receiver),
                amount_units=units,
                transaction_hash=log["transactionHash"],
                log_index=int(log["logIndex"], 16),
                block_number=int(log["blockNumber"], 16),
            )


def _logs(w3: Web3, tokens: Sequence[str], from_block: int, to_block: int) -> list[dict[str, Any]]:
    filters: Any = {
        "address": list(tokens),
        "topics": [_TRANSFER],
        "fromBlock": hex(from_block),
        "toBlock": hex(to_block),
    }
    answer = w3.provider.make_request("eth_getLogs", [filters])  # type: ignore[arg-type]
    if "error" in answer:
        raise ValueError(f"the node refuses logs {from_block}..{to_block}: {answer['error']}")
    found: list[dict[str, Any]] = answer["result"]
    return found
