"""What is between engine and chain at a cut: mints, deposits and withdrawals on their way.

The engine is asked by reference, the chain at one block; no state of a row is believed.
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from custody import selectors as custody_selectors
from matching.client import engine
from matching.protocol.queries import GetMovement, MovementFound
from settlement import lanes
from settlement.chain import client
from settlement.models import Deployment
from settlement.netting import REVENUE_ACCOUNT

BURNS = ("cash", "bar")
TRANSFERS = ("token",)

Amounts = dict[tuple[int, int], int]


@dataclass(frozen=True, slots=True)
class View:
    """A cut: engine sequence and block, and when it was certain that all earlier is in both.

    What the engine had credited at `before`, and what was closed before `since`, was in the chain
    when the block was chosen.
    """

    deployed: Deployment
    before: int
    since: datetime
    sequence: int
    block: int

    def moved(self, reference: str) -> bool:
        """Tell whether the engine had applied the reference's credit or debit at the cut."""
        found = engine().ask(GetMovement(reference))
        assert isinstance(found, MovementFound)
        return 0 < found.applied_sequence <= self.sequence

    def carried(self, intent_id: UUID) -> bool:
        """Tell whether the block holds custody's intent."""
        identifier = intent_id.bytes.rjust(32, b"\0")
        authority = self.deployed.authorities["custody"]
        return client.authority_used(lanes.node(), authority, identifier, self.block)


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """What withdrawals change of accounts on chain, and what left them altogether, by asset."""

    accounts: Amounts
    burned: dict[int, int]
    transferred: dict[int, int]


def mints_moved(view: View) -> Amounts:
    """Return mints the block holds and the engine had not credited, less the reverse."""
    moved: Amounts = defaultdict(int)
    for issuance in custody_selectors.issuances_since(view.before):
        assert issuance.intent_id is not None
        reference = custody_selectors.issuance_reference(issuance)
        ahead = int(view.carried(issuance.intent_id)) - int(view.moved(reference))
        moved[issuance.account_id, issuance.asset_id] += ahead * issuance.amount_units
    return moved


def deposits_moved(view: View) -> Amounts:
    """Return deposits from outside the block holds and the engine had not credited."""
    moved: Amounts = defaultdict(int)
    for one in custody_selectors.token_deposits_since(view.before):
        reference = custody_selectors.deposit_reference(one.transaction_hash, one.log_index)
        ahead = int(one.block_number <= view.block) - int(view.moved(reference))
        moved[one.account_id, one.asset_id] += ahead * one.amount_units
    return moved


def charges_moved(view: View) -> Amounts:
    """Return what withdrawals were charged, on its way from member to revenue."""
    moved: Amounts = defaultdict(int)
    for one in custody_selectors.charges_unclosed(view.since):
        member, pk = one.withdrawal.account_id, one.withdrawal.pk
        debit = custody_selectors.withdrawal_reference(
            pk, one.withdrawal.kind, one.withdrawal.destination
        )
        back = custody_selectors.return_reference(pk)
        taken, carried = view.moved(debit), view.carried(custody_selectors.charge_intent_id(pk))
        for charge in custody_selectors.charges_of(one.withdrawal):
            credited = view.moved(custody_selectors.charge_reference(pk, charge.name))
            left = int(taken) - int(view.moved(f"{back}:{charge.name}")) - int(carried)
            moved[member, charge.asset] += left * charge.amount_units
            moved[REVENUE_ACCOUNT, charge.asset] += (carried - credited) * charge.amount_units
    return moved


def withdrawals_moved(view: View) -> Withdrawn:
    """Return what is debited and still on chain, and what all withdrawals took out by the block."""
    moved: Amounts = defaultdict(int)
    gone = {
        kinds: defaultdict(int, custody_selectors.withdrawn_units(kinds, view.since))
        for kinds in (BURNS, TRANSFERS)
    }
    for one in custody_selectors.withdrawals_in_flight(view.since):
        debit = custody_selectors.withdrawal_reference(one.pk, one.kind, one.destination)
        carried = view.carried(one.pk)
        ahead = (
            int(view.moved(debit))
            - int(carried)
            - int(view.moved(custody_selectors.return_reference(one.pk)))
        )
        moved[one.account_id, one.asset_id] += ahead * one.amount_units
        if carried:
            gone[TRANSFERS if one.kind in TRANSFERS else BURNS][one.asset_id] += one.amount_units
    return Withdrawn(moved, dict(gone[BURNS]), dict(gone[TRANSFERS]))
