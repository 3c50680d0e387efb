"""Compile the contracts into `artefacts/`, or check that what is committed there is current.

`python settlement/contracts/build.py` writes, `--check` compares and names what differs. Runs forge
from this clone's node_modules, offline; source names are relative, so every clone gives the same
bytes.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

CONTRACTS = (
    "AccountRegistry",
    "Authority",
    "CashToken",
    "IdentityRegistry",
    "MetalToken",
    "SecurityToken",
    "Settlement",
)
ROOT = Path(__file__).resolve().parents[2]
HERE = Path("settlement/contracts")
FORGE = ROOT / "node_modules/@foundry-rs/forge-linux-amd64/bin/forge"


def forge_run(*arguments: str, profile: str = "default") -> subprocess.CompletedProcess[str]:
    """Run forge on this project and return what it said; the caller judges the exit code."""
    environment = os.environ | {
        "FOUNDRY_CONFIG": str(HERE / "foundry.toml"),
        "FOUNDRY_PROFILE": profile,
    }
    command = [str(FORGE), *arguments, "--root", "."]
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


def artefacts_compile() -> dict[str, str]:
    """Compile the sources, tests left out, and return each contract's artefact as JSON text.

    Raises RuntimeError with forge's output when they do not compile.
    """
    with tempfile.TemporaryDirectory() as folder:
        options = ("--force", "--skip", "test", "--out", folder, "--cache-path", f"{folder}/cache")
        result = forge_run("build", *options)
        if result.returncode:
            raise RuntimeError(f"forge build failed:\n{result.stdout}{result.stderr}")
        return {name: _artefact(name, Path(folder)) for name in CONTRACTS}


def _artefact(name: str, folder: Path) -> str:
    built: dict[str, Any] = json.loads((folder / f"{name}.sol" / f"{name}.json").read_text())
    sources = sorted(built["metadata"]["sources"])
    digest = hashlib.sha256()
    for source in sources:
        digest.update(source.encode() + b"\0" + (ROOT / source).read_bytes() + b"\0")
    deployed = bytes.fromhex(built["deployedBytecode"]["object"].removeprefix("0x"))
    artefact = {
        "contract": name,
        "solc": built["metadata"]["compiler"]["version"],
        "sourceHash": digest.hexdigest(),
        "deployedBytecodeHash": hashlib.sha256(deployed).hexdigest(),
        "bytecode": built["bytecode"]["object"],
        "abi": built["abi"],
    }
    return json.dumps(artefact, indent=1) + "\n"


def main() -> int:
    """Write the artefacts, or with `--check` return 1 and name those that differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    check = parser.parse_args().check
    folder = ROOT / HERE / "artefacts"
    stale = []
    for name, text in artefacts_compile().items():
        path = folder / f"{name}.json"
        if not check:
            path.write_text(text)
        elif not path.is_file() or path.read_text() != text:
            stale.append(name)
    for name in stale:
        print(f"{name}: the artefact differs from its source; run {HERE}/build.py", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
