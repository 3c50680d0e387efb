"""Settings of the clearing house: sizes of a batch, gas, fees, patience. Amounts in gas or wei."""

import os


def _number(name: str, default: int) -> int:
    return int(os.environ.get(f"NEXUS_SETTLEMENT_{name}", default))


# Venue, clearing house and both signers must cut chunks alike.
SETTLEMENT_DELTAS_PER_CHUNK = _number("DELTAS_PER_CHUNK", 500)
# A transaction's gas limit: what the call costs without deltas, and each delta at its dearest (a
# holder new to a token costs 28,100), with a margin. The cap is EIP-7825's.
SETTLEMENT_GAS_BASE = _number("GAS_BASE", 400_000)
SETTLEMENT_GAS_PER_DELTA = _number("GAS_PER_DELTA", 30_000)
SETTLEMENT_GAS_PER_CHUNK_HASH = _number("GAS_PER_CHUNK_HASH", 25_000)
SETTLEMENT_GAS_INTENT = _number("GAS_INTENT", 1_500_000)
SETTLEMENT_GAS_CAP = _number("GAS_CAP", 16_777_216)
# How long the head of a lane may wait before its fees are raised, and how far.
SETTLEMENT_REPLACE_AFTER_S = _number("REPLACE_AFTER_S", 20)
SETTLEMENT_MAX_FEE_WEI = _number("MAX_FEE_WEI", 1_000 * 10**9)
SETTLEMENT_LANE_FUNDS_WEI = _number("LANE_FUNDS_WEI", 1_000 * 10**18)
# How deep a transfer from outside must lie before it is credited; never less than final.
SETTLEMENT_DEPOSIT_CONFIRMATIONS = _number("DEPOSIT_CONFIRMATIONS", 0)
# After this time anyone may unwind a batch of which nothing is paid; written into the contract.
SETTLEMENT_UNWIND_TIMEOUT_S = _number("UNWIND_TIMEOUT_S", 900)
# How long the reconciler waits for followers and settler to reach its cut.
SETTLEMENT_RECONCILE_WAIT_S = _number("RECONCILE_WAIT_S", 20)
