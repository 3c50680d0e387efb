"""Refusals of admission and of keys, towards the venue's officers."""

from compliance.errors import Conflict, NotYet


class PartyNotIdentified(Conflict):
    """Only an identified party that is neither restricted nor closed is admitted."""

    code = "party_not_identified"


class NotAdmittedYet(NotYet):
    """The applicant is not identified, or the account is not open."""

    code = "not_admitted_yet"


class KeyAlreadyCollected(Conflict):
    """The first API key is handed out once."""

    code = "key_already_collected"
