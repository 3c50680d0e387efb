"""The venue's half of clearing: net what was filled or moved, have it signed, hand it over.

A proposal only says which range is meant; the venue's signer computes it again from the journal.
What must not live here: keys, the chain.
"""

import logging
import time

from django.db import connection, transaction
from django.utils import timezone

from compliance.errors import BodyRefused
from exchange.listings.selectors import instrument_by_id
from exchange.trading import locks, selectors
from exchange.trading.models import BatchProposal, BatchProposalState
from exchange.trading.projection import FillRecord
from matching.protocol.units import Side
from settlement import selectors as clearing
from settlement import services as clearing_services
from settlement.errors import BatchOpen, NotYet, RangeRefused
from settlement.netting import ComposedBatch, Obligation

CYCLE_S = 2.0
FILLS_MAX = 50_000
CHANNEL = "venue_batches"
SIGNER_CHANNEL = "venue_proposals"

logger = logging.getLogger(__name__)


class Cycle:
    """Proposes once a cycle, and hands over what is signed as soon as it is."""

    def __init__(self, cycle_s: float = CYCLE_S) -> None:
        self._cycle_s = cycle_s
        self._due_at = 0.0

    def step(self) -> int:
        """Do what can be done now; return how many proposals were handed over.

        A cycle that finds a batch under way begins when that is title, not a whole cycle later.
        """
        if time.monotonic() >= self._due_at and clearing.open_batch() is None:
            self._due_at = time.monotonic() + self._cycle_s
            batch_propose()
        signed = BatchProposal.objects.filter(state=BatchProposalState.SIGNED)
        return sum(batch_hand_over(batch_id=proposal.batch_id) for proposal in signed)


def batch_propose() -> BatchProposal | None:
    """Propose all since the last batch, or an unwound range again; None if nothing can be.

    Running it again returns the proposal that stands.
    """
    following = clearing.next_batch_range()
    if following is None:
        return None
    standing = BatchProposal.objects.filter(batch_id=following.batch_id).first()
    if standing is not None and standing.state != BatchProposalState.REPLACED:
        return standing
    dues = _dues(following)
    if not dues:
        return None
    try:
        composed = clearing.batch_compose(
            batch_id=following.batch_id,
            from_sequence=following.from_sequence,
            to_sequence=following.to_sequence or max(due.sequence for due in dues),
            obligations=dues,
        )
    except (BodyRefused, ValueError) as error:
        logger.warning("no batch from %s yet: %s", following.from_sequence, error)
        return None
    return _proposal_store(composed)


def batch_hand_over(*, batch_id: int) -> bool:
    """Hand a signed proposal to the clearing house; return whether it took it. May run any time.

    A proposal whose range is no longer wanted is replaced by the next cycle. A net that differs
    stays as it is, with the difference on it, until people have found out why.
    """
    proposal = BatchProposal.objects.get(batch_id=batch_id)
    if proposal.state != BatchProposalState.SIGNED or proposal.venue_signature is None:
        return False
    try:
        clearing_services.batch_submit(
            batch_id=batch_id,
            from_sequence=proposal.from_sequence,
            to_sequence=proposal.to_sequence,
            positions={(account, asset): int(units) for account, asset, units in proposal.net},
            fills_root=bytes(proposal.fills_root),
            chunks_hash=bytes(proposal.chunks_hash),
            venue_signature=bytes(proposal.venue_signature),
        )
    except (NotYet, BatchOpen):
        return False
    except RangeRefused as refusal:
        _proposal_end(batch_id, BatchProposalState.REPLACED, str(refusal))
        return False
    except BodyRefused as refusal:
        logger.error("batch %s is refused: %s", batch_id, refusal)
        BatchProposal.objects.filter(batch_id=batch_id).update(error=str(refusal))
        return False
    _proposal_end(batch_id, BatchProposalState.SUBMITTED, "")
    return True


@transaction.atomic
def batch_sign(*, batch_id: int, signature: bytes) -> None:
    """Store the venue's signature of a proposal, once, and wake the cycle."""
    proposal = locks.proposal_lock(batch_id)
    if proposal.state == BatchProposalState.PROPOSED:
        proposal.venue_signature, proposal.signed_at = signature, timezone.now()
        proposal.state, proposal.error = BatchProposalState.SIGNED, ""
        proposal.save(update_fields=["venue_signature", "signed_at", "state", "error"])
        _notify(CHANNEL)


def batch_note(*, batch_id: int, error: str) -> None:
    """Note on a proposal why the signer does not sign it."""
    BatchProposal.objects.filter(batch_id=batch_id).update(error=error)


def obligation(fill: FillRecord) -> Obligation:
    """Return what a fill makes buyer and seller owe."""
    terms = instrument_by_id(fill.instrument)
    taker = (fill.taker_account, fill.taker_fee_units)
    maker = (fill.maker_account, fill.maker_fee_units)
    buys, sells = (taker, maker) if fill.taker_side == Side.BUY else (maker, taker)
    return Obligation(
        fill_id=fill.fill_id,
        sequence=fill.sequence,
        instrument=fill.instrument,
        buyer=buys[0],
        seller=sells[0],
        base_asset=terms.base.id,
        base_units=fill.base_units,
        quote_asset=terms.quote.id,
        quote_units=fill.quote_units,
        buyer_fee_units=buys[1],
        seller_fee_units=sells[1],
    )


def _dues(following: clearing.BatchRange) -> list[Obligation]:
    """Return what the next batch nets: whole commands only, with about FILLS_MAX fills at most."""
    begin, end = following.from_sequence, selectors.projector_position()
    again = following.to_sequence is not None
    if following.to_sequence is not None:
        if end < following.to_sequence:
            return []
        end = following.to_sequence
    fills = selectors.fills_between(begin, end, limit=None if again else FILLS_MAX + 1)
    if len(fills) > FILLS_MAX and not again:
        cut = fills[-1].sequence
        whole = [fill for fill in fills if fill.sequence < cut]
        fills, end = (whole, cut - 1) if whole else (selectors.fills_between(cut, cut), cut)
    return [*map(obligation, fills), *selectors.movements_between(begin, end)]


@transaction.atomic
def _proposal_store(composed: ComposedBatch) -> BatchProposal:
    terms = composed.terms
    # An unwound batch leaves its range to this one; a refused one, its number as well.
    BatchProposal.objects.filter(from_sequence=terms.from_sequence).update(
        state=BatchProposalState.REPLACED
    )
    proposal, _ = BatchProposal.objects.update_or_create(
        batch_id=terms.batch_id,
        defaults={
            "from_sequence": terms.from_sequence,
            "to_sequence": terms.to_sequence,
            "fills": composed.fills,
            "fills_root": terms.fills_root,
            "chunks_hash": terms.chunks_hash,
            "net": [
                [account, asset, str(units)]
                for (account, asset), units in composed.positions.items()
            ],
            "venue_signature": None,
            "signed_at": None,
            "state": BatchProposalState.PROPOSED,
            "error": "",
        },
    )
    _notify(SIGNER_CHANNEL)
    return proposal


@transaction.atomic
def _proposal_end(batch_id: int, state: BatchProposalState, error: str) -> None:
    proposal = locks.proposal_lock(batch_id)
    if proposal.state == BatchProposalState.SIGNED:
        proposal.state, proposal.error = state, error
        if state == BatchProposalState.SUBMITTED:
            proposal.submitted_at = timezone.now()
        proposal.save(update_fields=["state", "error", "submitted_at"])


def _notify(channel: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"NOTIFY {channel}")
