"""What others may have the clearing house do: the venue, its own signer, its tasks."""

from settlement.services.acts import (
    act_execute,
    substitution_cosign,
    substitution_countersign,
    unwind_countersign,
)
from settlement.services.batches import (
    SIGNER_CHANNEL,
    batch_confirm,
    batch_countersign,
    batch_note,
    batch_refuse,
    batch_submit,
    batch_unwound,
)

__all__ = [
    "SIGNER_CHANNEL",
    "act_execute",
    "batch_confirm",
    "batch_countersign",
    "batch_note",
    "batch_refuse",
    "batch_submit",
    "batch_unwound",
    "substitution_cosign",
    "substitution_countersign",
    "unwind_countersign",
]
