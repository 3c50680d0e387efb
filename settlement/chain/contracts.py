"""Loads the committed artefacts: ABI, bytecode and compiler version of each contract."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).resolve().parents[1] / "contracts" / "artefacts"


@dataclass(frozen=True, slots=True)
class Artefact:
    """One compiled contract."""

    name: str
    abi: list[dict[str, Any]]
    bytecode: bytes
    solc_version: str
    source_hash: str


@cache
def artefact_load(name: str) -> Artefact:
    """Return the artefact of a contract, e.g. "Settlement".

    Raises FileNotFoundError for a name without one.
    """
    stored = json.loads((_FOLDER / f"{name}.json").read_text())
    return Artefact(
        name=stored["contract"],
        abi=stored["abi"],
        bytecode=bytes.fromhex(stored["bytecode"].removeprefix("0x")),
        solc_version=stored["solc"],
        source_hash=stored["sourceHash"],
    )
