"""Bytes and typed data the contracts understand: chunks, roots, EIP-712 messages, calldata.

Nothing here talks to a node, imports web3 or holds a key. docs/contracts.md is the specification.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Any
from uuid import UUID

from eth_abi.abi import encode
from eth_utils.address import to_checksum_address
from sha3 import keccak_256

PHASE_COLLECT = 0
PHASE_PAY = 1
AMOUNT_MAX = 2**63 - 1
GROUP_MAX = 2**16 - 1
DELTAS_PER_CHUNK = 500

TypedData = dict[str, Any]

_DOMAIN_FIELDS = [
    {"name": "name", "type": "string"},
    {"name": "version", "type": "string"},
    {"name": "chainId", "type": "uint256"},
    {"name": "verifyingContract", "type": "address"},
    {"name": "salt", "type": "bytes32"},
]


@dataclass(frozen=True, slots=True)
class Delta:
    """One account's net movement in one token: below zero it gives, above zero it receives."""

    token: str
    account: str
    amount_units: int


@dataclass(frozen=True, slots=True)
class Batch:
    """What venue and clearing house sign."""

    batch_id: int
    from_sequence: int
    to_sequence: int
    fills_root: bytes
    chunks_hash: bytes


@dataclass(frozen=True, slots=True)
class Domain:
    """Where a signature holds: the chain, the contract and the instance."""

    chain_id: int
    contract: str
    instance: UUID


def instance_salt(instance: UUID) -> bytes:
    """Return the 32 bytes which bind contracts and signatures to one instance."""
    return instance.bytes + bytes(16)


def clearing_id(instance: UUID) -> int:
    """Return the instance's clearing id: the UUID's first four bytes, never zero."""
    return int.from_bytes(instance.bytes[:4], "big") or 1


def reserved_account(instance: UUID, role: str) -> str:
    """Return the address of "suspense" or "guarantee fund": a hash, so nobody has its key."""
    return to_checksum_address(_keccak(instance_salt(instance) + role.encode())[-20:])


def chunks_encode(deltas: Iterable[Delta], *, max_deltas: int = DELTAS_PER_CHUNK) -> list[bytes]:
    """Pack net deltas into chunks, every debit before any credit, ordered by token and account.

    Zero deltas are left out; no deltas give no chunks. 500 credits, all to holders new to their
    token, stay under the 16,777,216 gas of a transaction (EIP-7825).
    Raises ValueError when a token's deltas do not sum to zero, an account appears twice in a
    token, or an amount does not fit.
    """
    if not 1 <= max_deltas <= GROUP_MAX:
        raise ValueError(f"max_deltas must lie in 1..{GROUP_MAX}, not {max_deltas}")
    entries = _entries_sorted(deltas)
    chunks: list[bytes] = []
    for phase in (PHASE_COLLECT, PHASE_PAY):
        of_phase = [e for e in entries if (e[2] > 0) is (phase == PHASE_PAY)]
        chunks += [
            _chunk_pack(phase, of_phase[start : start + max_deltas])
            for start in range(0, len(of_phase), max_deltas)
        ]
    return chunks


def _entries_sorted(deltas: Iterable[Delta]) -> list[tuple[bytes, bytes, int]]:
    entries = sorted(
        (_address_bytes(d.token), _address_bytes(d.account), d.amount_units)
        for d in deltas
        if d.amount_units
    )
    for before, after in pairwise(entries):
        if before[:2] == after[:2]:
            raise ValueError(
                f"account 0x{after[1].hex()} appears twice in token 0x{after[0].hex()}"
            )
    for token, group in groupby(entries, key=lambda entry: entry[0]):
        amounts = [amount for _, _, amount in group]
        if sum(amounts):
            raise ValueError(f"deltas of token 0x{token.hex()} sum to {sum(amounts)}, not to zero")
        if max(map(abs, amounts)) > AMOUNT_MAX:
            raise ValueError(f"a delta of token 0x{token.hex()} is above {AMOUNT_MAX}")
    return entries


