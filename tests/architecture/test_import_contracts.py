"""The import contracts of pyproject.toml hold, and each refuses a breach planted against it."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PACKAGES = ("exchange", "settlement", "custody", "compliance", "matching")
CONTRACTS = {
    contract["id"]: contract["name"]
    for contract in tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"][
        "importlinter"
    ]["contracts"]
}
BREACHES = [
    ("floors", "matching/book.py", "import compliance"),
    ("floors", "compliance/selectors.py", "import custody.models"),
    ("floors", "custody/models.py", "import settlement.errors"),
    ("floors", "settlement/errors.py", "import exchange.api"),
    ("exchange-rooms", "exchange/api/errors.py", "import exchange.trading.models"),
    ("exchange-rooms", "exchange/members/models.py", "import exchange.listings.models"),
    ("exchange-rooms", "exchange/trading/fees.py", "import exchange.funds.periods"),
    ("exchange-rooms", "exchange/utils.py", ""),
    ("matching-rooms", "matching/book.py", "import matching.engine"),
    ("matching-rooms", "matching/protocol/units.py", "import matching.order"),
    ("engine-doors", "exchange/trading/models.py", "import matching.engine"),
    ("engine-doors", "custody/models.py", "from matching import book"),
    ("engine-knows-no-framework", "matching/order.py", "import django"),
    ("chain-alone-imports-web3", "settlement/errors.py", "import web3"),
    ("chain-alone-imports-web3", "exchange/apps.py", "from web3 import Web3"),
    ("signers-alone-import-eth-account", "exchange/asgi.py", "import eth_account"),
    ("signers-alone-import-eth-account", "settlement/models.py", "from eth_account import Account"),
    ("models-of-compliance", "custody/models.py", "from compliance.models import User"),
    ("models-of-custody", "settlement/models.py", "import custody.models"),
    ("models-of-settlement", "exchange/trading/models.py", "import settlement.models"),
    ("models-of-members", "exchange/trading/models.py", "import exchange.members.models"),
    ("models-of-listings", "exchange/trading/models.py", "import exchange.listings.models"),
    ("models-of-trading", "exchange/apps.py", "import exchange.trading.models"),
    ("models-of-marketdata", "exchange/urls.py", "import exchange.marketdata.models"),
]


def _lint(tree: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    run = "from importlinter.cli import lint_imports_command as run; run()"
    return subprocess.run(
        [sys.executable, "-c", run, "--no-logo", "--no-cache", *arguments],
        cwd=tree,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def tree_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the packages and their contracts."""
    copy = tmp_path_factory.mktemp("tree")
    for package in PACKAGES:
        shutil.copytree(
            REPOSITORY / package,
            copy / package,
            ignore=lambda folder, names: [
                name
                for name in names
                if name in ("contracts", "__pycache__")
                or not (name.endswith(".py") or (Path(folder) / name).is_dir())
            ],
        )
    shutil.copy(REPOSITORY / "pyproject.toml", copy)
    return copy


def test_contracts_are_kept() -> None:
    linted = _lint(REPOSITORY)
    assert linted.returncode == 0, linted.stdout + linted.stderr
    assert all(f"{name} KEPT" in linted.stdout for name in CONTRACTS.values())


def test_every_contract_is_tried() -> None:
    assert {contract for contract, _, _ in BREACHES} == set(CONTRACTS)


@pytest.mark.parametrize(("contract", "file", "line"), BREACHES)
def test_contract_is_named_when_breached(
    contract: str, file: str, line: str, tree_template: Path
) -> None:
    planted = tree_template / file
    before = planted.read_text() if planted.exists() else None
    planted.write_text(f"{before or ''}\n{line}\n")
    try:
        linted = _lint(tree_template, "--contract", contract)
    finally:
        if before is None:
            planted.unlink()
        else:
            planted.write_text(before)
    assert linted.returncode == 1, linted.stdout + linted.stderr
    assert f"{CONTRACTS[contract]} BROKEN" in linted.stdout
