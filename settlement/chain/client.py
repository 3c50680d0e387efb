"""Reads the chain: balances, batches, events, fees. Sends nothing and signs nothing.

A block is a number or a tag ("latest", "finalized"). Several values that must fit together are read
at one number.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from typing import Any

from eth_abi.abi import decode
from eth_utils.abi import function_abi_to_4byte_selector
from eth_utils.crypto import keccak
from web3 import HTTPProvider, IPCProvider, Web3
from web3.exceptions import ContractLogicError, TransactionNotFound, Web3RPCError
from web3.types import BlockIdentifier, RPCEndpoint

from settlement.chain.contracts import artefact_load
from settlement.chain.encoding import call_encode

__all__ = ["Web3"]  # the connection's type, so that nobody above imports web3 for it

ACCOUNTS_PER_CALL = 1_000
_PROGRESS = "(uint64,uint64,uint64,uint8,uint16,uint16,uint16,bool)"
_ERRORS_OF = ("Authority", "AccountRegistry", "IdentityRegistry", "SecurityToken", "Settlement")
_ERRORS_ALSO_OF = ("MetalToken", "CashToken")


class NotDeployed(Exception):
    """No contract stands at the address in that block."""


class Status(IntEnum):
    """How far a batch is; the numbers are the contract's."""

    NONE = 0
    COLLECTING = 1
    PAYING = 2
    SETTLED = 3
    UNWINDING = 4
    UNWOUND = 5


@dataclass(frozen=True, slots=True)
class Progress:
    """A batch as the contract sees it; `next_chunk` counts applied chunks, less refunded ones."""

    from_sequence: int
    to_sequence: int
    opened_at: int
    status: Status
    chunk_count: int
    next_chunk: int
    escrow_tokens: int
    substituted: bool


@dataclass(frozen=True, slots=True)
class SettlementState:
    """What `Settlement` says of itself in one block; `open_batch_id` is 0 when none is open."""

    last_sequence: int
    open_batch_id: int
    open_batch: Progress


@dataclass(frozen=True, slots=True)
class BatchSettled:
    """The event of a completed batch."""

    batch_id: int
    from_sequence: int
    to_sequence: int
    fills_root: bytes
    block_number: int
    transaction_hash: bytes


@dataclass(frozen=True, slots=True)
class Receipt:
    """Where a transaction ended up."""

    success: bool
    gas_used: int
    block_number: int


def chain_connect(url: str) -> Web3:
    """Connect to a node by http(s) URL or by the path of its IPC socket.

    Raises ValueError for another scheme. No request is made yet.
    """
    provider: HTTPProvider | IPCProvider
    if url.startswith(("http://", "https://")):
        provider = HTTPProvider(url, request_kwargs={"timeout": 30})
    elif "://" in url:
        raise ValueError(f"a node is reached by http, https or a socket's path, not by {url}")
    else:
        provider = IPCProvider(url)
    w3 = Web3(provider)
    w3.middleware_onion.remove("validation")  # which asks for the chain's id before every call
    return w3


def chain_id(w3: Web3) -> int:
    """Return the chain's id."""
    return w3.eth.chain_id


def finalized_block(w3: Web3) -> int:
    """Return the number of the last block the chain will not take back."""
    return int(w3.eth.get_block("finalized")["number"])


def latest_block(w3: Web3) -> int:
    """Return the number of the newest block."""
    return int(w3.eth.block_number)


def latest_head(w3: Web3) -> tuple[int, int]:
    """Return number and Unix time of the newest block."""
    found = w3.eth.get_block("latest")
    return int(found["number"]), int(found["timestamp"])


def finalized_time(w3: Web3) -> int:
    """Return the Unix time of the last block the chain will not take back."""
    return int(w3.eth.get_block("finalized")["timestamp"])


