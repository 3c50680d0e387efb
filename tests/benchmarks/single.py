"""One transaction a fill: what the chain's way costs without netting, for comparison."""

import time

from tests.benchmarks.runs import Figures, say
from tests.benchmarks.venue import Venue
from tests.waiting import wait_until

FILLS = 200


def single(venue: Venue) -> Figures:
    """Settle batches of one fill each, one after another without waiting; return rate and gas.

    Both bodies' keys sign them here, as no exchange would, and every fill is of two accounts that
    hold both assets already. The time is that of signing, sending and mining.
    """
    from exchange.stack.chain import chain_call
    from settlement import lanes
    from settlement.chain import client

    url = venue.stack.urls["CHAIN_URL"]
    chain_call(url, "evm_setIntervalMining", 0)  # type: ignore[arg-type]
    chain_call(url, "evm_setAutomine", True)  # type: ignore[arg-type]
    say(f"{FILLS} fills, one transaction each")
    started = time.monotonic()
    digests = _sent(venue)
    wait_until(lambda: client.receipt_read(lanes.node(), digests[-1]) is not None, timeout_s=60)
    seconds = time.monotonic() - started
    receipts = [client.receipt_read(lanes.node(), digest) for digest in digests]
    used = [each.gas_used for each in receipts if each is not None and each.success]
    if len(used) != FILLS:
        raise RuntimeError(f"{len(used)} of {FILLS} single fills settled")
    return {
        "single_fills_per_s": round(FILLS / seconds, 1),
        "single_gas_per_fill": round(sum(used) / FILLS),
    }


def _sent(venue: Venue) -> list[bytes]:
    """Compose, sign and send the batches in order; return the hashes of their transactions."""
    from compliance.signer import BodySigner, keystore_open
    from custody.selectors import account_addresses
    from settlement import lanes, netting, selectors
    from settlement.chain import client, encoding, lane

    instance = venue.stack.instance
    keys = [
        BodySigner(body, keystore_open(body, instance.key_passphrase(body)))
        for body in ("venue", "clearing")
    ]
    deployed, domain = selectors.deployment(), selectors.batch_domain()
    tokens, node = selectors.token_addresses(), lanes.node()
    buyer, seller = (trader.account for trader in venue.traders[:2])
    accounts = account_addresses([buyer, seller, netting.REVENUE_ACCOUNT])
    lane_key, chain_id = lanes.lane_key(lanes.BATCHES), client.chain_id(node)
    nonce = client.nonce_read(node, lane.lane_address(lane_key), "latest")
    fees = client.fees_suggest(node)
    following = selectors.next_batch_range()
    assert following is not None
    digests = []
    for place in range(FILLS):
        sequence = following.from_sequence + place
        due = netting.Obligation(
            fill_id=sequence,
            sequence=sequence,
            instrument=1,
            buyer=buyer if place % 2 else seller,
            seller=seller if place % 2 else buyer,
            base_asset=2,
            base_units=1_000,
            quote_asset=1,
            quote_units=1_000_000,
            buyer_fee_units=300,
            seller_fee_units=100,
        )
        composed = netting.batch_compose(
            batch_id=following.batch_id + place,
            from_sequence=sequence,
            to_sequence=sequence,
            obligations=[due],
            tokens=tokens,
            accounts=accounts,
        )
        typed = encoding.batch_typed(domain, composed.terms)
        signed = [key.sign_typed(typed) for key in keys]
        data = lane.settle_call(composed.terms, signed[0], signed[1], composed.chunks)
        built = lane.transaction_build(
            deployed.settlement, data, nonce + place, 400_000, *fees, chain_id
        )
        raw, digest = lane.transaction_sign(lane_key, built)
        answer = lane.broadcast(node, raw)
        if not answer.accepted:
            raise RuntimeError(f"the node refused a single fill: {answer.error}")
        digests.append(digest)
    return digests
