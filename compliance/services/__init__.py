"""What other bodies and doors may have compliance do; every function writes an audit record."""

from compliance.services.acts import (
    act_approve,
    act_claim,
    act_complete,
    act_draft,
    act_fail,
    act_propose,
    act_reject,
    act_retry,
    act_signed_bytes,
)
from compliance.services.audit import audit_append, audit_hash
from compliance.services.chain import (
    chain_addresses_set,
    intent_confirmed,
    intent_failed,
    intent_submitted,
    intents_executable,
    signer_key_set,
)
from compliance.services.officers import officer_create, officer_deactivate
from compliance.services.parties import (
    act_execute,
    address_register,
    eligibility_apply,
    party_apply,
    registry_intents_request,
)
from compliance.services.retries import attempt, carry_on, put_by, put_off
from compliance.services.sweep import sweep

__all__ = [
    "act_approve",
    "act_claim",
    "act_complete",
    "act_draft",
    "act_execute",
    "act_fail",
    "act_propose",
    "act_reject",
    "act_retry",
    "act_signed_bytes",
    "address_register",
    "attempt",
    "audit_append",
    "audit_hash",
    "carry_on",
    "chain_addresses_set",
    "eligibility_apply",
    "intent_confirmed",
    "intent_failed",
    "intent_submitted",
    "intents_executable",
    "officer_create",
    "officer_deactivate",
    "party_apply",
    "put_by",
    "put_off",
    "registry_intents_request",
    "signer_key_set",
    "sweep",
]
