"""Refusals of admission and of keys, towards the venue's officers."""

from compliance.errors import Conflict


class PartyNotIdentified(Conflict):
    """Only an identified party that is neither restricted nor closed is admitted."""

    code = "party_not_identified"
