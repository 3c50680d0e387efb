"""What custody orders of a vault: the shape of a signed order to release bars. No database."""

from typing import Annotated

import msgspec

from custody.cash_documents import Document, Name
from matching.protocol.units import UNITS_MAX

BarName = Annotated[
    str, msgspec.Meta(pattern=r"^[A-Za-z0-9_.:-]{1,64}/[A-Za-z0-9_.:-]{1,64}/[0-9]{4}\Z")
]


class ReleaseOrder(Document, frozen=True, kw_only=True):
    """Custody: hand these bars to whoever brings the pickup reference, once for each `order_id`."""

    domain = b"nexus-release-order-v1\n"
    order_id: Name
    vault: Name
    asset: Name
    bars: Annotated[list[BarName], msgspec.Meta(min_length=1, max_length=1000)]
    fine_units: Annotated[int, msgspec.Meta(ge=1, le=UNITS_MAX)]
    pickup: Name
