"""Finds what outside wallets sent to accounts, at the finalised block, and tells custody.

A deposit is a known token's `Transfer` to an account from neither zero, the settlement contract,
nor an account of ours, suspense and the guarantee fund among them. The position moves in the
transaction that hands the events over, and custody keeps each event once.
"""

from django.conf import settings
from django.db import transaction

from custody import selectors as custody_selectors
from custody import services as custody_services
from settlement import lanes, locks, selectors
from settlement.chain import client, transfers

ZERO = "0x" + 40 * "0"
BLOCKS_MAX = 500
PASSES_MAX = 20


def deposits_find() -> int:
    """Hand new deposits to custody and let those be credited that lie deep enough.

    Returns how many were found; may run twice and in two workers.
    """
    with locks.advisory("deposits") as held:
        if not held:
            return 0
        found, node = 0, lanes.node()
        final = client.finalized_block(node)
        for _ in range(PASSES_MAX):
            after = selectors.deposits_position()
            if after >= final:
                break
            found += _range_read(after + 1, min(after + BLOCKS_MAX, final))
        confirmations = settings.SETTLEMENT_DEPOSIT_CONFIRMATIONS
        custody_services.token_deposits_confirm(
            upto_block=min(final, client.latest_block(node) - confirmations)
        )
    return found


def _range_read(from_block: int, to_block: int) -> int:
    accounts = {
        account.address: number
        for number, account in custody_selectors.accounts_by_number().items()
        if account.address
    }
    tokens = {address: asset for asset, address in selectors.token_addresses().items()}
    read = list(
        transfers.transfers_read(
            lanes.node(),
            list(tokens),
            set(accounts),
            {ZERO, selectors.deployment().settlement, *accounts},
            from_block,
            to_block,
        )
    )
    with transaction.atomic():
        position = locks.deposit_position_lock(from_block - 1)
        if position.block_number != from_block - 1:
            return 0
        for one in read:
            custody_services.token_deposit_receive(
                account=accounts[one.receiver],
                asset=tokens[one.token],
                amount_units=one.amount_units,
                sender=one.sender,
                transaction_hash=one.transaction_hash,
                log_index=one.log_index,
                block_number=one.block_number,
            )
        position.block_number = to_block
        position.save(update_fields=["block_number"])
    return len(read)
