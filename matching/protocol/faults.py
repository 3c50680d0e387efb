"""Named crash points, so that a test can kill a real process between any two steps.

`NEXUS_CRASH_POINT=name` or `name:N` kills the process (SIGKILL) the first or Nth time it comes by.
In production the variable is unset and a crash point costs one comparison.
"""

import os
import signal

ENGINE_POINTS = (
    "engine.before_journal",
    "engine.journal_half_written",
    "engine.after_journal",
    "engine.after_apply",
    "engine.half_answered",
    "engine.after_answer",
    "engine.after_publish",
)
# The leader's steps with a standby, then the standby's own.
REPLICATION_POINTS = (
    "replication.batch_sent",
    "replication.batch_held",
    "replication.before_record",
    "replication.after_record",
)
STANDBY_POINTS = (
    "standby.before_journal",
    "standby.after_journal",
    "standby.acknowledged",
    "standby.after_lease",
    "standby.before_listening",
)
HANDOVER_POINTS = (
    "handover.half_given",
    "handover.sockets_taken",
)
FOLLOWER_POINTS = (
    "projector.before_commit",
    "projector.after_commit",
    "ledger.before_commit",
    "ledger.after_commit",
    "obligations.before_commit",
    "obligations.after_commit",
)
SETTLER_POINTS = (
    "settler.batch_proposed",
    "settler.batch_signed",
    "settler.transaction_stored",
    "settler.transaction_broadcast",
    "settler.chunk_confirmed",
    "settler.before_confirm",
    "settler.after_confirm",
)
BODY_POINTS = (
    "eligibility.answered",
    "account.answered",
    "issuance.answered",
    "withdrawal.before_debit",
    "withdrawal.debited",
    "withdrawal.returned",
    "deposit.answered",
)
CRASH_POINTS = (
    *ENGINE_POINTS,
    *REPLICATION_POINTS,
    *STANDBY_POINTS,
    *HANDOVER_POINTS,
    *FOLLOWER_POINTS,
    *SETTLER_POINTS,
    *BODY_POINTS,
)

_name, _, _count = os.environ.get("NEXUS_CRASH_POINT", "").partition(":")
_remaining = int(_count or 1)


def crash_point(name: str) -> None:
    """Die by SIGKILL here when the environment names this point."""
    global _remaining
    if name != _name:
        return
    assert name in CRASH_POINTS, f"crash point {name} is not declared"
    _remaining -= 1
    if _remaining <= 0:
        os.kill(os.getpid(), signal.SIGKILL)


def armed(name: str) -> bool:
    """Tell whether a crash point is named, for a step made only to be broken off."""
    return name == _name
