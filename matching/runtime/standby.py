"""Standing by: an engine kept in step with the leader, until it leads itself.

What must not live here: what a standby may conclude (`replication`), what a leader does (`run`).
"""

import os
import secrets
import select
import socket
import threading
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from time import monotonic

import msgspec

from matching.engine import Engine
from matching.journal import JournalWriter, cut_behind
from matching.protocol.codec import StreamEntry
from matching.protocol.faults import crash_point
from matching.runtime.addresses import connected
from matching.runtime.feed import Channel, Client
from matching.runtime.lease import Lease, LeaseHeld, LeaseUnreachable, NotInSync
from matching.runtime.log import log
from matching.runtime.messages import Given, Taken, Yours, from_leader_decode
from matching.runtime.recovery import recover
from matching.runtime.replication import FeedRefused, MustCut, Standby
from matching.runtime.settings import Settings

# A leader that says nothing for so long may have lost its lease; its connection's end says it.
SILENCE_S = 1.0
FORGOTTEN_S = 5.0
RETRY_S = 0.02
REFUSED_RETRY_S = 1.0
ALIVE_WAIT_S = 0.1
# The leader that hands over has at most so long to let the lease go.
LEASE_WITHIN_S = 3.0
HANDED_RETRY_S = 0.001


class JournalParted(Exception):
    """The journal is not the beginning of the leader's: it is of another life of this instance."""


class Hot(msgspec.Struct, frozen=True):
    """An engine that leads from now on, at its journal's end, and what the stream may lack."""

    engine: Engine
    journal: JournalWriter
    unpublished: Iterable[StreamEntry]
    handed: Sequence[Client] = ()


def stand_by(settings: Settings, lease: Lease, stopping: threading.Event) -> Hot | None:
    """Keep in step until this engine has taken the lease, or is stopped (None).

    Raises `JournalParted`, `JournalDamaged`, `OtherInstance`, and `JournalUnwritable` or `OSError`
    when its own journal cannot be written.
    """
    cut: int | None = None
    while True:
        standby = _standby(settings)
        try:
            watch = _Watch(settings, lease, standby, stopping)
            leads = watch.keep()
        except MustCut as must:
            standby.journal.close()
            log("journal_cut", why=str(must))
            cut = cut_last(settings.own_journal, standby, cut)
            continue
        if leads:
            return Hot(standby.engine, standby.journal, standby.unpublished, watch.handed)
        standby.journal.close()
        return None


def cut_last(journal_dir: Path, standby: Standby, cut: int | None) -> int:
    """Remove the last batch from a standby's journal and return its first sequence.

    `cut` is that of the one removed before: at most one batch is sent that may never come to be, so
    that a second in a row is none of those. Raises `JournalParted`.
    """
    if cut is not None and standby.engine.sequence < cut:
        where = f"{journal_dir} at sequence {standby.engine.sequence}"
        raise JournalParted(f"{where} is not the leader's: move the folder away")
    cut_behind(journal_dir, standby.first_sequence - 1)
    return standby.first_sequence


def _standby(settings: Settings) -> Standby:
    recovered = recover(settings.own_journal, settings.instance, None)
    journal = JournalWriter(
        settings.own_journal,
        settings.instance,
        end=recovered.end,
        segment_bytes=settings.segment_bytes,
    )
    recovered.end.close()
    return Standby(
        settings.own_journal, settings.instance, settings.node, recovered.engine, journal
    )


class _Watch:
    """The connection to the leader, made again as often as it ends."""

    def __init__(
        self, settings: Settings, lease: Lease, standby: Standby, stopping: threading.Event
    ) -> None:
        self._peer = settings.peer
        self._lease = lease
        self._standby = standby
        self._stopping = stopping
        self._said = ""
        self.handed: list[Client] = []

    def keep(self) -> bool:
        """Return true when this engine leads, false when it was stopped. Raises `MustCut`."""
        while not self._stopping.is_set():
            if self._leads():
                return True
            try:
                sock = connected(self._peer)
                channel = Channel(sock, from_leader_decode, takes_sockets=True)
            except OSError:
                time.sleep(RETRY_S)
                continue
            try:
                if self._listen(channel):
                    return True
            except (FeedRefused, LeaseUnreachable) as refused:
                self._say(str(refused))
                time.sleep(REFUSED_RETRY_S)
            finally:
                channel.sock.close()
            self._let_go(channel)
        return False

    def _listen(self, channel: Channel) -> bool:
        """Take what the leader sends, until the connection ends; true when this engine leads."""
        epoch = self._lease.standing().epoch
        channel.send(self._standby.join(secrets.randbits(63), epoch))
        log("standing_by", sequence=self._standby.engine.sequence)
        heard_at = monotonic()
        # A connection that a network has forgotten never ends by itself.
        while not channel.closing and monotonic() - heard_at < FORGOTTEN_S:
            if self._stopping.is_set():
                break
            if select.select([channel.sock], [], [], ALIVE_WAIT_S)[0]:
                heard_at = monotonic()
                for message in channel.receive():
                    match message:
                        case Given():
                            self._keep(channel, message)
                        case Yours():
                            return self._take_over(channel, message)
                        case _:
                            self._standby.receive(message, channel.send)
            elif monotonic() - heard_at > SILENCE_S and self._leads():
                return True
        return False

    def _keep(self, channel: Channel, given: Given) -> None:
        """Keep the sockets that came beside a message, unread until this engine leads."""
        passed = channel.passed[: len(given.buffers)]
        del channel.passed[: len(given.buffers)]
        for number, (received, unsent) in zip(passed, given.buffers, strict=True):
            self.handed.append((socket.socket(fileno=number), received, unsent))

    def _take_over(self, channel: Channel, yours: Yours) -> bool:
        """Take the lease as soon as the leader lets it go, and the clients with it."""
        sequence = self._standby.engine.sequence
        if sequence != yours.sequence:
            raise FeedRefused(f"the leader hands over at {yours.sequence}, here is {sequence}")
        crash_point("handover.sockets_taken")
        channel.send(Taken(yours.session))
        until = monotonic() + LEASE_WITHIN_S
        while monotonic() < until:
            if self._leads():
                return True
            time.sleep(HANDED_RETRY_S)
        return False

    def _let_go(self, channel: Channel) -> None:
        """Close the sockets of a hand-over that did not come about; the leader has them too."""
        for sock, _, _ in self.handed:
            sock.close()
        for number in channel.passed:
            os.close(number)
        self.handed = []

    def _leads(self) -> bool:
        try:
            self._lease.take()
        except LeaseHeld:
            return False
        except NotInSync as refusal:
            self._say(str(refusal))
            return False
        crash_point("standby.after_lease")
        return True

    def _say(self, why: str) -> None:
        """Log a reason once, not at every attempt."""
        if why != self._said:
            log("not_taking_over", why=why)
        self._said = why
