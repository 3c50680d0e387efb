"""Lanes: addresses that pay gas, and the transactions they have on their way.

A transaction is stored with its nonce and signature before it is sent, and what is stored is sent
again, byte by byte, until a block holds it; after a reorganisation too. Whether it had the wished
effect is not judged here: that is read from the contracts. No key of a body is opened here.
"""

import hashlib
import logging
from datetime import timedelta
from functools import cache

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from matching.protocol.faults import crash_point
from settlement import locks
from settlement.chain import client, lane
from settlement.errors import LaneUnavailable
from settlement.models import ChainTransaction, Lane, TransactionState

BATCHES = "batches"
INTENTS = "intents"
NAMES = (BATCHES, INTENTS)
UNDER_WAY = (TransactionState.STORED, TransactionState.BROADCAST)
RESENT_MAX = 64

logger = logging.getLogger(__name__)


@cache
def node() -> client.Web3:
    """Return this process's connection to the node at `CHAIN_URL`."""
    return client.chain_connect(settings.CHAIN_URL)


def master_key() -> bytes:
    """Return the 32-byte key in the lane key file, which deploys and fills the lanes' purses.

    Raises `LaneUnavailable` when this process is not given the file or it holds something else.
    """
    try:
        key = bytes.fromhex(settings.LANE_KEY_FILE.read_text().strip())
    except (OSError, ValueError) as error:
        raise LaneUnavailable(f"no lane key in {settings.LANE_KEY_FILE}: {error}") from error
    if len(key) != 32:
        raise LaneUnavailable(f"{settings.LANE_KEY_FILE} must hold 32 bytes in hex")
    return key


def lane_key(name: str) -> bytes:
    """Return the key of a lane, derived from the master key and the lane's name."""
    return hashlib.sha256(b"nexus-lane-v1\n" + name.encode() + master_key()).digest()


def transaction_send(
    *, lane_name: str, subject: str, target: str, data: bytes, gas: int, batch_id: int | None = None
) -> None:
    """Store and broadcast the transaction of a step, unless one for it is on its way already.

    Raises `LaneUnavailable` before the deployment or without the lane's key.
    """
    if ChainTransaction.objects.filter(subject=subject, state__in=UNDER_WAY).exists():
        return
    stored = _transaction_store(lane_name, subject, target, data, gas, batch_id)
    if stored is None:
        return
    crash_point("settler.transaction_stored")
    _broadcast(stored)
    crash_point("settler.transaction_broadcast")


def _transaction_store(
    lane_name: str, subject: str, target: str, data: bytes, gas: int, batch_id: int | None
) -> ChainTransaction | None:
    key, chain_id = lane_key(lane_name), client.chain_id(node())
    max_fee, priority_fee = client.fees_suggest(node())
    with transaction.atomic():
        try:
            paying = locks.lane_lock(lane_name)
        except Lane.DoesNotExist:
            raise LaneUnavailable(
                f"lane {lane_name} does not exist: run `manage.py chain_deploy`"
            ) from None
        if ChainTransaction.objects.filter(subject=subject, state__in=UNDER_WAY).exists():
            return None
        built = lane.transaction_build(
            target, data, paying.next_nonce, gas, max_fee, priority_fee, chain_id
        )
        raw, digest = lane.transaction_sign(key, built)
        stored = ChainTransaction.objects.create(
            lane=paying,
            nonce=paying.next_nonce,
            subject=subject,
            batch_id=batch_id,
            target=target,
            data=data,
            gas=gas,
            max_fee_wei=max_fee,
            priority_fee_wei=priority_fee,
            raw=raw,
            hashes=["0x" + digest.hex()],
        )
        paying.next_nonce += 1
        paying.save(update_fields=["next_nonce"])
    return stored


def _broadcast(stored: ChainTransaction) -> None:
    """Send the stored bytes; what the node says matters only to people."""
    answer = lane.broadcast(node(), bytes(stored.raw))
    now = timezone.now()
    found = ChainTransaction.objects.filter(pk=stored.pk)
    if answer.accepted:
        found.filter(state=TransactionState.STORED).update(
            state=TransactionState.BROADCAST, sent_at=now, error=""
        )
    elif answer.error:
        found.update(error=answer.error)
        logger.warning("%s under nonce %s: %s", stored.subject, stored.nonce, answer.error)


def call_refusal(name: str, target: str, data: bytes, gas: int) -> str | None:
    """Return why the contract would refuse the call from this lane now, or None."""
    sender = lane.lane_address(lane_key(name))
    return client.call_refusal(node(), sender, target, data, gas)


