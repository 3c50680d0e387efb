"""What other bodies and doors may have custody do."""

from custody.services.accounts import account_address_set, account_open, account_prepare
from custody.services.assets import asset_register
from custody.services.chain import (
    chain_addresses_set,
    intent_confirmed,
    intent_failed,
    intent_submitted,
    intents_executable,
)
from custody.services.evidence import (
    bank_notice_receive,
    evidence_key_create,
    registrar_notice_receive,
    vault_receipt_receive,
)
from custody.services.halts import withdrawals_halt
from custody.services.issuance import act_execute, issuance_credit
from custody.services.sweep import sweep
from custody.services.withdrawals import withdrawal_cancel, withdrawal_request

__all__ = [
    "account_address_set",
    "account_open",
    "account_prepare",
    "act_execute",
    "asset_register",
    "bank_notice_receive",
    "chain_addresses_set",
    "evidence_key_create",
    "intent_confirmed",
    "intent_failed",
    "intent_submitted",
    "intents_executable",
    "issuance_credit",
    "registrar_notice_receive",
    "sweep",
    "vault_receipt_receive",
    "withdrawal_cancel",
    "withdrawal_request",
    "withdrawals_halt",
]