def _address_bytes(address: str) -> bytes:
    raw = bytes.fromhex(address.removeprefix("0x"))
    if len(raw) != 20:
        raise ValueError(f"an address has 20 bytes, {address!r} has {len(raw)}")
    return raw


def _chunk_pack(phase: int, entries: Sequence[tuple[bytes, bytes, int]]) -> bytes:
    packed = bytearray([phase])
    for token, group in groupby(entries, key=lambda entry: entry[0]):
        members = list(group)
        packed += token + len(members).to_bytes(2, "big")
        for _, account, amount in members:
            packed += account + abs(amount).to_bytes(8, "big")
    return bytes(packed)


def chunk_decode(chunk: bytes) -> tuple[int, list[Delta]]:
    """Return the phase of a chunk and its deltas, signed as they were encoded.

    Raises ValueError on an unknown phase or bytes that are short or left over.
    """
    if not chunk or chunk[0] not in (PHASE_COLLECT, PHASE_PAY):
        raise ValueError("a chunk starts with phase 0 or 1")
    sign = 1 if chunk[0] == PHASE_PAY else -1
    deltas: list[Delta] = []
    position = 1
    while position < len(chunk):
        token = chunk[position : position + 20]
        count = int.from_bytes(chunk[position + 20 : position + 22], "big")
        position += 22
        if not count or position + 28 * count > len(chunk):
            raise ValueError("a chunk ends inside a group")
        for start in range(position, position + 28 * count, 28):
            amount = int.from_bytes(chunk[start + 20 : start + 28], "big")
            account = to_checksum_address(chunk[start : start + 20])
            deltas.append(Delta(to_checksum_address(token), account, sign * amount))
        position += 28 * count
    return chunk[0], deltas


def chunk_length(chunk: bytes) -> int:
    """Return the number of deltas in a chunk that `chunks_encode` made."""
    position, deltas = 1, 0
    while position < len(chunk):
        count = int.from_bytes(chunk[position + 20 : position + 22], "big")
        position, deltas = position + 22 + 28 * count, deltas + count
    return deltas


def chunk_hashes(chunks: Iterable[bytes]) -> list[bytes]:
    """Return the keccak256 of each chunk, in order."""
    return [_keccak(chunk) for chunk in chunks]


def chunks_hash(chunks: Iterable[bytes]) -> bytes:
    """Return what a batch commits to: keccak256 of the concatenated chunk hashes."""
    return _keccak(b"".join(chunk_hashes(chunks)))


def fill_leaf(encoding: bytes) -> bytes:
    """Return a fill's Merkle leaf, hashed twice so that no inner node passes for a leaf."""
    return _keccak(_keccak(encoding))


def fills_root(leaves: Sequence[bytes]) -> bytes:
    """Return the Merkle root over 32-byte leaves, pairs sorted, a lone node moving up.

    OpenZeppelin's `MerkleProof.verify` accepts proofs against it.
    Raises ValueError without leaves: a batch without fills is not settled.
    """
    if not leaves:
        raise ValueError("a root needs at least one leaf")
    level = list(leaves)
    while len(level) > 1:
        level = _level_above(level)
    return level[0]


