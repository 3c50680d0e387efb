"""The records are frozen: what a command, event, query or reply looks like in bytes may only grow.

Journals are kept for fifteen years, and a second engine is built against these records. Fields may
be added behind the others, with a default, and enumerations may gain members; then this test says
what has changed, and `python -m tests.matching.protocol.test_frozen` writes the new form down.
"""

from enum import IntEnum, StrEnum
from pathlib import Path
from types import ModuleType

import msgspec

from matching.protocol import codec, commands, events, queries, refusals, units

FROZEN = Path(__file__).with_name("frozen.txt")


def _records(module: ModuleType) -> list[str]:
    lines = []
    for name, kind in sorted(vars(module).items()):
        if not (isinstance(kind, type) and kind.__module__ == module.__name__):
            continue
        if issubclass(kind, msgspec.Struct):
            tag = kind.__struct_config__.tag
            fields = [
                f"{field.name}: {_named(field.type)}" + _default(field)
                for field in msgspec.structs.fields(kind)
            ]
            lines.append(f"{name} {tag if tag is not None else '-'} [{', '.join(fields)}]")
        elif issubclass(kind, IntEnum | StrEnum):
            members = ", ".join(f"{each.name}={each.value}" for each in kind)
            lines.append(f"{name} {{{members}}}")
    return lines


def _named(kind: object) -> str:
    """Return the name of a field's type; of a union of records, that it is one."""
    members = getattr(kind, "__args__", ())
    if len(members) > 4:
        return "one of " + ", ".join(sorted(each.__name__ for each in members))
    return getattr(kind, "__name__", "") if isinstance(kind, type) and not members else str(kind)


def _default(field: msgspec.structs.FieldInfo) -> str:
    return "" if field.required else f" = {field.default!r}"


def _form() -> str:
    modules = (commands, events, queries, codec, units, refusals)
    return "\n".join(
        line for module in modules for line in (f"# {module.__name__}", *_records(module))
    )


def test_records_are_what_they_were() -> None:
    assert _form() + "\n" == FROZEN.read_text()


def test_a_command_and_an_event_in_bytes() -> None:
    """The form of the bytes, once by hand: an array of tag and fields."""
    cancel = commands.CancelOrder(7, 300)
    assert codec.encode(commands.Sequenced(1, 2, cancel)) == bytes.fromhex(
        "93 01 02 94 09 07 cd012c a0".replace(" ", "")
    )
    filled = events.OrderCancelled(300, 7, 1, units.CancelReason.REQUESTED, 5)
    assert codec.encode(filled) == bytes.fromhex("96 0e cd012c 07 01 01 05".replace(" ", ""))


def test_tags_of_events_never_meet() -> None:
    tags = [kind.__struct_config__.tag for kind in events.AnyEvent.__args__]
    assert len(set(tags)) == len(tags)


if __name__ == "__main__":
    FROZEN.write_text(_form() + "\n")
