"""Folders, identity and secrets of an instance, against other users and crashes."""

import json
import os
import stat
from pathlib import Path

import pytest

from exchange.stack.errors import StackError
from exchange.stack.folders import private_folder, secret_file, socket_path
from exchange.stack.instance import BODIES, SECP256K1_ORDER, Instance

ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives folders away")


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    return Instance.named("one", tmp_path)


@pytest.mark.parametrize("name", ["", "1st", "../up", "Upper", "a b", "a" * 41, "ä", "a\n"])
def test_instance_is_refused_when_its_name_is_no_word(name: str) -> None:
    with pytest.raises(StackError, match="must be 1 to 40"):
        Instance.named(name)


def test_identity_and_secrets_stay_when_prepared_again(instance: Instance) -> None:
    with instance.locked():
        instance.prepare()
        first = {path: path.read_text() for path in instance.home.rglob("*") if path.is_file()}
        instance.prepare()
        assert {path: path.read_text() for path in first} == first
        assert {path.name for path in first} == {
            "instance.json",
            "lane.key",
            "django.secret",
            *(f"{body}.pass" for body in BODIES),
        }
        assert 0 < int.from_bytes(instance.lane_key, "big") < SECP256K1_ORDER
        assert len(instance.lane_key) == 32
        instance.erase()


def test_nobody_else_reads_an_instance(instance: Instance) -> None:
    with instance.locked():
        instance.prepare()
        assert all(
            stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)
            for path in (instance.home, *instance.home.rglob("*"))
        )
        instance.erase()


def test_runtime_is_emptied_when_its_home_was_erased_by_hand(instance: Instance) -> None:
    with instance.locked():
        instance.prepare()
        before = instance.identity
        left = private_folder(instance.runtime / "postgres") / "rows"
        left.write_text("of the instance before")
        (instance.home / "instance.json").unlink()
        instance.prepare()
        assert instance.identity != before
        assert not left.exists()
        instance.erase()
    assert not instance.runtime.exists()
    assert not instance.home.exists()


def test_second_supervisor_is_refused(instance: Instance) -> None:
    with (
        instance.locked(),
        pytest.raises(StackError, match=f"already run by process {os.getpid()}"),
        instance.locked(),
    ):
        pass
    assert instance.supervisor_pid() is None
    with instance.locked():
        assert instance.supervisor_pid() == os.getpid()
        instance.erase()


def test_folder_is_refused_when_others_may_write(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(StackError, match="nobody else may write"):
        private_folder(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o777


def test_folder_is_refused_when_it_is_a_link(tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "target")
    with pytest.raises(StackError, match="nobody else may write"):
        private_folder(tmp_path / "link")


@ROOT_ONLY
def test_folder_is_refused_when_it_is_anothers(tmp_path: Path) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir(mode=0o700)
    os.chown(folder, 65534, 65534)
    with pytest.raises(StackError, match="but is drwx------ of user 65534"):
        private_folder(folder)


def test_socket_path_is_refused_when_the_kernel_would() -> None:
    assert socket_path(Path("/" + "a" * 106)) == Path("/" + "a" * 106)
    with pytest.raises(StackError, match="longer than 107 bytes"):
        socket_path(Path("/" + "a" * 107))


def test_secret_is_whole_or_absent(tmp_path: Path) -> None:
    secret_file(tmp_path / "secret", json.dumps({"a": 1}))
    secret_file(tmp_path / "secret", "another")
    assert json.loads((tmp_path / "secret").read_text()) == {"a": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]
