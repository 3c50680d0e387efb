"""The state machine of the exchange: `Engine.apply`, a pure function of state and command.

What lives here are the rules of trading. What must not: clock, randomness, environment, files,
sockets, floats.
"""

from matching.engine.image import Image
from matching.engine.machine import Engine, SequenceBroken

__all__ = ["Engine", "Image", "SequenceBroken"]
