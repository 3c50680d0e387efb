"""Each process is told what it needs; a body's passphrase reaches that body's signer alone."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from exchange.stack.environment import base_environment, operator_environment, part_urls
from exchange.stack.errors import StackError
from exchange.stack.instance import BODIES, Instance
from exchange.stack.process import Program
from exchange.stack.processes import PARTS, ROWS, STEPS
from exchange.stack.programs import row_program, rows_named, steps_named
from exchange.stack.stack import Stack


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[Instance]:
    made = Instance.named("one", tmp_path)
    with made.locked():
        made.prepare()
        yield made
        made.erase()


@pytest.fixture
def programs(instance: Instance) -> list[Program]:
    return [row_program(row, instance, part_urls(instance, 20_000, {}), 20_001) for row in ROWS]


def test_passphrase_reaches_the_bodys_signer_alone(
    instance: Instance, programs: list[Program]
) -> None:
    held = {
        program.name: {
            body for body in BODIES if instance.key_passphrase(body) in program.env.values()
        }
        for program in programs
    }
    assert {name: bodies for name, bodies in held.items() if bodies} == {
        f"{body}-signer": {body} for body in BODIES
    }
    assert not {instance.key_passphrase(body) for body in BODIES} & set(
        operator_environment(instance).values()
    )


def test_secret_reaches_only_who_is_trusted_with_it(programs: list[Program]) -> None:
    def told(variable: str) -> set[str]:
        return {program.name for program in programs if variable in program.env}

    assert told("NEXUS_SECRET_KEY") == {"web", "worker"}
    assert told("NEXUS_LANE_KEY_FILE") == {"worker"}
    assert told("NEXUS_KEYS") == {f"{body}-signer" for body in BODIES}
    assert told("NEXUS_ENGINE_SOCKET") == {row.name for row in ROWS}


def test_shell_leaks_nothing_into_a_process(
    instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLOUD_TOKEN", "of the person who typed make up")
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "elsewhere")
    told = base_environment(instance, part_urls(instance, 20_000, {}))
    assert "CLOUD_TOKEN" not in told
    assert told["DJANGO_SETTINGS_MODULE"] == "exchange.settings"


def test_outside_url_replaces_the_embedded_part(instance: Instance) -> None:
    urls = part_urls(instance, 20_000, {"DATABASE_URL": "postgres://db.example/nexus"})
    assert urls["DATABASE_URL"] == "postgres://db.example/nexus"
    assert urls["REDIS_URL"] == f"unix://{instance.valkey_socket}?db=0"
    assert urls["CHAIN_URL"] == "http://127.0.0.1:20000"


def test_set_up_runs_when_its_parts_do() -> None:
    assert steps_named(None, ("valkey",)) == ()
    assert [step.name for step in steps_named(None, ("postgres",))] == [
        "migrate",
        "assets_register",
    ]
    assert steps_named(None, PARTS) == STEPS


def test_process_is_refused_when_the_table_lacks_it() -> None:
    with pytest.raises(StackError, match="no process is called oracle; there are engine, "):
        rows_named(["engine", "oracle"])
    with pytest.raises(StackError, match="no set-up step is called pray"):
        steps_named(["pray"], PARTS)
    with pytest.raises(StackError, match="web is not of this run"):
        Stack("unstarted", processes=()).start("web")


OPEN_ALL = """
import django
django.setup()
from compliance.signer import BodySigner
from exchange.stack.instance import BODIES
for body in BODIES:
    try:
        BodySigner.open(body)
    except LookupError:
        continue
    print(body)
"""


def test_no_body_signs_with_what_another_process_was_given(programs: list[Program]) -> None:
    for program in programs:
        if program.name in ("web", "worker"):
            found = subprocess.run(
                [sys.executable, "-c", OPEN_ALL],
                env=dict(program.env),
                cwd=program.cwd,
                capture_output=True,
                text=True,
                check=True,
            )
            assert found.stdout == "", program.name
