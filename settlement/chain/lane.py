"""The lane's transactions: calldata of every carried call, fees, signing, sending.

Pure but for `broadcast`. The lane's key pays for gas and signs for no body; where a transaction is
stored and when it is sent again is not decided here.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from web3 import Account, Web3
from web3.exceptions import Web3RPCError
from web3.types import TxParams

from settlement.chain.encoding import Batch, call_encode

_BATCH = "(uint64,uint64,uint64,bytes32,bytes32)"
_EXECUTE = "(address,bytes,bytes32,uint256)"
_KNOWN = ("already known", "already imported")
_STALE = ("nonce too low",)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a node said to a transaction: taken (now or before), or why not."""

    accepted: bool
    error: str = ""


def transaction_build(
    target: str,
    data: bytes,
    nonce: int,
    gas: int,
    max_fee_wei: int,
    priority_fee_wei: int,
    chain_id: int,
) -> TxParams:
    """Return an EIP-1559 transaction, ready to be signed."""
    return {
        "type": 2,
        "to": Web3.to_checksum_address(target),
        "data": "0x" + data.hex(),  # type: ignore[typeddict-item]
        "nonce": nonce,  # type: ignore[typeddict-item]
        "gas": gas,
        "maxFeePerGas": max_fee_wei,  # type: ignore[typeddict-item]
        "maxPriorityFeePerGas": priority_fee_wei,  # type: ignore[typeddict-item]
        "value": 0,  # type: ignore[typeddict-item]
        "chainId": chain_id,
    }


def transaction_sign(key: bytes, transaction: TxParams) -> tuple[bytes, bytes]:
    """Return the signed bytes and their hash; the same input gives the same bytes."""
    signed = Account.sign_transaction(transaction, key)
    return bytes(signed.raw_transaction), bytes(signed.hash)


def lane_address(key: bytes) -> str:
    """Return the address that pays with this key."""
    return str(Account.from_key(key).address)


def fees_bump(max_fee_wei: int, priority_fee_wei: int) -> tuple[int, int]:
    """Return both fees raised by 12.5 %, rounded up, which nodes ask of a replacement."""
    return max_fee_wei + -(-max_fee_wei // 8), priority_fee_wei + -(-priority_fee_wei // 8)


def broadcast(w3: Web3, raw: bytes) -> Answer:
    """Send signed bytes. A transaction the node has already counts as accepted.

    A nonce that a block has used is an answer, not a fault; so is every other refusal by the node.
    Raises the provider's errors when the node cannot be reached.
    """
    try:
        w3.eth.send_raw_transaction(raw)
    except Web3RPCError as error:
        text = str(error).lower()
        if any(words in text for words in _KNOWN):
            return Answer(accepted=True)
        if any(words in text for words in _STALE):
            return Answer(accepted=False)
        return Answer(accepted=False, error=str(error))
    return Answer(accepted=True)


def settle_call(
    batch: Batch, venue_signature: bytes, clearing_signature: bytes, chunks: Sequence[bytes]
) -> bytes:
    """Return calldata that settles a whole batch in one transaction."""
    signature = f"settle({_BATCH},bytes,bytes,bytes[])"
    return call_encode(signature, _fields(batch), venue_signature, clearing_signature, list(chunks))


def open_call(
    batch: Batch, hashes: Sequence[bytes], venue_signature: bytes, clearing_signature: bytes
) -> bytes:
    """Return calldata that opens a batch whose chunks follow."""
    signature = f"openBatch({_BATCH},bytes32[],bytes,bytes)"
    return call_encode(signature, _fields(batch), list(hashes), venue_signature, clearing_signature)


def apply_call(batch_id: int, index: int, chunk: bytes) -> bytes:
    """Return calldata that applies the next chunk of the open batch."""
    return call_encode("applyChunk(uint64,uint256,bytes)", batch_id, index, chunk)


def unwind_call(batch_id: int, clearing_signature: bytes) -> bytes:
    """Return calldata that begins to unwind a batch; the signature is empty after the timeout."""
    return call_encode("unwind(uint64,bytes)", batch_id, clearing_signature)


def refund_call(batch_id: int, index: int, chunk: bytes) -> bytes:
    """Return calldata that gives back what a chunk collected."""
    return call_encode("refund(uint64,uint256,bytes)", batch_id, index, chunk)


def substitute_call(
    batch_id: int,
    token: str,
    account: str,
    amount_units: int,
    venue_signature: bytes,
    clearing_signature: bytes,
) -> bytes:
    """Return calldata that lets the guarantee fund pay for an account's debit."""
    signature = "substitute(uint64,address,address,uint256,bytes,bytes)"
    signatures = (venue_signature, clearing_signature)
    return call_encode(signature, batch_id, token, account, amount_units, *signatures)


def execute_call(
    target: str, data: bytes, identifier: bytes, deadline: int, signature: bytes
) -> bytes:
    """Return calldata for a body's Authority that carries out what the body signed."""
    request = (target, data, identifier, deadline)
    return call_encode(f"execute({_EXECUTE},bytes)", request, signature)


def execute_many_call(requests: Sequence[tuple[str, bytes, bytes, int, bytes]]) -> bytes:
    """Return calldata that carries out several such calls, given as for `execute_call`."""
    signed = [request[:4] for request in requests]
    signatures = [signature for *_, signature in requests]
    return call_encode(f"executeMany({_EXECUTE}[],bytes[])", signed, signatures)


def _fields(batch: Batch) -> tuple[int, int, int, bytes, bytes]:
    return (
        batch.batch_id,
        batch.from_sequence,
        batch.to_sequence,
        batch.fills_root,
        batch.chunks_hash,
    )
