"""The reconciler: engine, ledger, chain and holdings compared at one cut, each at its source.

Per account and asset, at engine sequence S and finalised block B whose last settled sequence is L:

    ledger = engine
    chain  = engine - net of fills in L+1..S + what the open batch has moved
             + mints in B not credited by S - mints credited by S not in B
             + deposits in B not credited by S
             + withdrawals debited by S - withdrawals in B - withdrawals given back by S
             + their charges on the way from member to revenue
             + what suspense and the guarantee fund took over

and per asset: supply = accounts + escrow + outside wallets, which hold what was withdrawn to them
in B less what they deposited; and the supply lies between the evidence that mints were confirmed
for, less what was burned in B, and all that outsiders hold by their word. Banks hold at least what
their own documents add up to at their last signed balance. A difference halts withdrawals. What is
on its way is reckoned in `flight`. What must not live here: anything that repairs one.
"""

import logging
import time
from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from threading import Event
from typing import Any

from django.conf import settings
from django.utils import timezone

from compliance.errors import NotYet
from compliance.services import audit_append
from custody import selectors as custody_selectors
from custody import services as custody_services
from matching.client import engine
from matching.protocol.queries import Balances, GetBalances, GetStatus
from settlement import deposits, flight, lanes, netting, parting, selectors, settle
from settlement.chain import client, encoding
from settlement.models import Batch, Deployment, MovementKind, Reconciliation, ReserveMovement

POLL_S = 0.05
OUTSIDE_ACCOUNT = 1
SUSPENSE_ACCOUNT = 3
GUARANTEE_ACCOUNT = 4
CLOCKS_APART = timedelta(minutes=1)

Amounts = dict[tuple[int, int], int]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Cut:
    """Where all four are compared, and what each holds there in base units."""

    sequence: int
    block_number: int
    settled_sequence: int
    engine: Amounts
    ledger: Amounts
    chain: Amounts
    expected_chain: Amounts
    supply: dict[int, int]
    escrow: dict[int, int]
    holdings: dict[int, int]
    minted: dict[int, int]
    outside: dict[int, int]
    banks: list[custody_selectors.BankHolding]


def reconcile() -> Reconciliation:
    """Compare everything once and keep the report; on a difference halt withdrawals.

    Raises `NotYet` when followers or settler do not reach the cut in time, `EngineUnavailable`,
    `NotDeployed`.
    """
    cut = cut_take()
    mismatches = [*account_mismatches(cut), *supply_mismatches(cut), *bank_mismatches(cut)]
    report = report_of(cut, mismatches)
    kept = Reconciliation.objects.create(
        sequence=cut.sequence,
        block_number=cut.block_number,
        mismatches=len(mismatches),
        report=report,
    )
    if mismatches:
        first = mismatches[0]
        logger.critical("reconciliation %s: %s", kept.pk, first["message"])
        custody_services.withdrawals_halt(first["message"])
        audit_append(
            body="clearing",
            actor="process:reconciler",
            action="reconciliation.failed",
            subject=f"reconciliation:{kept.pk}",
            detail={"mismatches": len(mismatches), "first": first["message"]},
        )
    return kept


def cut_take() -> Cut:
    """Read all four sources so that they fit together; see the module for the order's reason."""
    node, deployed = lanes.node(), selectors.deployment()
    before, since = engine().ask(GetStatus()).sequence, timezone.now() - CLOCKS_APART
    minted = custody_selectors.outside_holdings(issued_only=True)
    block = client.finalized_block(node)
    state = client.settlement_state(node, deployed.settlement, block)
    reply = engine().ask(GetBalances())
    assert isinstance(reply, Balances)
    balances = {
        (one.account, one.asset): one.available_units + one.held_units for one in reply.balances
    }
    deposits.deposits_find()  # what a busy worker has not read yet
    _followers_wait(reply.sequence, state.last_sequence, block)
    chain, supply, escrow = _chain_read(deployed, block)
    view = flight.View(deployed, before, since, reply.sequence, block)
    out = flight.withdrawals_moved(view)
    adjusted = [
        _negated(
            netting.net(selectors.obligations_between(state.last_sequence + 1, reply.sequence))
        ),
        open_batch_moved(deployed, state, block),
        flight.mints_moved(view),
        flight.deposits_moved(view),
        out.accounts,
        flight.charges_moved(view),
        _reserves_moved(state.last_sequence),
    ]
    return Cut(
        sequence=reply.sequence,
        block_number=block,
        settled_sequence=state.last_sequence,
        engine={key: units for key, units in balances.items() if units},
        ledger=custody_selectors.ledger_balances(upto_sequence=reply.sequence),
        chain=chain,
        expected_chain=_summed(balances, *adjusted),
        supply=supply,
        escrow=escrow,
        holdings=custody_selectors.outside_holdings(),
        minted=_less(minted, out.burned),
        outside=_less(out.transferred, custody_selectors.token_deposit_units(block)),
        banks=custody_selectors.bank_holdings(),
    )


