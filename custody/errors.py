"""Refusals of the depository, on the codes that all bodies share."""

from compliance.errors import BodyRefused, Conflict, Invalid, NotFound, NotYet, Untrusted

__all__ = [
    "BodyRefused",
    "Conflict",
    "EvidenceInvalid",
    "Invalid",
    "NotFound",
    "NotYet",
    "Untrusted",
]


class EvidenceInvalid(BodyRefused):
    """A notice, receipt or count is not signed by a known key of its kind, or is at odds."""

    code = "evidence_invalid"
