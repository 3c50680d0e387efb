"""The operator's request: the leader is asked to let its standby lead."""

import select
from time import monotonic

from matching.runtime.addresses import connected
from matching.runtime.feed import Channel
from matching.runtime.messages import Denied, Handed, HandOver, from_leader_decode

TIMEOUT_S = 10.0


class NotHandedOver(Exception):
    """The leader goes on leading, or does not answer."""


def hand_over(peer: str) -> str:
    """Ask the leader to hand over and return the name of the engine that leads now.

    Raises `NotHandedOver` with the leader's reason, `OSError` when none listens at the feed.
    """
    channel = Channel(connected(peer), from_leader_decode)
    channel.send(HandOver(0))
    until = monotonic() + TIMEOUT_S
    try:
        while (remaining_s := until - monotonic()) > 0 and not channel.closing:
            select.select([channel.sock], [], [], remaining_s)
            for message in channel.receive():
                if isinstance(message, Handed):
                    return message.standby
                if isinstance(message, Denied):
                    raise NotHandedOver(message.why)
    finally:
        channel.sock.close()
    raise NotHandedOver(f"the leader at {peer} gave no answer: {channel.closing or 'timeout'}")
