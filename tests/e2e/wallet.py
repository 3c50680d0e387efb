"""A wallet outside the house: a key of its own, ether for gas, plain ERC-20 transfers."""

from dataclasses import dataclass, field
from typing import Any

from eth_account import Account
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from settlement.chain.encoding import call_encode
from tests.e2e.house import House
from tests.waiting import wait_until

GAS = 300_000
ETHER = 10**18
TRANSFER = keccak(text="Transfer(address,address,uint256)")
# A contract which writes `Transfer(from, to, amount)` for any call with these three words: it
# copies the third to memory and logs it with the topics, and returns nothing.
FORGER = bytes.fromhex("60206040600037" + "602035600035" + "7f" + TRANSFER.hex() + "60206000a300")


@dataclass
class Wallet:
    """An outside address which signs its own transactions."""

    house: House
    key: Any = field(default_factory=Account.create)

    def __post_init__(self) -> None:
        self.house.chain("anvil_setBalance", self.address, hex(ETHER))

    @property
    def address(self) -> str:
        return str(self.key.address)

    def units(self, token: str) -> int:
        """Return what the wallet holds of a token now."""
        data = "0x" + call_encode("balanceOf(address)", self.address).hex()
        return int(self.house.chain("eth_call", {"to": token, "data": data}, "latest"), 16)

    def transfer(self, token: str, receiver: str, units: int) -> str:
        """Send units of a token; return the transaction's hash."""
        return self.call(token, call_encode("transfer(address,uint256)", receiver, units))

    def forge(self, sender: str, receiver: str, units: int) -> str:
        """Deploy a contract of nobody's and let it write a transfer event; return the hash."""
        size = len(FORGER)
        creation = bytes([0x60, size, 0x60, 12, 0x60, 0, 0x39, 0x60, size, 0x60, 0, 0xF3]) + FORGER
        deployed = self._receipt(self.call("", creation))["contractAddress"]
        words = b"".join(
            int(word, 16).to_bytes(32, "big") for word in (sender, receiver, hex(units))
        )
        return self.call(to_checksum_address(deployed), words)

    def call(self, target: str, data: bytes) -> str:
        """Send a transaction and wait until a block holds it."""
        nonce = int(self.house.chain("eth_getTransactionCount", self.address, "pending"), 16)
        transaction: dict[str, Any] = {
            "chainId": int(self.house.chain("eth_chainId"), 16),
            "nonce": nonce,
            "gas": GAS,
            "maxFeePerGas": 10**10,
            "maxPriorityFeePerGas": 10**9,
            "value": 0,
            "data": data,
            **({"to": target} if target else {}),
        }
        raw = bytes(self.key.sign_transaction(transaction).raw_transaction)
        sent = str(self.house.chain("eth_sendRawTransaction", "0x" + raw.hex()))
        assert int(self._receipt(sent)["status"], 16) == 1
        return sent

    def _receipt(self, sent: str) -> dict[str, Any]:
        wait_until(lambda: self.house.chain("eth_getTransactionReceipt", sent))
        found: dict[str, Any] = self.house.chain("eth_getTransactionReceipt", sent)
        return found