def account_mismatches(cut: Cut) -> list[dict[str, Any]]:
    """Return where ledger or chain hold something else than the engine says, by account and asset.

    Each names the first engine sequence at which the two part.
    """
    found = []
    for account, asset in sorted(cut.engine.keys() | cut.ledger.keys() | cut.chain.keys()):
        key = (account, asset)
        if account == OUTSIDE_ACCOUNT:
            inside = sum(units for (_, one), units in cut.engine.items() if one == asset)
            pairs = [("ledger", -inside, cut.ledger.get(key, 0))]
        else:
            pairs = [
                ("ledger", cut.engine.get(key, 0), cut.ledger.get(key, 0)),
                ("chain", cut.expected_chain.get(key, 0), cut.chain.get(key, 0)),
            ]
        for source, expected, units in pairs:
            if expected != units:
                part = parting.ledger_parting if source == "ledger" else parting.chain_parting
                sequence = part(account, asset, cut.sequence)
                found.append(_mismatch(source, account, asset, expected, units, sequence))
    return found


def supply_mismatches(cut: Cut) -> list[dict[str, Any]]:
    """Return assets whose supply is not what accounts, escrow and evidence add up to."""
    found = []
    for asset in custody_selectors.assets_by_id():
        supply = cut.supply.get(asset, 0)
        inside = sum(units for (_, one), units in cut.chain.items() if one == asset)
        outside = supply - inside - cut.escrow.get(asset, 0)
        expected = cut.outside.get(asset, 0)
        if outside != expected:
            found.append(_mismatch("outside wallets", 0, asset, expected, outside, cut.sequence))
        for bound, limit in (("most", cut.holdings), ("least", cut.minted)):
            held = limit.get(asset, 0)
            if supply > held if bound == "most" else supply < held:
                found.append(_mismatch(f"supply, at {bound}", 0, asset, held, supply, cut.sequence))
    return found


def bank_mismatches(cut: Cut) -> list[dict[str, Any]]:
    """Return banks whose signed balance is less than their own documents add up to."""
    return [
        _mismatch(
            f"bank {one.bank}, at least", 0, one.asset, one.due_units, one.held_units, cut.sequence
        )
        for one in cut.banks
        if one.held_units < one.due_units
    ]


