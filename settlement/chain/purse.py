"""Moves ether, which pays for gas, from the deployer's key to a lane; nothing else is sent here."""

from hexbytes import HexBytes

from settlement.chain import client, lane
from settlement.chain.client import Web3

GAS = 21_000
RECEIPT_TIMEOUT_S = 120


def purse_read(w3: Web3, address: str) -> int:
    """Return an address's ether in wei."""
    return int(w3.eth.get_balance(Web3.to_checksum_address(address)))


def purse_fill(w3: Web3, key: bytes, address: str, amount_wei: int) -> None:
    """Send ether to a lane and wait until a block holds it.

    Raises ValueError when the payer has too little or the node refuses.
    """
    payer = lane.lane_address(key)
    fees = client.fees_suggest(w3)
    nonce = client.nonce_read(w3, payer, "pending")
    built = lane.transaction_build(address, b"", nonce, GAS, *fees, client.chain_id(w3))
    raw, digest = lane.transaction_sign(key, built | {"value": Web3.to_wei(amount_wei, "wei")})
    answer = lane.broadcast(w3, raw)
    if not answer.accepted:
        raise ValueError(f"{payer} cannot send {amount_wei} wei to {address}: {answer.error}")
    w3.eth.wait_for_transaction_receipt(HexBytes(digest), RECEIPT_TIMEOUT_S, 0.05)
