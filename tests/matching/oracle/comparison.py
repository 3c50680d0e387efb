"""An engine held against the oracle, and the few commands that show where they differ."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from functools import partial
from itertools import zip_longest
from typing import Any, TypeAlias

import msgspec
from msgspec.structs import astuple, replace

from matching.engine import Engine
from matching.protocol.commands import AnyCommand, Sequenced
from matching.protocol.events import AnyEvent, Refused
from matching.protocol.queries import (
    GetBalances,
    GetBook,
    GetInstruments,
    GetOpenOrders,
    GetRoutes,
    GetSegments,
)
from matching.protocol.refusals import Refusal
from tests.matching.oracle import answers
from tests.matching.oracle.machine import Oracle

MakeEngine: TypeAlias = Callable[[], Engine]
NO_ORDER = 2**62
REPLAYS_MAX = 2_000


@dataclass(frozen=True)
class Difference:
    """What engine and oracle say about the last of these commands."""

    commands: tuple[Sequenced, ...]
    engine: object
    oracle: object


class Pair:
    """An engine, made by `make`, and the oracle, at the same sequence number."""

    def __init__(self, make: MakeEngine = Engine) -> None:
        self.engine = make()
        self.oracle = Oracle()
        self.log: list[Sequenced] = []

    def apply(self, sequenced: Sequenced) -> tuple[AnyEvent, ...]:
        """Apply a command to both and return the events; raises `DifferenceFound`."""
        self.log.append(sequenced)
        expected = self.oracle.apply(sequenced).events
        self._compare(lambda: _bare(self.engine.apply(sequenced).events), expected)
        self._compare(lambda: self.engine.due_ns, self.oracle.due_ns)
        return expected

    def compare_states(self) -> None:
        """Compare balances, orders, books, instruments, segments and routes."""
        state, answer = self.oracle.state, self.engine.answer
        self._compare(lambda: answer(GetBalances()), answers.balances(state))
        self._compare(lambda: answer(GetOpenOrders()), answers.orders(state))
        self._compare(lambda: answer(GetInstruments()), answers.instruments(state))
        self._compare(lambda: answer(GetSegments()), answers.segments(state))
        self._compare(lambda: answer(GetRoutes()), answers.routes(state))
        for market in state.markets:
            self._compare(partial(answer, GetBook(market.number)), answers.book(state, market))

    def check(self) -> None:
        """Check the invariants of both."""
        self.oracle._check()
        self._compare(self.engine._check, None)

    def _compare(self, ask: Callable[[], object], expected: object) -> None:
        """Raise `DifferenceFound` unless the engine says what is expected; a fault is an answer."""
        try:
            said = ask()
        except Exception as fault:
            raise DifferenceFound(Difference(tuple(self.log), repr(fault), expected)) from fault
        if said != expected:
            raise DifferenceFound(Difference(tuple(self.log), said, expected))


class DifferenceFound(Exception):
    """Engine and oracle differ."""

    def __init__(self, difference: Difference) -> None:
        super().__init__(f"at command {len(difference.commands)}")
        self.difference = difference


def _bare(events: Iterable[AnyEvent]) -> tuple[AnyEvent, ...]:
    """Return events without the words that a refusal adds to its code."""
    return tuple(
        Refused(event.code, "") if isinstance(event, Refused) else event for event in events
    )


def difference_of(
    commands: Iterable[Sequenced], make: MakeEngine, *, states: bool
) -> Difference | None:
    """Replay commands and return the first difference, of states and invariants too if asked."""
    pair = Pair(make)
    try:
        for sequenced in commands:
            pair.apply(sequenced)
            if states:
                pair.compare_states()
                pair.check()
    except DifferenceFound as found:
        return found.difference
    return None


def shrunk(found: Difference, make: MakeEngine = Engine) -> Difference:
    """Return a difference with as few commands as delta debugging finds.

    Pieces are left out, from halves down to single commands, as long as something differs still.
    """
    kind = kind_of(found)
    states = difference_of(found.commands, make, states=False) is None
    size = len(found.commands) // 2
    replays = 0
    while size and replays < REPLAYS_MAX:
        start = 0
        shorter = False
        while start < len(found.commands) and replays < REPLAYS_MAX:
            kept = found.commands[:start] + found.commands[start + size :]
            less = difference_of(renumbered(kept), make, states=states)
            replays += 1
            if less is not None and kind_of(less) == kind:
                found, shorter = less, True
            else:
                start += size
        size = min(size, len(found.commands)) if shorter and size == 1 else size // 2
    return found


def agree(*steps: tuple[int, AnyCommand]) -> None:
    """Apply commands, each so many nanoseconds after the one before; raises `DifferenceFound`."""
    pair, time_ns = Pair(), 0
    for sequence, (after_ns, command) in enumerate(steps, 1):
        time_ns += after_ns
        pair.apply(Sequenced(sequence, time_ns, command))
        pair.compare_states()
        pair.check()


def kind_of(found: Difference) -> tuple[str, ...]:
    """Return what sort of difference it is: the command's type and where the answers part."""
    kinds = [type(found.commands[-1].command).__name__] if isinstance(found.oracle, tuple) else []
    for engine, oracle in _apart(found)[:1]:
        kinds += [_sort(engine), _sort(oracle)]
    return tuple(kinds)


