"""Calldata of contracts that compliance and custody call; signatures as in docs/contracts.md."""

from collections.abc import Sequence
from typing import Any


def calldata(signature: str, arguments: Sequence[Any]) -> bytes:
    """Return selector and ABI-encoded arguments of a function of elementary types."""
    # Most processes that import this room never encode a call, and these cost 0.2 s.
    from eth_abi.abi import encode
    from eth_utils.crypto import keccak

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


def open_account(address: str, clearing_id: int) -> bytes:
    """Return `AccountRegistry.open` for one account."""
    return calldata("open(address,uint32)", [address, clearing_id])


def mint_metal(address: str, units: int, receipt: bytes, receipt_units: int) -> bytes:
    """Return `MetalToken.mint` against a receipt of so many audited units."""
    return calldata(
        "mint(address,uint256,bytes32,uint256)", [address, units, receipt, receipt_units]
    )


def mint_cash(address: str, units: int, notice: bytes) -> bytes:
    """Return `CashToken.mint` against a bank notice."""
    return calldata("mint(address,uint256,bytes32)", [address, units, notice])


def mint_security(address: str, units: int) -> bytes:
    """Return `SecurityToken.mint`; that it happens once is the intent's id's doing."""
    return calldata("mint(address,uint256)", [address, units])


def burn(address: str, units: int, redemption: bytes) -> bytes:
    """Return `MetalToken.burn` or `CashToken.burn` for one redemption."""
    return calldata("burn(address,uint256,bytes32)", [address, units, redemption])


def custody_transfer(sender: str, receiver: str, units: int) -> bytes:
    """Return `custodyTransfer` out of an account."""
    return calldata("custodyTransfer(address,address,uint256)", [sender, receiver, units])
