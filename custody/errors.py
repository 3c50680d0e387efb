"""Refusals of the depository, on the codes that all bodies share."""

from compliance.errors import (
    BodyRefused,
    Conflict,
    Invalid,
    NotFound,
    NotYet,
    OfficersAwaited,
    Untrusted,
)

__all__ = [
    "BankAccountUnknown",
    "BodyRefused",
    "Conflict",
    "DestinationIsAccount",
    "EvidenceInvalid",
    "Invalid",
    "NameDiffers",
    "NotFound",
    "NotYet",
    "OfficersAwaited",
    "Untrusted",
    "WithdrawalsHalted",
]


class EvidenceInvalid(BodyRefused):
    """A notice, receipt or count is not signed by a known key of its kind, or is at odds."""

    code = "evidence_invalid"


class BankAccountUnknown(Invalid):
    """Money goes only to a bank account that was registered for the account before."""

    code = "bank_account_unknown"


class DestinationIsAccount(Invalid):
    """A withdrawal to an account of this house: that is no withdrawal."""

    code = "destination_is_account"


class NameDiffers(Invalid):
    """A bank account is in another name than the member's."""

    code = "name_differs"


class WithdrawalsHalted(NotYet):
    """Withdrawals stand still until officers lift the halt."""

    code = "withdrawals_halted"
