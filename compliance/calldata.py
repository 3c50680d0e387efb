"""Calldata of contracts that compliance and custody call; signatures as in docs/contracts.md."""

from collections.abc import Sequence
from typing import Any

from eth_abi.abi import encode
from eth_utils.crypto import keccak


def calldata(signature: str, arguments: Sequence[Any]) -> bytes:
    """Return selector and ABI-encoded arguments of a function of elementary types."""
    types = signature[signature.index("(") + 1 : -1].split(",")
    return bytes(keccak(text=signature)[:4] + encode(types, arguments))


def set_status(
    address: str, *, verified: bool, frozen: bool, frozen_sequence: int, version: int
) -> bytes:
    """Return `IdentityRegistry.setStatus` for one account."""
    return calldata(
        "setStatus(address,bool,bool,uint64,uint64)",
        [address, verified, frozen, frozen_sequence, version],
    )
