"""Refusals of the clearing house, on top of those all bodies share."""

from compliance.errors import BodyRefused, NotYet

__all__ = ["NotYet"]


class SettlementError(BodyRefused):
    """Base of what only the clearing house refuses."""

    code = "settlement_refused"


class NotDeployed(SettlementError):
    """No contracts are written down for this instance; run `manage.py chain_deploy`."""

    code = "not_deployed"


class BatchOpen(SettlementError):
    """Another batch is neither confirmed nor unwound."""

    code = "batch_open"


class RangeRefused(SettlementError):
    """A batch skips, repeats or reorders sequence numbers, or its id was used before."""

    code = "range_refused"


class NetDiffers(SettlementError):
    """The venue's net is not the clearing house's; the message names the first difference."""

    code = "net_differs"


class ActRefused(SettlementError):
    """An approved act asks for what the batch's state does not allow."""

    code = "act_refused"


class LaneUnavailable(SettlementError):
    """A lane has no key in this process, no row, or no gas."""

    code = "lane_unavailable"


class InstanceDiffers(SettlementError):
    """Database, chain or journal belong to different instances; the message names both."""

    code = "instance_differs"
