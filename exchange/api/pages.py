"""Pages of a list, newest first: a cursor is the id of the last item seen."""

from collections.abc import Sequence
from typing import Annotated

import msgspec

from exchange.api.decoding import Strict

LIMIT_MAX = 200
_ID = r"^[1-9][0-9]{0,17}$"


class PageQuery(Strict, frozen=True):
    """Which page of a list: `cursor` is the `next_cursor` of the page before."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=LIMIT_MAX)] = 50
    cursor: Annotated[str, msgspec.Meta(pattern=_ID)] | None = None

    @property
    def before(self) -> int | None:
        """The id below which the page begins."""
        return int(self.cursor) if self.cursor else None


def next_cursor(ids: Sequence[int | str], limit: int) -> str | None:
    """Return the cursor of the page after one with these ids; None when it was the last."""
    return str(ids[-1]) if len(ids) == limit else None
