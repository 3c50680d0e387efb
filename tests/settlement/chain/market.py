"""One instance on the test's node, with the keys of its bodies: what tests do in one line."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self
from uuid import UUID, uuid4

from eth_account import Account
from eth_account.messages import encode_typed_data

from settlement.chain import client, encoding, lane
from settlement.chain.blueprint import BODIES, AssetTerms, Body
from settlement.chain.deploy import Deployment, deploy
from settlement.chain.encoding import Batch, Delta, Domain, call_encode

ASSETS = (
    AssetTerms("XAU", "Gold", "metal", 2),
    AssetTerms("XAG", "Silver", "metal", 0),
    AssetTerms("KRW", "Won", "cash", 4),
    AssetTerms("ACME", "Acme ordinary", "security", 0),
)
ROOT = b"\x11" * 32
FAR_DEADLINE = 2**40
GAS = 16_777_216


class Refused(Exception):
    """The chain refused a call; the message is the contract's error."""


@dataclass
class Market:
    """A deployment and the keys that speak for it."""

    w3: client.Web3
    instance: UUID
    lane_key: bytes
    keys: dict[Body, bytes]
    at: Deployment
    opened: int = 0
    versions: dict[str, int] = field(default_factory=dict)

    @classmethod
    def deployed(cls, w3: client.Web3, lane_key: bytes | None = None, **terms: Any) -> Self:
        """Deploy a new instance, by a lane of its own unless one is given."""
        lane_key = lane_key or secrets.token_bytes(32)
        fund(w3, lane.lane_address(lane_key))
        keys = {body: secrets.token_bytes(32) for body in BODIES}
        instance = uuid4()
        signers = {body: lane.lane_address(key) for body, key in keys.items()}
        at = deploy(
            w3, instance=instance, lane_key=lane_key, signers=signers, assets=ASSETS, **terms
        )
        return cls(w3, instance, lane_key, keys, at)

    def token(self, symbol: str) -> str:
        """Return a token's address."""
        return self.at.tokens[symbol]

    def send(self, target: str, data: bytes, key: bytes | None = None) -> int:
        """Send a call and return its gas; raise Refused, and send nothing, if it would revert."""
        key = key or self.lane_key
        sender = lane.lane_address(key)
        refusal = client.call_refusal(self.w3, sender, target, data, GAS)
        if refusal is not None:
            raise Refused(refusal)
        nonce = client.nonce_read(self.w3, sender, "pending")
        fees = client.fees_suggest(self.w3)
        built = lane.transaction_build(target, data, nonce, GAS, *fees, self.at.chain_id)
        raw, digest = lane.transaction_sign(key, built)
        assert lane.broadcast(self.w3, raw).accepted
        receipt = self.w3.eth.wait_for_transaction_receipt(digest, 10, 0.01)  # type: ignore[arg-type]
        assert receipt["status"] == 1
        return int(receipt["gasUsed"])

    def sign(self, body: Body, typed: encoding.TypedData) -> bytes:
        """Sign a message with a body's key."""
        signed = Account.sign_message(encode_typed_data(full_message=typed), self.keys[body])
        return bytes(signed.signature)

    @property
    def domain(self) -> Domain:
        """Return where batches' signatures hold."""
        return Domain(self.at.chain_id, self.at.settlement, self.instance)

    def authority_domain(self, body: Body) -> Domain:
        """Return where a body's signed calls hold."""
        return Domain(self.at.chain_id, self.at.authorities[body], self.instance)

    def execution(self, body: Body, target: str, data: bytes, **changed: Any) -> bytes:
        """Return calldata of a body's signed call; `by` names another body whose key signs."""
        identifier = changed.get("identifier") or secrets.token_bytes(32)
        deadline = changed.get("deadline", FAR_DEADLINE)
        domain = self.authority_domain(body)
        typed = encoding.execute_typed(domain, target, data, identifier, deadline)
        signature = self.sign(changed.get("by", body), typed)
        return lane.execute_call(target, data, identifier, deadline, signature)

    def execute(self, body: Body, target: str, signature: str, *arguments: Any, **how: Any) -> int:
        """Let a body call a contract; return the gas used."""
        data = self.execution(body, target, call_encode(signature, *arguments), **how)
        return self.send(self.at.authorities[body], data)

    def account(self, *, verified: bool = False, clearing_id: int | None = None) -> str:
        """Open an account nobody has the key of, and return its address."""
        return self.accounts(1, verified=verified, clearing_id=clearing_id)[0]

    def accounts(
        self, count: int, *, verified: bool = False, clearing_id: int | None = None
    ) -> list[str]:
        """Open several accounts."""
        fresh = [client.Web3.to_checksum_address(secrets.token_bytes(20)) for _ in range(count)]
        home = clearing_id or self.at.clearing_id
        registry = self.at.account_registry
        self.execute("custody", registry, "openMany(address[],uint32)", fresh, home)
        if verified:
            for account in fresh:
                self.status(account, verified=True)
        return list(fresh)

    def status(
        self, account: str, *, verified: bool = False, frozen: bool = False, sequence: int = 0
    ) -> None:
        """Set what compliance says of an address, under the next version."""
        self.versions[account] = version = self.versions.get(account, 0) + 1
        self.execute(
            "compliance",
            self.at.identity_registry,
            "setStatus(address,bool,bool,uint64,uint64)",
            *(account, verified, frozen, sequence, version),
        )

    def mint(self, symbol: str, account: str, units: int) -> None:
        """Mint against a new receipt or notice; a security needs none."""
        evidence = secrets.token_bytes(32)
        if symbol == "ACME":
            self.execute("custody", self.token(symbol), "mint(address,uint256)", account, units)
        elif symbol == "KRW":
            call = "mint(address,uint256,bytes32)"
            self.execute("custody", self.token(symbol), call, account, units, evidence)
        else:
            call = "mint(address,uint256,bytes32,uint256)"
            self.execute("custody", self.token(symbol), call, account, units, evidence, units)

    def balance(self, symbol: str, account: str) -> int:
        """Return an account's units now."""
        return client.balances_read(self.w3, self.token(symbol), [account], "latest")[0]

    def last_sequence(self) -> int:
        """Return the last settled sequence number now."""
        return client.last_sequence_read(self.w3, self.at.settlement, "latest")

    def deltas(self, *moves: tuple[str, str, int]) -> list[Delta]:
        """Return deltas of (symbol, account, units)."""
        return [Delta(self.token(symbol), account, units) for symbol, account, units in moves]

    def batch(self, batch_id: int, chunks: Sequence[bytes], **changed: Any) -> Batch:
        """Return the batch that follows the last one, over one sequence number."""
        first = self.last_sequence() + 1
        terms: dict[str, Any] = {
            "from_sequence": first,
            "to_sequence": first,
            "fills_root": ROOT,
        } | changed
        return Batch(batch_id=batch_id, chunks_hash=encoding.chunks_hash(chunks), **terms)

    def signatures(self, batch: Batch) -> tuple[bytes, bytes]:
        """Return the venue's signature and the clearing house's."""
        typed = encoding.batch_typed(self.domain, batch)
        return self.sign("venue", typed), self.sign("clearing", typed)

    def settle(self, batch: Batch, chunks: Sequence[bytes]) -> int:
        """Settle a batch in one transaction; return the gas used."""
        return self.send(
            self.at.settlement, lane.settle_call(batch, *self.signatures(batch), chunks)
        )

    def open(self, batch: Batch, chunks: Sequence[bytes]) -> int:
        """Open a batch whose chunks follow; return the gas used."""
        hashes = encoding.chunk_hashes(chunks)
        data = lane.open_call(batch, hashes, *self.signatures(batch))
        return self.send(self.at.settlement, data)

    def apply(self, batch: Batch, index: int, chunk: bytes) -> int:
        """Apply a chunk; return the gas used."""
        return self.send(self.at.settlement, lane.apply_call(batch.batch_id, index, chunk))

    def refund(self, batch: Batch, index: int, chunk: bytes) -> int:
        """Refund a chunk; return the gas used."""
        return self.send(self.at.settlement, lane.refund_call(batch.batch_id, index, chunk))

    def unwind(self, batch: Batch, by: Body | None = "clearing") -> int:
        """Unwind a batch by a body's signature, or by none; return the gas used."""
        signature = b""
        if by is not None:
            signature = self.sign(by, encoding.unwind_typed(self.domain, batch.batch_id))
        return self.send(self.at.settlement, lane.unwind_call(batch.batch_id, signature))

    def substitute(self, batch_id: int, symbol: str, account: str, units: int) -> None:
        """Let the guarantee fund pay for a debit, on both bodies' word."""
        token = self.token(symbol)
        typed = encoding.substitute_typed(self.domain, batch_id, token, account, units)
        signatures = self.sign("venue", typed), self.sign("clearing", typed)
        data = lane.substitute_call(batch_id, token, account, units, *signatures)
        self.send(self.at.settlement, data)

    def state_of(self, *accounts: str) -> tuple[Any, ...]:
        """Return everything a refusal must leave as it is."""
        state = client.settlement_state(self.w3, self.at.settlement, "latest")
        tokens = [self.token(terms.symbol) for terms in ASSETS]
        holders = [*accounts, self.at.suspense, self.at.guarantee_fund, self.at.settlement]
        read = client.balances_read
        return state, *(tuple(read(self.w3, token, holders, "latest")) for token in tokens)


def fund(w3: client.Web3, address: str) -> None:
    """Give an address gas to spend."""
    w3.provider.make_request("anvil_setBalance", [address, hex(10**20)])  # type: ignore[arg-type]


def clock_forward(w3: client.Web3, seconds: int) -> None:
    """Move the node's clock and let one block pass."""
    w3.provider.make_request("evm_increaseTime", [seconds])  # type: ignore[arg-type]
    w3.provider.make_request("evm_mine", [])  # type: ignore[arg-type]
