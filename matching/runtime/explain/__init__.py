"""The life of one order from the journal: what came, what stood before it, why it traded or not.

Found by replaying the engine up to each moment, from its events, queries and image. What must not
live here: how it is shown.
"""

from collections.abc import Callable
from pathlib import Path

from matching.engine import Engine
from matching.journal import JournalReader
from matching.runtime.explain.auditor import Auditor
from matching.runtime.explain.life import Life
from matching.runtime.explain.standing import ahead_of, standing
from matching.runtime.replay import batches
from matching.snapshot import newest_engine

__all__ = ["Life", "explain"]


def explain(
    journal_dir: Path, order: str, progress: Callable[[int], None] = lambda place_bytes: None
) -> list[Life]:
    """Return the lives that a journal knows under an order id, or ACCOUNT:CLIENT_ORDER_ID.

    A client order id may have had several, refused ones among them. Raises `LookupError` when there
    is none, `ValueError` when `order` is neither, `JournalDamaged`, `OtherInstance`.
    """
    account, _, name = order.partition(":")
    if not account.isdecimal() or (":" in order and not name):
        raise ValueError(f"expected an order id or ACCOUNT:CLIENT_ORDER_ID, found {order}")
    wanted = (int(account), name) if name else int(account)
    engine = Engine() if name else newest_engine(journal_dir, at_most=int(account) - 1)
    auditor = Auditor(engine, wanted)
    reader = JournalReader(journal_dir, after_sequence=engine.sequence, thorough=True)
    for batch in batches(journal_dir, reader, progress):
        for sequenced in batch:
            auditor.see(sequenced)
    reader.close()
    if not auditor.lives:
        raise LookupError(
            f"the journal's {engine.sequence} commands place no order {order}; name it by the "
            f"sequence of the command that placed it, or by ACCOUNT:CLIENT_ORDER_ID"
        )
    for life in auditor.lives:
        if life.state == "open":
            life.standing = standing(engine, life, None if life.parked else ahead_of(engine, life))
    return auditor.lives