def lane_advance(name: str) -> bool:
    """Bring a lane's transactions up to date with the chain and re-send what no block holds.

    Return False when another worker is at it. Whatever a reorganisation took out of the chain has
    a nonce that is free again, and is sent again in the order of nonces.
    """
    with locks.advisory(f"lane:{name}") as held:
        if not held:
            return False
        paying = Lane.objects.filter(name=name).first()
        if paying is None:
            raise LaneUnavailable(f"lane {name} does not exist: run `manage.py chain_deploy`")
        used = client.nonce_read(node(), paying.address, "latest")
        open_or_free = Q(state__in=(*UNDER_WAY, TransactionState.MINED)) | Q(nonce__gte=used)
        if (
            used > paying.next_nonce
            or ChainTransaction.objects.filter(open_or_free, lane=paying).exists()
        ):
            final = client.nonce_read(node(), paying.address, "finalized")
            _used_resolve(paying, used, final)
            _free_resend(paying, used)
    return True


def _used_resolve(paying: Lane, used: int, final: int) -> None:
    """Settle the fate of transactions whose nonce a block has used."""
    if used > paying.next_nonce:  # the database is older than the chain: a restored backup
        with transaction.atomic():
            locked = locks.lane_lock(paying.name)
            locked.next_nonce = max(locked.next_nonce, used)
            locked.save(update_fields=["next_nonce"])
    open_ones = ChainTransaction.objects.filter(
        lane=paying, nonce__lt=used, state__in=UNDER_WAY
    ).order_by("nonce")
    for sent in open_ones:
        state, gas_used = TransactionState.SUPERSEDED, None
        for digest in reversed(sent.hashes):
            receipt = client.receipt_read(node(), bytes.fromhex(digest[2:]))
            if receipt is not None:
                state = TransactionState.MINED if receipt.success else TransactionState.REVERTED
                gas_used = receipt.gas_used
                break
        ChainTransaction.objects.filter(pk=sent.pk, state__in=UNDER_WAY).update(
            state=state, gas_used=gas_used
        )
    ChainTransaction.objects.filter(
        lane=paying, nonce__lt=min(final, used), state=TransactionState.MINED
    ).update(state=TransactionState.FINAL)


def _free_resend(paying: Lane, used: int) -> None:
    """Send again what no block holds, and outbid the first of them when it is stuck."""
    pending = ChainTransaction.objects.filter(lane=paying, nonce__gte=used)
    lost = pending.filter(state__in=[TransactionState.MINED, TransactionState.FINAL])
    for sent in lost.order_by("nonce"):
        logger.warning("%s left the chain: sending the same bytes again", sent.subject)
        ChainTransaction.objects.filter(pk=sent.pk).update(state=TransactionState.BROADCAST)
    stuck_before = timezone.now() - timedelta(seconds=settings.SETTLEMENT_REPLACE_AFTER_S)
    for sent in pending.order_by("nonce")[:RESENT_MAX]:
        since = sent.sent_at or sent.created_at
        if sent.nonce == used and sent.state in UNDER_WAY and since < stuck_before:
            sent = _replace(sent)
        _broadcast(sent)


def _replace(stuck: ChainTransaction) -> ChainTransaction:
    """Store the same step under the same nonce with both fees raised; every hash is kept."""
    key, chain_id = lane_key(stuck.lane_id), client.chain_id(node())
    suggested_max, suggested_priority = client.fees_suggest(node())
    with transaction.atomic():
        locked = locks.transaction_lock(stuck.pk)
        bumped_max, bumped_priority = lane.fees_bump(locked.max_fee_wei, locked.priority_fee_wei)
        max_fee = max(bumped_max, suggested_max)
        if max_fee > settings.SETTLEMENT_MAX_FEE_WEI:
            logger.error("%s is stuck at the highest fee allowed", locked.subject)
            return locked
        priority_fee = max(bumped_priority, suggested_priority)
        built = lane.transaction_build(
            locked.target,
            bytes(locked.data),
            locked.nonce,
            locked.gas,
            max_fee,
            priority_fee,
            chain_id,
        )
        raw, digest = lane.transaction_sign(key, built)
        locked.max_fee_wei, locked.priority_fee_wei = max_fee, priority_fee
        locked.raw, locked.hashes = raw, [*locked.hashes, "0x" + digest.hex()]
        locked.sent_at = timezone.now()
        locked.save(update_fields=["max_fee_wei", "priority_fee_wei", "raw", "hashes", "sent_at"])
    logger.warning("%s is stuck: replaced at %s wei", locked.subject, max_fee)
    return locked
