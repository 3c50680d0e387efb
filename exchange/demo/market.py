"""A market with people in it: officers enrolled, members identified and funded, trading opened.

Every step goes through the bodies' services and two officers, as it would in earnest.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path

from django.conf import settings

from compliance import services as compliance
from compliance.selectors import act_get, party_get
from custody import selectors as custody
from custody.evidence import BANK_NOTICE, REGISTRAR_NOTICE, VAULT_RECEIPT
from exchange.demo.evidence import Sources
from exchange.demo.officers import ENROLMENT, Officers
from exchange.demo.trader import Trader
from exchange.demo.waiting import wait_for_each, wait_until
from exchange.listings.calendars import continuous_phase
from exchange.listings.defaults import SEGMENTS, default_listings
from exchange.listings.selectors import instruments
from exchange.listings.services import instrument_list, segment_list
from exchange.listings.terms import InstrumentTerms
from exchange.members.scopes import Scope
from exchange.members.services import api_key_create, member_admit
from matching.protocol.units import InstrumentClass, Phase

KRW, GRAM = 10_000, 1_000
CONTINUOUS_PHASES = (Phase.CONTINUOUS, Phase.CONTINUOUS_24H)
FUNDS = {"KRW": 100_000_000 * KRW, "XAU": 500 * GRAM, "XAG": 20_000 * GRAM}


class Market:
    """One instance as its people see it; `base_url` is the REST door."""

    def __init__(self, base_url: str) -> None:
        people = Path(settings.KEYS) / "people"
        self.base_url = base_url
        self.officers = Officers(people)
        self.sources = Sources(people)

    def found(self) -> None:
        """Enrol officers and sources of evidence; again changes nothing."""
        self.officers.enrol()
        self.sources.enrol()

    def open(self, base_prices: Mapping[str, Decimal] | None = None) -> None:
        """List the default instruments, around the last month's prices or given ones; open them."""
        for listing in default_listings(base_prices):
            instrument_list(listing=listing, actor=ENROLMENT)
        for segment in SEGMENTS:
            segment_list(listing=segment, actor=ENROLMENT)
        self.reopen()

    def reopen(self) -> None:
        """Open what is closed by acts of the venue, whatever its calendar says; wait until done."""
        for phase in CONTINUOUS_PHASES:
            closed = [
                terms.id for terms in self._closed() if continuous_phase(terms.calendar) is phase
            ]
            self.phases_set(closed, phase, "special session")
        wait_until(lambda: not self._closed(), "the instruments to open")

    def phases_set(self, instruments: Iterable[int], phase: Phase, reason: str) -> None:
        """Move instruments' phases by two officers of the venue, and wait until it is done."""
        acts = [
            self.officers.decide(
                "venue.set_phase", {"instrument": instrument, "phase": int(phase)}, reason
            )
            for instrument in instruments
        ]
        wait_for_each(acts, lambda act: act_get(act).state == "executed", f"phase {phase.name}")

    def members_admit(self, people: Mapping[str, InstrumentClass]) -> list[Trader]:
        """Identify people for classes of instruments, admit them, return each with an API key."""
        holders = {}
        for name, classes in people.items():
            party = compliance.party_apply(
                legal_name=name, kind="person", jurisdiction="KR", actor=ENROLMENT
            )
            holders[name] = party.holder
            self.officers.decide(
                "compliance.identify",
                {"holder": party.holder, "classes": int(classes)},
                "identity papers seen",
            )
        wait_for_each(holders.values(), self._identified, "a member's identification")
        traders = [
            self.key_make(member_admit(holder=holder, label=name, actor=ENROLMENT).account_id, name)
            for name, holder in holders.items()
        ]
        wait_for_each(
            [trader.account for trader in traders],
            lambda number: custody.account_get(number).ready,
            "a member's account in engine and chain",
        )
        return traders

    def fund(self, wishes: Mapping[int, Mapping[str, int]]) -> None:
        """Bring units of assets to accounts by evidence, mint and credit; returns once credited."""
        issued = []
        for account, amounts in wishes.items():
            for code, units in amounts.items():
                asset_id, kind, found = self._vouched(account, code, units)
                payload = {
                    "evidence_kind": kind,
                    "evidence_id": found,
                    "account": account,
                    "asset": asset_id,
                    "amount_units": units,
                }
                self.officers.decide("custody.mint", payload, "evidence checked")
                issued.append((kind, found))
        wait_for_each(
            issued, self._credited, "a mint to be final on chain and credited in the engine"
        )

    def _vouched(self, account: int, code: str, units: int) -> tuple[int, str, str]:
        """Have the asset's keeper vouch for units; return the asset, the evidence's kind and id."""
        asset = custody.asset_get(code=code)
        match asset.kind:
            case "cash":
                kind, vouch = BANK_NOTICE, self.sources.cash_booked
            case "security":
                kind, vouch = REGISTRAR_NOTICE, self.sources.shares_booked
            case _:
                kind, vouch = VAULT_RECEIPT, self.sources.bars_stored
        return asset.id, kind, vouch(account=account, asset=code, units=units)

    def key_make(self, account: int, label: str) -> Trader:
        """Return the member of an account with a fresh API key."""
        key, secret = api_key_create(
            account=account, scopes=[Scope.READ, Scope.TRADE], actor=ENROLMENT
        )
        return Trader(self.base_url, label, account, key.access_key, secret)

    def _closed(self) -> list[InstrumentTerms]:
        listed = instruments(fresh=True).values()
        return [terms for terms in listed if terms.phase not in CONTINUOUS_PHASES]

    def _identified(self, holder: int) -> bool:
        return party_get(holder=holder).engine_sequence is not None

    def _credited(self, issued: tuple[str, str]) -> bool:
        kind, evidence_id = issued
        issuance = custody.issuance_of(evidence_kind=kind, evidence_id=evidence_id)
        return issuance is not None and issuance.state == issuance.State.CREDITED
