"""The feed's sockets: messages between leader and standby over a Unix socket or TCP.

What must not live here: what the messages mean.
"""

import selectors
import socket
from collections.abc import Callable, Sequence
from functools import partial
from time import monotonic
from typing import Any, TypeAlias

from matching.protocol.codec import FRAME_HEADER, Undecodable, encode, frame
from matching.protocol.faults import crash_point
from matching.runtime.addresses import Listening
from matching.runtime.log import log
from matching.runtime.messages import (
    Denied,
    Given,
    Handed,
    HandOver,
    Taken,
    Yours,
    from_standby_decode,
)
from matching.runtime.replication import Replication

# A whole segment, which bounds a batch, and what its message has around it.
MESSAGE_BYTES_MAX = 1 << 30
READ_BYTES = 1 << 18
# How long the market waits for a standby that does not acknowledge, and how often it hears of us.
ACKNOWLEDGED_WITHIN_S = 0.5
ALIVE_EVERY_S = 0.1
# Sockets beside one message (the kernel takes 253), and how long the market waits while they go.
SOCKETS_MAX = 200
HANDED_WITHIN_S = 1.0
_READ, _WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


Client: TypeAlias = tuple[socket.socket, bytes, bytes]
"""A client's socket, what it sent that nobody has read, and what it has not taken yet."""


class Channel:
    """Messages over one non-blocking socket; `closing` says why it must end, once it must."""

    def __init__(
        self, sock: socket.socket, decode: Callable[[bytes], Any], *, takes_sockets: bool = False
    ) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.passed: list[int] = []  # descriptors of the sockets passed, in their order
        self._takes_sockets = takes_sockets and sock.family == socket.AF_UNIX
        self.closing = ""
        self._decode = decode
        self._received = bytearray()
        self._unsent = bytearray()

    @property
    def unsent(self) -> int:
        """Bytes that the other side has not taken yet."""
        return len(self._unsent)

    def send(self, message: object) -> None:
        """Queue a message and send what can be sent; never raises."""
        self._unsent += frame(encode(message))
        self.flush()

    def flush(self) -> None:
        """Send what the other side takes now."""
        try:
            while self._unsent and not self.closing:
                del self._unsent[: self.sock.send(self._unsent)]
        except BlockingIOError:
            return
        except OSError as error:
            self.closing = str(error)

    def receive(self) -> list[Any]:
        """Return the messages that are here, whole."""
        try:
            data = self._recv()
            self.closing = self.closing or ("" if data else "the other side closed")
            self._received += data
        except BlockingIOError:
            return []
        except OSError as error:
            self.closing = str(error)
        messages = []
        received = self._received
        offset = 0
        while (start := offset + FRAME_HEADER.size) <= len(received):
            length: int = FRAME_HEADER.unpack_from(received, offset)[0]
            if length > MESSAGE_BYTES_MAX:
                self.closing = f"message of {length} bytes, limit {MESSAGE_BYTES_MAX}"
            if start + length > len(received) or self.closing.startswith("message"):
                break
            offset = start + length
            try:
                messages.append(self._decode(bytes(received[start:offset])))
            except Undecodable as error:
                self.closing = f"message that is none: {error}"
                break
        del received[:offset]
        return messages

    def pass_sockets(self, message: object, sockets: Sequence[socket.socket]) -> None:
        """Send a message with sockets beside it, waiting a bounded time until it is taken."""
        data = frame(encode(message))
        self.sock.settimeout(HANDED_WITHIN_S)
        try:
            self.sock.sendall(self._unsent)
            self._unsent.clear()
            sent = socket.send_fds(self.sock, [data], [sock.fileno() for sock in sockets])
            self.sock.sendall(data[sent:])
        except OSError as error:
            self.closing = str(error)
        finally:
            self.sock.setblocking(False)

    def _recv(self) -> bytes:
        if not self._takes_sockets:
            return self.sock.recv(READ_BYTES)
        data, passed, _, _ = socket.recv_fds(self.sock, READ_BYTES, SOCKETS_MAX)
        self.passed += passed
        return data


