"""Puts one instance's contracts on a chain and wires them; safe to run twice and after a crash.

Every contract goes through the deterministic deployment proxy (CREATE2), so its address follows
from what it is: what stands already is left alone. Wiring happens once a contract, and then the
deployer keeps nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from eth_utils.crypto import keccak
from hexbytes import HexBytes
from web3 import Account, Web3

from settlement.chain import encoding, lane
from settlement.chain.blueprint import PROXY, AssetTerms, Body, Planned, blueprint_draw
from settlement.chain.client import call_read, chain_id, fees_suggest, nonce_read

__all__ = ["AssetTerms", "Body", "Deployment", "DeploymentError", "deploy"]

RECEIPT_TIMEOUT_S = 120
# Signed with made-up r and s, so nobody has its key and it is the same on every chain:
# github.com/Arachnid/deterministic-deployment-proxy
_PROXY_DEPLOYMENT = bytes.fromhex(
    "f8a58085174876e800830186a08080b853604580600e600039806000f350fe7fffffffffffffffffffffffffffffff"
    "ffffffffffffffffffffffffffffffffe03601600081602082378035828234f58015156039578182fd5b8082525050"
    "506014600cf31ba02222222222222222222222222222222222222222222222222222222222222222a0222222222222"
    "2222222222222222222222222222222222222222222222222222"
)
_PROXY_GAS_WEI = 100_000 * 100 * 10**9


class DeploymentError(Exception):
    """The chain does not hold what was to be deployed; says which contract and why."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """Where one instance's contracts stand; `transactions` is how many this run needed."""

    instance: UUID
    chain_id: int
    block_number: int
    clearing_id: int
    authorities: dict[Body, str]
    account_registry: str
    identity_registry: str
    settlement: str
    suspense: str
    guarantee_fund: str
    tokens: dict[str, str]
    transactions: int


def deploy(
    w3: Web3,
    *,
    instance: UUID,
    lane_key: bytes,
    signers: Mapping[Body, str],
    assets: Sequence[AssetTerms],
    unwind_timeout_s: int = 900,
    rotation_delay_s: int = 172_800,
) -> Deployment:
    """Deploy and wire the contracts of an instance; what is there already is left alone.

    `signers` names each body's key by its address, four different ones. The lane's key pays.
    Raises ValueError on bad terms, DeploymentError when the chain refuses, or when an asset
    is missing from lists that are sealed already (it is listed by `amend` and `addToken` then).
    """
    sender = _Sender(w3, lane_key)
    drawn = blueprint_draw(
        instance=instance,
        deployer=sender.address,
        signers=signers,
        assets=assets,
        unwind_timeout_s=unwind_timeout_s,
        rotation_delay_s=rotation_delay_s,
    )
    _listed_check(w3, drawn.identities.address, drawn.token_addresses)
    sender.proxy_ensure()
    sender.create(drawn.everything())
    sender.seal(drawn.seals())
    return Deployment(
        instance=instance,
        chain_id=sender.chain_id,
        block_number=int(w3.eth.block_number),
        clearing_id=drawn.home,
        authorities=drawn.hands,
        account_registry=drawn.accounts.address,
        identity_registry=drawn.identities.address,
        settlement=drawn.settlement.address,
        suspense=drawn.reserved[0],
        guarantee_fund=drawn.reserved[1],
        tokens=drawn.token_addresses,
        transactions=sender.count,
    )


def _listed_check(w3: Web3, identities: str, tokens: Mapping[str, str]) -> None:
    if not _sealed(w3, identities):
        return
    for symbol, token in tokens.items():
        data = encoding.call_encode("isListed(address)", token)
        if not call_read(w3, identities, data, ["bool"], "latest")[0]:
            raise DeploymentError(
                f"{symbol} is not among the tokens of this instance, whose lists are sealed"
            )


def _sealed(w3: Web3, contract: str) -> bool:
    if not w3.eth.get_code(Web3.to_checksum_address(contract)):
        return False
    data = encoding.call_encode("isSealed()")
    return bool(call_read(w3, contract, data, ["bool"], "latest")[0])


class _Sender:
    """Sends transactions under consecutive nonces and waits for them together."""

    def __init__(self, w3: Web3, key: bytes) -> None:
        self.w3, self.key, self.count = w3, key, 0
        self.address, self.chain_id = lane.lane_address(key), chain_id(w3)

    def proxy_ensure(self) -> None:
        """Put the deterministic deployment proxy on a chain that lacks it."""
        if self.w3.eth.get_code(Web3.to_checksum_address(PROXY)):
            return
        payer = Account.recover_transaction(_PROXY_DEPLOYMENT)
        missing = _PROXY_GAS_WEI - self.w3.eth.get_balance(payer)
        if missing > 0:
            self._send({"funds of the proxy": (payer, b"", missing)})
        self.w3.eth.send_raw_transaction(_PROXY_DEPLOYMENT)
        self.w3.eth.wait_for_transaction_receipt(
            HexBytes(keccak(_PROXY_DEPLOYMENT)),
            RECEIPT_TIMEOUT_S,
            0.05,
        )

    def create(self, planned: Sequence[Planned]) -> None:
        """Create what does not stand yet."""
        missing = [item for item in planned if not self._stands(item.address)]
        self._send({item.label: (PROXY, item.salt + item.init_code, 0) for item in missing})
        for item in missing:
            if not self._stands(item.address):
                raise DeploymentError(f"{item.label} does not stand at {item.address}")

    def seal(self, calls: Mapping[str, bytes]) -> None:
        """Wire every contract that is not sealed yet."""
        open_ones = {target: data for target, data in calls.items() if not _sealed(self.w3, target)}
        self._send({f"seal of {at}": (at, data, 0) for at, data in open_ones.items()})

    def _stands(self, address: str) -> bool:
        return bool(self.w3.eth.get_code(Web3.to_checksum_address(address)))

    def _send(self, calls: Mapping[str, tuple[str, bytes, int]]) -> None:
        nonce = nonce_read(self.w3, self.address, "pending")
        fees = fees_suggest(self.w3)
        sent: dict[str, bytes] = {}
        for label, (target, data, value) in calls.items():
            gas = self._gas(target, data, value)
            built = lane.transaction_build(
                target, data, nonce + len(sent), gas, *fees, self.chain_id
            )
            raw, digest = lane.transaction_sign(
                self.key, built | {"value": Web3.to_wei(value, "wei")}
            )
            answer = lane.broadcast(self.w3, raw)
            if not answer.accepted:
                raise DeploymentError(f"{label}: {answer.error or 'the nonce is used'}")
            sent[label] = digest
        for label, digest in sent.items():
            receipt = self.w3.eth.wait_for_transaction_receipt(
                HexBytes(digest),
                RECEIPT_TIMEOUT_S,
                0.05,
            )
            if receipt["status"] != 1:
                raise DeploymentError(f"{label} was refused in transaction 0x{digest.hex()}")
        self.count += len(sent)

    def _gas(self, target: str, data: bytes, value: int) -> int:
        call: Any = {"from": self.address, "to": target, "value": value, "data": "0x" + data.hex()}
        return int(self.w3.eth.estimate_gas(call)) * 11 // 10
