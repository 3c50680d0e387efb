"""The contracts' own tests, and that a stale artefact is found (`make check` compiles them)."""

import json

import pytest

from settlement.contracts import build


def _run(profile: str) -> int:
    result = build.forge_run("test", "--json", profile=profile)
    report = json.loads(result.stdout.splitlines()[-1])
    failed = [
        f"{suite} {name}: {test['reason']}"
        for suite, found in report.items()
        for name, test in found["test_results"].items()
        if test["status"] != "Success"
    ]
    assert not failed
    assert result.returncode == 0, result.stderr
    return sum(len(found["test_results"]) for found in report.values())


def test_contracts_pass_their_own_tests() -> None:
    assert _run("default") > 80


@pytest.mark.slow
def test_contracts_pass_their_own_tests_when_run_for_long() -> None:
    assert _run("slow") > 80


def test_artefact_is_named_when_its_source_has_changed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    committed = {
        name: (build.ROOT / build.HERE / "artefacts" / f"{name}.json").read_text()
        for name in build.CONTRACTS
    }
    compiled = dict(committed)
    monkeypatch.setattr(build, "artefacts_compile", lambda: compiled)
    monkeypatch.setattr("sys.argv", ["build.py", "--check"])
    assert build.main() == 0
    compiled["CashToken"] = compiled["CashToken"].replace("0x", "0x00", 1)
    assert build.main() == 1
    assert capsys.readouterr().err.startswith("CashToken: ")
