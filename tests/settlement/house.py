"""A clearing house on a real chain and database, with the keys of all bodies: tests' one-liners."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings

from compliance import policy
from compliance.services import signer_key_set
from compliance.signer import BodySigner, attestation_typed
from custody import selectors as custody_selectors
from custody import services as custody_services
from custody.models import Account
from exchange.stack.chain import lane_fund
from matching.protocol.codec import StreamEntry
from matching.protocol.commands import DefineInstrument
from matching.protocol.events import AnyEvent, Applied, Filled, InstrumentDefined
from matching.protocol.units import Side
from settlement import lanes, netting, obligations, selectors, services, settle
from settlement.chain import client, encoding, lane
from settlement.deployment import chain_deploy
from settlement.models import Batch, Deployment
from settlement.recomputation import JournaledFills
from settlement.signer import ClearingSigner
from tests.waiting import wait_until

BODIES = ("venue", "clearing", "custody", "compliance")
KRW, XAU, XAG = 1, 2, 3
REVENUE, SUSPENSE, GUARANTEE = 2, 3, 4
GOLD, SILVER = 1, 2
ASSETS = (("KRW", "cash", 4), ("XAU", "metal", 3), ("XAG", "metal", 3))
FAR_DEADLINE = 2**40
PASSES_MAX = 40


@dataclass
class House:
    """One deployed instance; `keys` speak for the bodies, `signer` is the clearing house's own."""

    keys: dict[str, BodySigner]
    sequence: int = 0
    fills: int = 0
    journal: JournaledFills = field(init=False)
    signer: ClearingSigner = field(init=False)
    _numbers: Iterable[int] = field(default_factory=lambda: iter(range(1000, 2000)))

    def __post_init__(self) -> None:
        self.journal = JournaledFills({GOLD: (XAU, KRW), SILVER: (XAG, KRW)})
        self.signer = ClearingSigner(self.keys["clearing"], self.journal)

    @classmethod
    def deployed(cls) -> "House":
        """Announce fresh keys, register assets and deploy; accounts 2 to 4 stand afterwards."""
        keys = {body: BodySigner(body, secrets.token_bytes(32)) for body in BODIES}
        for body, key in keys.items():
            signer_key_set(body=body, address=key.address)
        for number, (code, kind, decimals) in enumerate(ASSETS, 1):
            custody_services.asset_register(
                asset_id=number, code=code, name=code, kind=kind, decimals=decimals
            )
        lane_fund(settings.CHAIN_URL, lanes.master_key())
        chain_deploy()
        house = cls(keys)
        house._address_give(REVENUE)
        house.feed(
            *(
                InstrumentDefined(DefineInstrument(number, base, KRW, 1, 1, 1, 2**40))
                for number, base in ((GOLD, XAU), (SILVER, XAG))
            )
        )
        return house

    @property
    def deployment(self) -> Deployment:
        return selectors.deployment()

    def rpc(self, method: str, *parameters: Any) -> Any:
        """Call the node itself."""
        answer = lanes.node().provider.make_request(method, list(parameters))  # type: ignore[arg-type]
        assert "error" not in answer, answer
        return answer["result"]

    def block(self) -> int:
        """Return the number of the newest block."""
        return int(self.rpc("eth_blockNumber"), 16)

    def mine(self, blocks: int = 3) -> None:
        """Mine so many empty blocks; two make what was mined before final."""
        self.rpc("anvil_mine", hex(blocks))

    def member(self, **units: int) -> int:
        """Open an account, mint so many units of assets by code to it; return its number."""
        number = next(iter(self._numbers))
        Account.objects.create(id=number, holder=number * 7)
        self._address_give(number)
        for code, amount in units.items():
            self.mint(number, code, amount)
        return number

    def member_unopened(self) -> int:
        """Return an account with an attested address which the chain does not know."""
        number = next(iter(self._numbers))
        Account.objects.create(id=number, holder=number * 7)
        self._address_give(number, opened=False)
        return number

    def _address_give(self, number: int, *, opened: bool = True) -> None:
        account = custody_selectors.account_get(number)
        address = client.Web3.to_checksum_address(secrets.token_bytes(20))
        typed = attestation_typed(holder=account.holder, account=number, address=address)
        account.address, account.attestation = address, self.keys["custody"].sign_typed(typed)
        account.save()
        if not opened:
            return
        registry = self.deployment.account_registry
        home = encoding.clearing_id(settings.INSTANCE_ID)
        self.execute("custody", registry, "open(address,uint32)", address, home)

    def address(self, account: int) -> str:
        return custody_selectors.account_addresses([account])[account]

    def mint(self, account: int, code: str, units: int) -> None:
        """Mint on chain against fresh evidence."""
        token, evidence = self._token(code), secrets.token_bytes(32)
        address = self.address(account)
        if code == "KRW":
            call = "mint(address,uint256,bytes32)"
            self.execute("custody", token, call, address, units, evidence)
        else:
            call = "mint(address,uint256,bytes32,uint256)"
            self.execute("custody", token, call, address, units, evidence, units)

    def burn(self, account: int, code: str, units: int) -> None:
        """Take units away behind the engine's back, by custody's key."""
        call = "burn(address,uint256,bytes32)"
        arguments = (self.address(account), units, secrets.token_bytes(32))
        self.execute("custody", self._token(code), call, *arguments)

    def _token(self, code: str) -> str:
        return selectors.token_addresses()[[one for one, _, _ in ASSETS].index(code) + 1]

    def execute(self, body: str, target: str, signature: str, *arguments: Any) -> None:
        """Let a body call a contract, carried by the deployer's purse."""
        authority = self.deployment.authorities[body]
        domain = encoding.Domain(self.deployment.chain_id, authority, settings.INSTANCE_ID)
        data, identifier = encoding.call_encode(signature, *arguments), secrets.token_bytes(32)
        typed = encoding.execute_typed(domain, target, data, identifier, FAR_DEADLINE)
        signed = self.keys[body].sign_typed(typed)
        carried = lane.execute_call(target, data, identifier, FAR_DEADLINE, signed)
        self.carry(authority, carried)

    def carry(self, target: str, data: bytes) -> None:
        """Send a call from the deployer's purse, as any stranger may; it must succeed."""
        node, key = lanes.node(), lanes.master_key()
        payer = lane.lane_address(key)
        assert (refusal := client.call_refusal(node, payer, target, data, 10**7)) is None, refusal
        nonce = client.nonce_read(node, payer, "pending")
        built = lane.transaction_build(
            target, data, nonce, 10**7, *client.fees_suggest(node), client.chain_id(node)
        )
        raw, digest = lane.transaction_sign(key, built)
        assert lane.broadcast(node, raw).accepted
        wait_until(lambda: client.receipt_read(node, digest))
        assert (receipt := client.receipt_read(node, digest)) is not None and receipt.success

    def feed(self, *events: AnyEvent) -> StreamEntry:
        """Let the engine publish one batch, each event of a command of its own."""
        applied = tuple(
            Applied(self.sequence + index, 1_700_000_000_000_000_000 + index, (event,))
            for index, event in enumerate(events, 1)
        )
        entry = StreamEntry(self.sequence, applied)
        self.sequence = entry.last_sequence
        obligations.obligations_store(entry)
        self.journal.ingest(entry)
        return entry

    def fill(
        self,
        buyer: int,
        seller: int,
        units: int,
        quote_units: int,
        instrument: int = GOLD,
        fees: tuple[int, int] = (0, 0),
    ) -> Filled:
        """Let the engine make one fill; `fees` are the taking buyer's and the making seller's."""
        self.fills += 1
        filled = Filled(
            fill_id=self.fills,
            instrument=instrument,
            price_ticks=1,
            quantity_lots=units,
            base_units=units,
            quote_units=quote_units,
            taker_side=Side.BUY,
            maker_order_id=1,
            taker_order_id=2,
            maker_account=seller,
            taker_account=buyer,
            maker_fee_units=fees[1],
            taker_fee_units=fees[0],
            maker_remaining_lots=0,
            taker_remaining_lots=0,
        )
        self.feed(filled)
        return filled

    def composed(self) -> netting.ComposedBatch:
        """Compose the next batch over all fills there are, as the venue does."""
        expected = selectors.next_batch_range()
        assert expected is not None
        end = expected.to_sequence or self.sequence
        return selectors.batch_compose(
            batch_id=expected.batch_id,
            from_sequence=expected.from_sequence,
            to_sequence=end,
            obligations=selectors.obligations_between(expected.from_sequence, end),
        )

    def venue_signature(self, composed: netting.ComposedBatch) -> bytes:
        typed = encoding.batch_typed(selectors.batch_domain(), composed.terms)
        return self.keys["venue"].sign_typed(typed)

    def propose(self) -> Batch:
        """Submit the next batch as the venue."""
        composed = self.composed()
        return services.batch_submit(
            batch_id=composed.terms.batch_id,
            from_sequence=composed.terms.from_sequence,
            to_sequence=composed.terms.to_sequence,
            positions=composed.positions,
            fills_root=composed.terms.fills_root,
            chunks_hash=composed.terms.chunks_hash,
            venue_signature=self.venue_signature(composed),
        )

    def signed(self) -> Batch:
        """Submit the next batch and let the clearing house's signer sign it."""
        batch = self.propose()
        self.mine()
        assert self.signer.sign_waiting() == 1, Batch.objects.get(pk=batch.pk).error
        batch.refresh_from_db()
        return batch

    def advance(self, batch: Batch, *states: str) -> Batch:
        """Advance and mine until the batch is in one of the states, confirmed by default."""
        wanted = states or ("confirmed",)
        for _ in range(PASSES_MAX):
            settle.batch_advance(batch_id=batch.batch_id)
            batch.refresh_from_db()
            if batch.state in wanted:
                return batch
            self.mine()
        raise AssertionError(f"batch {batch.batch_id} stays {batch.state}: {batch.error}")

    def chain_units(self, account: int, asset: int) -> int:
        """Return an account's units on chain now."""
        token = selectors.token_addresses()[asset]
        return client.balances_read(lanes.node(), token, [self.address(account)], "latest")[0]

    def trust_officers(self, *desks: Any) -> None:
        """Let the clearing signer's policy list these desks' officers."""
        for desk in desks:
            key = bytes(desk.officer.public_key)
            policy.officer_trust("clearing", desk.officer.user.username, key)