def balances_read(
    w3: Web3, token: str, accounts: Sequence[str], block: BlockIdentifier
) -> list[int]:
    """Return the base units of accounts in one token, all at one block, in the given order.

    Raises NotDeployed when no token stands there.
    """
    if not isinstance(block, int):
        block = w3.eth.get_block(block)["number"]
    balances: list[int] = []
    for start in range(0, len(accounts), ACCOUNTS_PER_CALL):
        page = list(accounts[start : start + ACCOUNTS_PER_CALL])
        data = call_encode("balancesOf(address[])", page)
        (found,) = call_read(w3, token, data, ["uint256[]"], block)
        balances += found
    return balances


def supply_read(w3: Web3, token: str, block: BlockIdentifier) -> int:
    """Return the base units of a token that exist.

    Raises NotDeployed when no token stands there.
    """
    return int(call_read(w3, token, call_encode("totalSupply()"), ["uint256"], block)[0])


def escrow_read(w3: Web3, settlement: str, token: str, block: BlockIdentifier) -> int:
    """Return the base units of a token which the open batch has collected and not yet paid."""
    data = call_encode("escrowOf(address)", token)
    return int(call_read(w3, settlement, data, ["uint256"], block)[0])


def settlement_state(w3: Web3, settlement: str, block: BlockIdentifier) -> SettlementState:
    """Return the last settled sequence number and the open batch, at one block.

    In a block from before the deployment nothing is settled and nothing open.
    """
    try:
        last, batch_id, fields = call_read(
            w3, settlement, call_encode("state()"), ["uint64", "uint64", _PROGRESS], block
        )
    except NotDeployed:
        return SettlementState(0, 0, _progress())
    return SettlementState(last, batch_id, _progress(*fields))


def last_sequence_read(w3: Web3, settlement: str, block: BlockIdentifier) -> int:
    """Return the last settled sequence number; 0 before the first batch."""
    return settlement_state(w3, settlement, block).last_sequence


def progress_read(w3: Web3, settlement: str, batch_id: int, block: BlockIdentifier) -> Progress:
    """Return how far a batch is; status NONE when the contract does not know it in that block."""
    try:
        data = call_encode("progressOf(uint64)", batch_id)
        (fields,) = call_read(w3, settlement, data, [_PROGRESS], block)
    except NotDeployed:
        return _progress()
    return _progress(*fields)


def batch_root(w3: Web3, settlement: str, batch_id: int, block: BlockIdentifier) -> bytes | None:
    """Return the fills' root of a batch that is settled in that block, else None."""
    try:
        data = call_encode("rootOf(uint64)", batch_id)
        (root,) = call_read(w3, settlement, data, ["bytes32"], block)
    except NotDeployed:
        return None
    return root if any(root) else None


def authority_used(w3: Web3, authority: str, identifier: bytes, block: BlockIdentifier) -> bool:
    """Tell whether a body's signed call with this id was carried out in that block's state."""
    return authority_used_many(w3, authority, [identifier], block)[0]


def authority_used_many(
    w3: Web3, authority: str, identifiers: Sequence[bytes], block: BlockIdentifier
) -> list[bool]:
    """Tell of several of a body's signed calls, by their ids, which were carried out by a block."""
    try:
        data = call_encode("areUsed(bytes32[])", list(identifiers))
        return list(call_read(w3, authority, data, ["bool[]"], block)[0])
    except NotDeployed:
        return [False] * len(identifiers)


def authority_signer(w3: Web3, authority: str, block: BlockIdentifier) -> str:
    """Return the address whose signature speaks for a body."""
    return str(call_read(w3, authority, call_encode("signer()"), ["address"], block)[0])


def settled_events(
    w3: Web3, settlement: str, from_block: int, to_block: int
) -> Iterator[BatchSettled]:
    """Yield the batches completed in a range of blocks, oldest first."""
    topic = keccak(text="BatchSettled(uint64,uint64,uint64,bytes32)")
    logs = w3.eth.get_logs(
        {
            "address": Web3.to_checksum_address(settlement),
            "topics": ["0x" + topic.hex()],
            "fromBlock": from_block,
            "toBlock": to_block,
        }
    )
    for log in logs:
        first, last, root = decode(["uint64", "uint64", "bytes32"], bytes(log["data"]))
        batch_id = int.from_bytes(log["topics"][1], "big")
        where = (int(log["blockNumber"]), bytes(log["transactionHash"]))
        yield BatchSettled(batch_id, first, last, root, *where)


