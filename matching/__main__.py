"""`python -m matching`: run the engine, replay a journal, explain an order, write snapshots."""

import argparse
import sys
from pathlib import Path

import msgspec

from matching.client.heartbeat import process_alive
from matching.journal import JournalDamaged, JournalUnwritable, OtherInstance, leading
from matching.runtime.handover import NotHandedOver, hand_over
from matching.runtime.lease import LeaseHeld, LeaseLost, NotInSync
from matching.runtime.publisher import Fenced
from matching.runtime.replay import replay, take_snapshot
from matching.runtime.run import run
from matching.runtime.settings import settings
from matching.runtime.snapshots import keep_snapshots
from matching.runtime.standby import JournalParted

REFUSALS = (
    JournalDamaged,
    JournalParted,
    JournalUnwritable,
    OtherInstance,
    LeaseHeld,
    LeaseLost,
    NotHandedOver,
    NotInSync,
    Fenced,
    LookupError,
    ValueError,
)


def main() -> int:
    """Carry out one subcommand; return 0, or 1 when it refused, with the reason on stderr."""
    parser = argparse.ArgumentParser(prog="python -m matching", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("run", help="run the engine until SIGTERM (settings by environment)")
    replaying = commands.add_parser("replay", help="replay a journal; print counts and state hash")
    replaying.add_argument("journal", type=Path)
    replaying.add_argument("--snapshot", action="store_true", help="begin at the newest snapshot")
    replaying.add_argument("--json", action="store_true", help="for machines")
    explaining = commands.add_parser("explain", help="tell the life of one order from the journal")
    explaining.add_argument("order", help="order id, or ACCOUNT:CLIENT_ORDER_ID")
    explaining.add_argument("--journal", type=Path, help="instead of NEXUS_JOURNAL")
    explaining.add_argument("--json", action="store_true", help="for machines")
    commands.add_parser("handover", help="let the standby lead; no client notices")
    commands.add_parser("snapshot", help="write one snapshot of the journal's end")
    keeping = commands.add_parser("snapshots", help="keep writing snapshots until SIGTERM")
    keeping.add_argument("--every-commands", type=int, default=100_000)
    commands.add_parser("alive", help="tell by the exit status whether NEXUS_PROCESS is alive")
    arguments = parser.parse_args()
    try:
        match arguments.command:
            case "run":
                run(settings())
            case "replay":
                _replay(leading(arguments.journal).resolve(), arguments.snapshot, arguments.json)
            case "explain":
                journal = arguments.journal or settings().journal_dir
                _explain(leading(journal).resolve(), arguments.order, arguments.json)
            case "handover":
                print(f"{hand_over(settings().peer) or 'the engine without a name'} leads")
            case "snapshot":
                where = settings()
                path = take_snapshot(leading(where.journal_dir), where.instance)
                print(path or "the newest snapshot stands at the journal's end")
            case "snapshots":
                where = settings()
                keep_snapshots(leading(where.journal_dir), where.instance, arguments.every_commands)
            case "alive":
                return 0 if process_alive() else 1
    except REFUSALS as refusal:
        print(f"{type(refusal).__name__}: {refusal}", file=sys.stderr)
        return 1
    return 0


def _replay(journal_dir: Path, from_snapshot: bool, as_json: bool) -> None:
    # Loaded here: the engine process does without what draws tables.
    from matching.runtime.console import progress_shown, replay_show

    with progress_shown(journal_dir) as progress:
        replayed = replay(journal_dir, from_snapshot=from_snapshot, progress=progress)
    if as_json:
        print(msgspec.json.encode(replayed).decode())
    else:
        replay_show(replayed)


def _explain(journal_dir: Path, order: str, as_json: bool) -> None:
    from matching.runtime.console import life_show, progress_shown
    from matching.runtime.explain import explain

    with progress_shown(journal_dir) as progress:
        lives = explain(journal_dir, order, progress)
    if as_json:
        print(msgspec.json.encode(lives).decode())
        return
    for life in lives:
        life_show(life)


if __name__ == "__main__":
    sys.exit(main())
