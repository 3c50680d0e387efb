"""What other bodies and doors may have custody do."""

from custody.services.accounts import account_address_set, account_open, account_prepare
from custody.services.acts import act_execute
from custody.services.assets import asset_register, assets_register
from custody.services.banking import (
    bank_account_register,
    bank_balance_receive,
    virtual_account_open,
)
from custody.services.chain import (
    chain_addresses_set,
    intent_confirmed,
    intent_failed,
    intent_submitted,
    intents_executable,
)
from custody.services.charges import charge_credit
from custody.services.deposits import cash_deposit_mint, cash_deposit_receive
from custody.services.evidence import (
    bank_notice_receive,
    evidence_key_create,
    registrar_notice_receive,
    vault_receipt_receive,
)
from custody.services.halts import withdrawals_halt
from custody.services.issuance import issuance_credit
from custody.services.limits import limit_set
from custody.services.payments import (
    payment_answer_receive,
    payments_send,
    withdrawal_payment_request,
)
from custody.services.releases import releases_send, vault_release_receive
from custody.services.returning import withdrawal_return, withdrawal_voided
from custody.services.revenue import revenue_sweep, vat_sweep
from custody.services.sweep import sweep
from custody.services.token_deposits import (
    token_deposit_credit,
    token_deposit_receive,
    token_deposits_confirm,
)
from custody.services.withdrawals import withdrawal_cancel, withdrawal_request
from custody.services.withdrawing import (
    withdrawal_advance,
    withdrawal_complete,
    withdrawal_reverse,
    withdrawals_cover,
)

__all__ = [
    "account_address_set",
    "account_open",
    "account_prepare",
    "act_execute",
    "asset_register",
    "assets_register",
    "bank_account_register",
    "bank_balance_receive",
    "bank_notice_receive",
    "cash_deposit_mint",
    "cash_deposit_receive",
    "chain_addresses_set",
    "charge_credit",
    "evidence_key_create",
    "intent_confirmed",
    "intent_failed",
    "intent_submitted",
    "intents_executable",
    "issuance_credit",
    "limit_set",
    "payment_answer_receive",
    "payments_send",
    "registrar_notice_receive",
    "releases_send",
    "revenue_sweep",
    "sweep",
    "token_deposit_credit",
    "token_deposit_receive",
    "token_deposits_confirm",
    "vat_sweep",
    "vault_receipt_receive",
    "vault_release_receive",
    "virtual_account_open",
    "withdrawal_advance",
    "withdrawal_cancel",
    "withdrawal_complete",
    "withdrawal_payment_request",
    "withdrawal_request",
    "withdrawal_return",
    "withdrawal_reverse",
    "withdrawal_voided",
    "withdrawals_cover",
    "withdrawals_halt",
]
