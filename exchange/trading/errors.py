"""Faults of the venue's records; refusals towards members are `exchange.api.errors.Problem`."""


class ProjectionFault(Exception):
    """Records cannot be carried on: events are missing, or another projector writes too."""