def nonce_read(w3: Web3, address: str, block: BlockIdentifier) -> int:
    """Return how many transactions of an address blocks hold."""
    return int(w3.eth.get_transaction_count(Web3.to_checksum_address(address), block))


def receipt_read(w3: Web3, transaction_hash: bytes) -> Receipt | None:
    """Return where a transaction ended up, or None while no block holds it."""
    try:
        found = w3.eth.get_transaction_receipt(transaction_hash)  # type: ignore[arg-type]
    except TransactionNotFound:
        return None
    return Receipt(found["status"] == 1, int(found["gasUsed"]), int(found["blockNumber"]))


def fees_suggest(w3: Web3) -> tuple[int, int]:
    """Return a maximum and a priority fee in wei that outlast some full blocks."""
    priority = int(w3.eth.max_priority_fee)
    return 2 * int(w3.eth.get_block("latest")["baseFeePerGas"]) + priority, priority


def call_read(
    w3: Web3, target: str, data: bytes, types: Sequence[str], block: BlockIdentifier
) -> tuple[Any, ...]:
    """Return the decoded answer of a view in one block.

    Raises NotDeployed when no contract stands there, Web3RPCError when the call reverts.
    """
    # Several views a second: web3's formatters and middleware take four times as long as the call.
    call = {"to": target, "data": "0x" + data.hex()}
    at = hex(block) if isinstance(block, int) else block
    answer = w3.provider.make_request(RPCEndpoint("eth_call"), [call, at])
    if "error" in answer:
        raise Web3RPCError(f"a view of {target} failed in block {block!r}: {answer['error']}")
    found = bytes.fromhex(answer["result"].removeprefix("0x"))
    if not found:
        raise NotDeployed(f"no contract stands at {target} in block {block!r}")
    return decode(types, found)


def call_refusal(
    w3: Web3, sender: str, target: str, data: bytes, gas: int, block: BlockIdentifier = "latest"
) -> str | None:
    """Return why a call would be refused: the contract's error and its arguments; else None."""
    call: Any = {"from": sender, "to": Web3.to_checksum_address(target), "data": "0x" + data.hex()}
    try:
        w3.eth.call(call | {"gas": gas}, block)
    except ContractLogicError as error:
        return revert_explain(error.data) if isinstance(error.data, str) else str(error)
    except Web3RPCError as error:
        return str(error)
    return None


def revert_explain(data: str) -> str:
    """Return the name and arguments of a contract's error, given its ABI-encoded bytes in hex."""
    raw = bytes.fromhex(data.removeprefix("0x"))
    found = _errors().get(raw[:4])
    if found is None:
        return f"reverted with {data}"
    name, types = found
    values = ", ".join(
        f"0x{value.hex()}" if isinstance(value, bytes) else str(value)
        for value in decode(types, raw[4:])
    )
    return f"{name}({values})"


@cache
def _errors() -> dict[bytes, tuple[str, list[str]]]:
    found = {
        function_abi_to_4byte_selector({**entry, "type": "function"}): (  # type: ignore[arg-type]
            str(entry["name"]),
            [str(argument["type"]) for argument in entry["inputs"]],
        )
        for name in (*_ERRORS_OF, *_ERRORS_ALSO_OF)
        for entry in artefact_load(name).abi
        if entry["type"] == "error"
    }
    return found | {keccak(text="Error(string)")[:4]: ("Error", ["string"])}


def _progress(*fields: int) -> Progress:
    first, last, opened, status, chunks, next_chunk, tokens, covered = fields or (0,) * 8
    return Progress(first, last, opened, Status(status), chunks, next_chunk, tokens, bool(covered))