def report_of(cut: Cut, mismatches: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the comparison as JSON: every account and asset, supply against holdings."""
    keys = sorted(cut.engine.keys() | cut.ledger.keys() | cut.chain.keys())
    return {
        "sequence": cut.sequence,
        "block_number": cut.block_number,
        "settled_sequence": cut.settled_sequence,
        "accounts": [
            {
                "account": account,
                "asset": asset,
                "engine": cut.engine.get((account, asset), 0),
                "ledger": cut.ledger.get((account, asset), 0),
                "chain": cut.chain.get((account, asset), 0),
                "chain_expected": cut.expected_chain.get((account, asset), 0),
            }
            for account, asset in keys
            if account != OUTSIDE_ACCOUNT
        ],
        "assets": [
            {
                "asset": asset,
                "supply": cut.supply.get(asset, 0),
                "escrow": cut.escrow.get(asset, 0),
                "outside_holdings": cut.holdings.get(asset, 0),
                "minted_evidence": cut.minted.get(asset, 0),
                "outside_wallets": cut.outside.get(asset, 0),
            }
            for asset in sorted(cut.supply)
        ],
        "banks": [
            {
                "bank": one.bank,
                "asset": one.asset,
                "balance": one.held_units,
                "least": one.due_units,
                "booked_at": one.booked_at.isoformat(),
            }
            for one in cut.banks
        ],
        "mismatches": mismatches,
    }


def _mismatch(
    source: str, account: int, asset: int, expected: int, found: int, sequence: int
) -> dict[str, Any]:
    who = f"account {account}, " if account else ""
    return {
        "source": source,
        "account": account,
        "asset": asset,
        "expected": expected,
        "found": found,
        "first_sequence": sequence,
        "message": f"{source}: {who}asset {asset} holds {found} units, expected {expected}; "
        f"they part at sequence {sequence}",
    }


def _followers_wait(sequence: int, settled: int, block: int) -> None:
    """Wait until all who read engine and chain have passed the cut."""
    pause, until = Event(), time.monotonic() + settings.SETTLEMENT_RECONCILE_WAIT_S
    while True:
        stand = {
            "ledger": custody_selectors.ledger_position() - sequence,
            "obligations": selectors.obligations_position() - sequence,
            "settler": selectors.settled_sequence() - settled,
            "deposits": selectors.deposits_position() - block,
        }
        if min(stand.values()) >= 0:
            return
        if time.monotonic() > until:
            raise NotYet(f"behind the cut at {sequence}, block {block}: {stand}")
        pause.wait(POLL_S)


def _chain_read(deployed: Deployment, block: int) -> tuple[Amounts, dict[int, int], dict[int, int]]:
    """Return balances by (account, asset), supply and escrow by asset, all at one block."""
    node = lanes.node()
    accounts = {
        number: account.address
        for number, account in custody_selectors.accounts_by_number().items()
        if account.address
    }
    chain: Amounts = {}
    supply, escrow = {}, {}
    for asset, token in selectors.token_addresses().items():
        read = client.balances_read(node, token, list(accounts.values()), block)
        for number, units in zip(accounts, read, strict=True):
            if units:
                chain[number, asset] = units
        supply[asset] = client.supply_read(node, token, block)
        escrow[asset] = client.escrow_read(node, deployed.settlement, token, block)
    return chain, supply, escrow


def open_batch_moved(deployed: Deployment, state: client.SettlementState, block: int) -> Amounts:
    """Return what the batch open at a block has debited and credited of accounts so far."""
    batch = Batch.objects.filter(batch_id=state.open_batch_id).first()
    if batch is None:
        return {}
    tokens = {address: asset for asset, address in selectors.token_addresses().items()}
    accounts = {
        account.address: number
        for number, account in custody_selectors.accounts_by_number().items()
    }
    moved: Amounts = defaultdict(int)
    for chunk in batch.chunks.filter(index__lt=state.open_batch.next_chunk):
        for delta in encoding.chunk_decode(bytes(chunk.data))[1]:
            moved[accounts[delta.account], tokens[delta.token]] += delta.amount_units
    taken = settle.reserve_movements(batch, deployed, block)
    standing = [one for one in taken if (one.account, one.asset) in moved]  # others were refunded
    return _summed(moved, _taken_over(standing))


def _reserves_moved(settled: int) -> Amounts:
    """Return what suspense and the guarantee fund took over in batches up to a sequence."""
    standing = ReserveMovement.objects.filter(
        batch__state="confirmed", batch__to_sequence__lte=settled
    )
    return _taken_over(list(standing))


def _taken_over(movements: list[ReserveMovement]) -> Amounts:
    """Return the movements as changes: suspense receives for an account, the fund pays for one."""
    moved: Amounts = defaultdict(int)
    for one in movements:
        diverted = one.kind == MovementKind.DIVERTED
        reserve = SUSPENSE_ACCOUNT if diverted else GUARANTEE_ACCOUNT
        units = one.amount_units if diverted else -one.amount_units
        moved[reserve, one.asset] += units
        moved[one.account, one.asset] -= units
    return moved


def _less(amounts: dict[int, int], taken: dict[int, int]) -> dict[int, int]:
    return {one: amounts.get(one, 0) - taken.get(one, 0) for one in amounts.keys() | taken.keys()}


def _negated(amounts: Amounts) -> Amounts:
    return {key: -units for key, units in amounts.items()}


def _summed(*parts: Amounts) -> Amounts:
    total: Amounts = defaultdict(int)
    for part in parts:
        for key, units in part.items():
            total[key] += units
    return {key: units for key, units in total.items() if units}