def fill_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Return the siblings which prove the leaf at `index` against `fills_root(leaves)`."""
    level, proof = list(leaves), []
    while len(level) > 1:
        sibling = index ^ 1
        if sibling < len(level):
            proof.append(level[sibling])
        level, index = _level_above(level), index // 2
    return proof


def _level_above(level: Sequence[bytes]) -> list[bytes]:
    even = len(level) & ~1
    above = [
        _keccak(one + other if one < other else other + one)
        for one, other in zip(level[:even:2], level[1::2], strict=True)
    ]
    return [*above, *level[even:]]


def _keccak(data: bytes) -> bytes:
    # A fill is hashed four times over; the library that eth_utils finds takes nine times as long.
    return bytes(keccak_256(data).digest())


def batch_typed(domain: Domain, batch: Batch) -> TypedData:
    """Return the `Batch` both bodies sign, for `encode_typed_data(full_message=...)`."""
    fields = "uint64 batchId,uint64 fromSequence,uint64 toSequence,bytes32 fillsRoot"
    values = (batch.batch_id, batch.from_sequence, batch.to_sequence)
    return _typed(
        "Nexus Settlement",
        domain,
        f"Batch({fields},bytes32 chunksHash)",
        (*values, batch.fills_root, batch.chunks_hash),
    )


def unwind_typed(domain: Domain, batch_id: int) -> TypedData:
    """Return the `Unwind` which the clearing house signs."""
    return _typed("Nexus Settlement", domain, "Unwind(uint64 batchId)", (batch_id,))


def substitute_typed(
    domain: Domain, batch_id: int, token: str, account: str, amount_units: int
) -> TypedData:
    """Return the `Substitute` both bodies sign: the guarantee fund pays for an account."""
    fields = "uint64 batchId,address token,address account,uint256 amount"
    values = (batch_id, token, account, amount_units)
    return _typed("Nexus Settlement", domain, f"Substitute({fields})", values)


def execute_typed(
    domain: Domain, target: str, data: bytes, identifier: bytes, deadline: int
) -> TypedData:
    """Return the `Execute` a body signs so that its Authority calls `target` with `data`.

    `identifier` is 32 bytes, used once; `deadline` is Unix seconds. Custody and compliance build
    the same message themselves (docs/contracts.md shows it), for they cannot import this.
    """
    fields = "address target,bytes data,bytes32 id,uint256 deadline"
    values = (target, data, identifier, deadline)
    return _typed("Nexus Authority", domain, f"Execute({fields})", values)


def rotate_typed(domain: Domain, new_signer: str, nonce: int) -> TypedData:
    """Return the `Rotate` signed by the outgoing key and by another body's."""
    fields = "address newSigner,uint256 nonce"
    return _typed("Nexus Authority", domain, f"Rotate({fields})", (new_signer, nonce))


def cancel_rotation_typed(domain: Domain, new_signer: str, nonce: int) -> TypedData:
    """Return the `CancelRotation` signed by the current key or any other body's."""
    fields = "address newSigner,uint256 nonce"
    return _typed("Nexus Authority", domain, f"CancelRotation({fields})", (new_signer, nonce))


def amend_typed(
    domain: Domain, target: str, selector: bytes, allowed: bool, nonce: int
) -> TypedData:
    """Return the `Amend` of an Authority's list, signed by its key and by another body's."""
    fields = "address target,bytes4 selector,bool allowed,uint256 nonce"
    values = (target, selector, allowed, nonce)
    return _typed("Nexus Authority", domain, f"Amend({fields})", values)


def _typed(name: str, domain: Domain, type_text: str, values: Sequence[Any]) -> TypedData:
    primary, _, rest = type_text.rstrip(")").partition("(")
    fields = [field.split(" ") for field in rest.split(",")]
    assert len(fields) == len(values)
    return {
        "types": {
            "EIP712Domain": _DOMAIN_FIELDS,
            primary: [{"name": field, "type": kind} for kind, field in fields],
        },
        "primaryType": primary,
        "domain": {
            "name": name,
            "version": "1",
            "chainId": domain.chain_id,
            "verifyingContract": domain.contract,
            "salt": instance_salt(domain.instance),
        },
        "message": {field: value for (_, field), value in zip(fields, values, strict=True)},
    }


def call_encode(signature: str, *arguments: Any) -> bytes:
    """Return calldata for a signature like `mint(address,uint256,bytes32,uint256)`."""
    return _keccak(signature.encode())[:4] + encode(_argument_types(signature), arguments)


def _argument_types(signature: str) -> list[str]:
    inner = signature[signature.index("(") + 1 : -1]
    types, depth, current = [], 0, ""
    for character in inner:
        depth += (character == "(") - (character == ")")
        if character == "," and not depth:
            types.append(current)
            current = ""
        else:
            current += character
    return [*types, current] if current else types
