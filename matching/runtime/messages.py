"""What leader and standby tell each other, byte by byte msgpack in frames like a client's.

A field may be added at the end with a default: two versions must understand each other.
"""

from typing import TypeAlias

import msgspec


class Message(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Base of all messages; `session` is the standby's number for one attempt to keep in step."""

    session: int


class Join(Message, frozen=True, tag=1):
    """A standby's journal ends with the batch of these numbers and SHA-256; 0 without any."""

    instance: str
    node: str
    first_sequence: int
    last_sequence: int
    digest: bytes


class Held(Message, frozen=True, tag=2):
    """Everything up to this sequence is durable with the standby."""

    sequence: int


class Batch(Message, frozen=True, tag=3):
    """A batch as it stands in the journal."""

    epoch: int
    data: bytes


class Alive(Message, frozen=True, tag=4):
    """The leader lives, and has sent everything up to a sequence.

    What the stream holds by now, the standby need not keep for publishing.
    """

    epoch: int
    published_sequence: int
    sent_sequence: int


class Cut(Message, frozen=True, tag=5):
    """The leader's journal has another batch, or none, in place of the standby's last."""

    epoch: int


class Denied(Message, frozen=True, tag=6):
    """The leader does not feed this engine."""

    epoch: int
    why: str


class HandOver(Message, frozen=True, tag=7):
    """An operator asks the leader to let its standby lead."""


class Handed(Message, frozen=True, tag=8):
    """The standby of this name leads from now on."""

    standby: str


class Given(Message, frozen=True, tag=9):
    """Sockets of clients, passed beside the message, the first of the first message listening.

    `buffers` are what each client has sent that nobody has read, and what it has not taken yet.
    """

    epoch: int
    buffers: tuple[tuple[bytes, bytes], ...]


class Yours(Message, frozen=True, tag=10):
    """All sockets were given; the leader ends at this sequence as soon as it hears `Taken`."""

    epoch: int
    sequence: int


class Taken(Message, frozen=True, tag=11):
    """The standby has all sockets and waits for the lease."""


FromStandby: TypeAlias = Join | Held | Taken | HandOver
Fed: TypeAlias = Batch | Alive | Cut | Denied
FromLeader: TypeAlias = Fed | Given | Yours | Handed
from_standby_decode = msgspec.msgpack.Decoder(FromStandby).decode
from_leader_decode = msgspec.msgpack.Decoder(FromLeader).decode