class Feed:
    """The leader's end, with a selector of its own, so that the standby can be waited for alone."""

    def __init__(self, address: str, replication: Replication) -> None:
        self._replication = replication
        self._selector = selectors.DefaultSelector()
        self._channels: dict[Channel, int] = {}
        self._alive_at = 0.0
        self._taken = False
        self._asking: Channel | None = None
        self._passes_sockets = "/" in address
        self._listening = Listening(address)
        self._selector.register(self._listening.sock, _READ, self._accept)

    def fileno(self) -> int:
        """Ready to read when something of the feed is ready."""
        return self._selector.fileno()

    @property
    def busy(self) -> bool:
        """Tell whether a standby can be sent more at once."""
        return self._replication.catches_up

    def handle(self, timeout_s: float = 0) -> None:
        """Take what has come, having waited for it so long."""
        for key, mask in self._selector.select(timeout_s):
            key.data(mask)
        self._watch()

    def attend(self, until: float) -> None:
        """Hear from the standby that the market waits for, or give it up at that time."""
        remaining_s = until - monotonic()
        if remaining_s > 0:
            self._watch()
            self.handle(remaining_s)
        else:
            for channel in self._channels:
                if self._replication.linked(channel.send):
                    channel.closing = "no acknowledgement in time"
            self._replication.lose(f"no acknowledgement within {ACKNOWLEDGED_WITHIN_S} s")

    def turn(self, published_sequence: int) -> None:
        """Send what is due by time, and more to a standby that catches up."""
        if monotonic() - self._alive_at > ALIVE_EVERY_S:
            self._alive_at = monotonic()
            self._replication.live(published_sequence)
        self._replication.turn()
        self._watch()

    @property
    def asked_to_hand_over(self) -> bool:
        """Tell whether somebody waits for a hand-over."""
        return self._asking is not None

    def hand_over(self, clients: Sequence[Client], sequence: int) -> bool | None:
        """Give the clients' sockets to the standby; true once it has them all and will lead.

        None where sockets cannot travel: then the clients must be let go. False when there is no
        standby in step, or it does not take them in time: this engine leads on.
        """
        asking, self._asking = self._asking, None
        assert asking is not None
        standby = next(
            (each for each in self._channels if self._replication.feeds(each.send)), None
        )
        name = self._replication.standby
        if standby is None or name is None:
            asking.send(Denied(0, 0, "no standby holds everything; start one and ask again"))
            return False
        handed = self._give(standby, clients, sequence) if self._passes_sockets else None
        if handed is False:
            self._replication.lose("it did not take the sockets")
            standby.closing = "hand-over failed"
            asking.send(Denied(0, 0, f"{name!r} did not take the sockets; this engine leads on"))
        else:
            log("handed_over", standby=name, sequence=sequence, clients=len(clients))
            asking.send(Handed(0, name))
        return handed

    def _give(self, standby: Channel, clients: Sequence[Client], sequence: int) -> bool:
        session, epoch = self._replication.session, self._replication.epoch
        for start in range(0, len(clients), SOCKETS_MAX):
            part = clients[start : start + SOCKETS_MAX]
            buffers = tuple([(received, unsent) for _, received, unsent in part])
            standby.pass_sockets(Given(session, epoch, buffers), [sock for sock, _, _ in part])
            crash_point("handover.half_given")
        standby.send(Yours(session, epoch, sequence))
        self._taken = False
        until = monotonic() + HANDED_WITHIN_S
        while not self._taken and not standby.closing and monotonic() < until:
            self._watch()
            self.handle(until - monotonic())
        return self._taken

    def close(self) -> None:
        """Close every socket."""
        for channel in self._channels:
            channel.sock.close()
        self._selector.close()
        self._listening.close()

    def _accept(self, mask: int) -> None:
        try:
            sock, _ = self._listening.sock.accept()
        except OSError as error:
            log("accept_failed", what=str(error))
            return
        channel = Channel(sock, from_standby_decode)
        self._channels[channel] = _READ
        self._selector.register(sock, _READ, partial(self._handle, channel))

    def _handle(self, channel: Channel, mask: int) -> None:
        if mask & _WRITE:
            channel.flush()
        if mask & _READ:
            for message in channel.receive():
                match message:
                    case HandOver():
                        self._asking = channel
                    case Taken():
                        self._taken = self._replication.feeds(channel.send)
                    case _:
                        self._replication.receive(message, channel.send)

    def _watch(self) -> None:
        """Wait for what each channel waits for; close those that ended."""
        for channel, watched in list(self._channels.items()):
            if channel.closing:
                self._replication.closed(channel.send)
                self._selector.unregister(channel.sock)
                channel.sock.close()
                del self._channels[channel]
                continue
            events = _READ | _WRITE if channel.unsent else _READ
            if events != watched:
                self._channels[channel] = events
                key = self._selector.get_key(channel.sock)
                self._selector.modify(channel.sock, events, key.data)
