"""Questions about assets, accounts, the ledger and what is held outside; they change nothing."""

from custody.selectors.accounts import (
    account_addresses,
    account_get,
    accounts_by_number,
    accounts_of_holder,
    accounts_unready,
    asset_get,
    assets_by_id,
)
from custody.selectors.evidence import (
    evidence_keys,
    notice_document,
    outside_holdings,
    receipt_document,
    registrar_document,
)
from custody.selectors.issuance import (
    issuance_credited_as,
    issuance_of,
    issuances_since,
)
from custody.selectors.ledger import (
    ledger_balances,
    ledger_position,
    ledger_postings,
)
from custody.selectors.withdrawals import (
    return_reference,
    token_deposits_of,
    withdrawal_get,
    withdrawal_reference,
    withdrawals_halted,
    withdrawals_of,
)

__all__ = [
    "account_addresses",
    "account_get",
    "accounts_by_number",
    "accounts_of_holder",
    "accounts_unready",
    "asset_get",
    "assets_by_id",
    "evidence_keys",
    "issuance_credited_as",
    "issuance_of",
    "issuances_since",
    "ledger_balances",
    "ledger_position",
    "ledger_postings",
    "notice_document",
    "outside_holdings",
    "receipt_document",
    "registrar_document",
    "return_reference",
    "token_deposits_of",
    "withdrawal_get",
    "withdrawal_reference",
    "withdrawals_halted",
    "withdrawals_of",
]
