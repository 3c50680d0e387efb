"""docker/: what it names exists, and its services are the processes of `exchange.stack.processes`.

No Docker engine is needed. Where `docker-compose` is installed it reads the file as well.
"""

import json
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import get_commands

from exchange.operations.health import PROCESSES
from exchange.stack.chain import chain_program
from exchange.stack.instance import BODIES, REPOSITORY, Instance
from exchange.stack.processes import ROWS, STANDBY, STEPS, WEB_ADDRESS

DOCKER = REPOSITORY / "docker"
COMPOSE: dict[str, Any] = yaml.safe_load((DOCKER / "compose.yaml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
PARTS = {"postgres", "valkey", "chain"}
DOCKERFILE = (DOCKER / "Dockerfile").read_text()
OURS = {name: each for name, each in SERVICES.items() if each["image"] == "nexus"}


def test_services_are_the_processes_of_the_table() -> None:
    assert set(SERVICES) == {*(row.name for row in ROWS), *PARTS, "set-up", "standby"}
    assert SERVICES["standby"]["profiles"] == ["standby"]
    assert SERVICES["standby"]["environment"]["NEXUS_NODE"] == STANDBY.node
    assert set(PROCESSES) == {row.name for row in ROWS}


@pytest.mark.parametrize("row", [*ROWS, STANDBY], ids=lambda row: row.name)
def test_service_runs_what_the_table_says(row: Any) -> None:
    arguments = [each.replace(WEB_ADDRESS, "0.0.0.0:8000") for each in row.argv[1:]]
    service = SERVICES[row.name]
    assert service["command"] == ["python", *arguments]
    assert service["environment"]["NEXUS_PROCESS"] == row.name
    trusted = {
        "secret_key": "django",
        "lane_key": "lane",
        **{body: body for body in BODIES},
    }
    granted = set(service["secrets"]) - {"postgres", "instance", "operator"}
    assert granted == {trusted[secret] for secret in row.trusted_with}


def test_what_traders_wait_for_has_the_processor_first() -> None:
    first = {name for name, service in SERVICES.items() if "cpu_shares" in service}
    assert first == {*(row.name for row in ROWS if not row.background), "standby", "valkey"}


@pytest.mark.parametrize("name", OURS)
def test_command_exists(name: str) -> None:
    """Every management command, module and application that a service names can be found."""
    command = list(OURS[name]["command"])
    if command[0] != "python":
        assert (REPOSITORY / command.pop(0)).is_file()
    assert command[0] == "python"
    if command[1] == "-m":
        assert find_spec(command[2]) is not None
    else:
        assert (REPOSITORY / command[1]).is_file()
        named = command[2:] if command[2] == "set_up" else command[2:3]
        assert set(named) <= set(get_commands())
    for application in (part for part in command if part.startswith("exchange.")):
        assert find_spec(application.partition(":")[0]) is not None


def test_set_up_carries_out_every_step() -> None:
    """But for the limits of a development's exchange: here two officers allow every payment."""
    steps = SERVICES["set-up"]["command"][4:]
    expected = [step.name for step in STEPS if step.name != "limits_init"]
    assert [step for step in steps if step != "lane_fund"] == expected


def test_only_a_bodys_signer_and_set_up_see_its_keys() -> None:
    for body in BODIES:
        seeing = {
            name
            for name, each in OURS.items()
            if any(volume.startswith(f"keys-{body}:") for volume in each.get("volumes", []))
        }
        assert seeing == {f"{body}-signer", "set-up"}
        told = {name for name, each in OURS.items() if body in each["secrets"]}
        assert told == {f"{body}-signer", "set-up"}


def test_only_engine_standby_and_snapshots_write_to_the_journal() -> None:
    writing = {name for name, each in OURS.items() if "journal:/journal" in each.get("volumes", [])}
    assert writing == {"engine", "standby", "snapshots"}


def test_everything_named_is_declared() -> None:
    for kind in ("volumes", "secrets", "networks"):
        used = {
            str(entry).partition(":")[0]
            for each in SERVICES.values()
            for entry in each.get(kind, [])
        }
        assert used == set(COMPOSE[kind])
    for name, each in SERVICES.items():
        assert set(each.get("depends_on", {})) <= set(SERVICES) - {name}


def test_only_the_door_is_open_and_on_loopback_alone() -> None:
    published = {name: each["ports"] for name, each in SERVICES.items() if "ports" in each}
    assert published == {"web": ["127.0.0.1:8000:8000"]}
    assert [name for name, each in SERVICES.items() if "door" in each["networks"]] == ["web"]
    assert all(COMPOSE["networks"][name]["internal"] for name in ("data", "chain"))


def test_node_is_the_embedded_one(tmp_path: Path) -> None:
    program = chain_program(Instance.named("docker", tmp_path), 8545)
    embedded = " ".join(program.argv[1:]).replace(" --", "\n--").replace(" ", "=").split()
    here = {"--host=127.0.0.1", "--port=8545", "--cache-path=cache", "--state=state.json"}
    assert set(embedded) - here == set(SERVICES["chain"]["command"]) - {
        "--host=0.0.0.0",
        "--state=/chain/state.json",
    }
    pinned = json.loads((REPOSITORY / "package.json").read_text())["dependencies"]
    version = pinned["@foundry-rs/anvil-linux-amd64"]
    assert SERVICES["chain"]["image"].endswith(f":v{version}")


def test_image_holds_what_it_copies_as_nobody_in_particular() -> None:
    copied = [
        source
        for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE)
        for source in line.split()[:-1]
    ]
    assert [each for each in copied if not (REPOSITORY / each).exists()] == []
    allowed = {
        line[1:]
        for line in (DOCKER / "Dockerfile.dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    assert allowed == set(copied)
    packages = {path.parent.name for path in REPOSITORY.glob("*/__init__.py")}
    assert packages <= set(copied)
    assert "\nUSER nexus\n" in DOCKERFILE
    assert "requirements-dev" not in DOCKERFILE


@pytest.mark.parametrize("script", ["entrypoint", "with-keys"])
def test_script_is_sound(script: str) -> None:
    path = DOCKER / script
    assert path.stat().st_mode & 0o111 == 0o111
    assert subprocess.run(["sh", "-n", path], check=False).returncode == 0


def test_entrypoint_gives_secrets_to_the_process_alone(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("only this\n")
    shown = subprocess.run(
        [DOCKER / "entrypoint", sys.executable, "-c", "import os; print(os.environ['PGPASSWORD'])"],
        env={"PGPASSWORD_FILE": str(secret), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout == "only this\n"


@pytest.mark.skipif(shutil.which("docker-compose") is None, reason="docker-compose is not here")
def test_docker_compose_reads_the_file() -> None:
    read = subprocess.run(
        ["docker-compose", "-f", DOCKER / "compose.yaml", "--profile", "standby", "config"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert read.returncode == 0, read.stderr
    assert set(yaml.safe_load(read.stdout)["services"]) == set(SERVICES)