def _apart(found: Difference) -> list[tuple[object, object]]:
    """Return the records in which two answers differ."""
    sides = zip_longest(_records(found.engine), _records(found.oracle))
    return [(engine, oracle) for engine, oracle in sides if engine != oracle]


def _records(said: object) -> tuple[object, ...]:
    """Return the events, or the records of a reply."""
    if isinstance(said, msgspec.Struct):
        for field in astuple(said):
            if isinstance(field, tuple):
                return field
    return said if isinstance(said, tuple) else (said,)


def _sort(said: object) -> str:
    return said.code if isinstance(said, Refused) else type(said).__name__


def renumbered(commands: Iterable[Sequenced]) -> list[Sequenced]:
    """Return commands numbered from 1, naming orders by the numbers that they have now."""
    commands = list(commands)
    numbers = {each.sequence: new for new, each in enumerate(commands, 1)}
    return [
        Sequenced(new, each.time_ns, _naming(each.command, numbers))
        for new, each in enumerate(commands, 1)
    ]


def _naming(command: AnyCommand, numbers: dict[int, int]) -> AnyCommand:
    number = getattr(command, "order_id", 0)
    if not number:
        return command
    return replace(command, order_id=numbers.get(number, NO_ORDER))


def told(found: Difference, seed: int) -> str:
    """Return a difference as text: the commands as code, then what either says."""
    lines = [f"seed {seed}: engine and oracle differ at the last command of", "agree("]
    lines += [
        f"    ({_after(found, index)}, {code(each.command)}),"
        for index, each in enumerate(found.commands)
    ]
    lines.append(")")
    for name, said in (("engine", found.engine), ("oracle", found.oracle)):
        lines.append(f"{name}:")
        apart = [pair[name == "oracle"] for pair in _apart(found)]
        shown = said if isinstance(said, tuple) else apart
        lines += [f"    {code(one)}" for one in shown]
    return "\n".join(lines)


def _after(found: Difference, index: int) -> int:
    """Return how many nanoseconds after the one before a command comes."""
    before = found.commands[index - 1].time_ns if index else 0
    return found.commands[index].time_ns - before


def code(value: Any) -> str:
    """Return a record as the code that makes it, without the fields that are at their defaults."""
    if isinstance(value, Refusal):
        return f"Refusal.{value.name}"
    if isinstance(value, IntFlag):
        return f"{type(value).__name__}({int(value)})"
    if isinstance(value, IntEnum):
        return f"{type(value).__name__}.{value.name}"
    if isinstance(value, tuple):
        return "(" + ", ".join(code(one) for one in value) + ("," if len(value) == 1 else "") + ")"
    if not isinstance(value, msgspec.Struct):
        return repr(value)
    fields = msgspec.structs.fields(value)
    parts = [
        f"{field.name}={code(getattr(value, field.name))}"
        for field in fields
        if getattr(value, field.name) != field.default
    ]
    return f"{type(value).__name__}({', '.join(parts)})"
