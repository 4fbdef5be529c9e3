"""The store of a camera comes home over a real SSH server: complete, resumed, within its budget, and no further."""

import contextlib
import json
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from trailcam.main import main
from trailcam_core.network.ssh.errors import HostError, OfflineError
from trailcam_core.network.ssh.master import SshSettings
from trailcam_deploy.device.collect import Collected, collect_store
from trailcam_deploy.ssh.connection import Connection

Collect = Callable[..., Collected]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    folder = tmp_path / "camera"
    (folder / "pictures").mkdir(parents=True)
    connection = sqlite3.connect(folder / "events.db")
    connection.execute("CREATE TABLE visits (event_id INTEGER PRIMARY KEY, visit_id TEXT, picture_bytes INTEGER)")
    for number in range(1, 5):
        size = 0 if number == 4 else 1000 * number
        connection.execute("INSERT INTO visits VALUES (?, ?, ?)", (number, f"v{number}", size))
        if size:
            (folder / "pictures" / f"v{number}.jpg").write_bytes(bytes([number]) * size)
    connection.commit()
    connection.close()
    return folder


@pytest.fixture
def collect(sshd, program, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Collect:
    monkeypatch.setattr("trailcam_deploy.ssh.connection._LOCK", str(tmp_path / "lock"))
    program("sudo", '[ "$1" = -n ] && shift; exec "$@"')
    program("runuser", '[ "$1 $3" = "-u --" ] || exit 9; shift 3; exec "$@"')

    def run(budget_bytes: int = 10_000_000, folder: str = str(store), python: str = sys.executable) -> Collected:
        settings = SshSettings(config=sshd.folder / "config")
        with Connection(sshd.destination, settings) as connection:
            return collect_store(connection, folder, tmp_path / "home", budget_bytes, python=python)

    return run


def _home(tmp_path: Path) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in sorted((tmp_path / "home" / "pictures").iterdir())}


def test_the_newest_pictures_come_first_and_the_rest_the_next_time(
    collect: Collect, store: Path, tmp_path: Path
) -> None:
    found = collect(budget_bytes=5000)
    assert (found.pictures, found.size_bytes, found.left) == (2, 5000, 1)
    assert _home(tmp_path) == {"v2.jpg": 2000, "v3.jpg": 3000}
    found = collect(budget_bytes=1000)
    assert (found.pictures, found.left) == (1, 0)
    assert (tmp_path / "home" / "pictures" / "v1.jpg").read_bytes() == (store / "pictures" / "v1.jpg").read_bytes()
    assert collect().pictures == 0
    with contextlib.closing(sqlite3.connect(tmp_path / "home" / "events.db")) as home:
        (number,) = home.execute("SELECT count(*) FROM visits").fetchone()
    assert number == 4
    assert not list(store.glob(".collect-*"))


def test_clips_come_after_the_pictures_within_the_same_budget(collect: Collect, store: Path, tmp_path: Path) -> None:
    (store / "clips").mkdir()
    with contextlib.closing(sqlite3.connect(store / "events.db")) as connection:
        connection.execute("CREATE TABLE clips (visit_id TEXT)")
        for number in (1, 3, 9):  # the last is of a visit that is still open
            connection.execute("INSERT INTO clips VALUES (?)", (f"v{number}",))
            (store / "clips" / f"v{number}.mp4").write_bytes(bytes(2000 * number))
        connection.commit()
    found = collect(budget_bytes=12_000)
    assert (found.pictures, found.clips, found.size_bytes, found.left) == (3, 1, 12_000, 1)
    assert [path.name for path in (tmp_path / "home" / "clips").iterdir()] == ["v3.mp4"]
    found = collect()
    assert (found.pictures, found.clips, found.left) == (0, 1, 0)


def test_a_picture_larger_than_the_budget_stays(collect: Collect, tmp_path: Path) -> None:
    assert collect(budget_bytes=2999).left == 3
    assert _home(tmp_path) == {}


def test_a_camera_without_a_store_is_an_error_with_its_cure(collect: Collect, tmp_path: Path) -> None:
    with pytest.raises(HostError, match=r"events\.db: no such file"):
        collect(folder=str(tmp_path))


def _fake(tmp_path: Path, output: bytes) -> str:
    """Return an interpreter that writes this output, whatever it is asked for."""
    (tmp_path / "output").write_bytes(output)
    fake = tmp_path / "fake-python"
    fake.write_text(f"#!/bin/sh\ncat > /dev/null\ncat {tmp_path}/output\n")
    fake.chmod(0o755)
    return str(fake)


def _file(name: str, size: int, content: bytes) -> bytes:
    return json.dumps({"name": name, "size": size}).encode() + b"\n" + content


@pytest.mark.parametrize(
    "output",
    [
        _file("../evil.jpg", 1, b"x"),
        _file("pictures/../../evil.jpg", 1, b"x"),
        _file("pictures/a.sh", 1, b"x"),
        _file("pictures/a.jpg", 10_000_001, b"x"),
        _file("pictures/a.jpg", -1, b"x"),
        b"Welcome!\n",
        b"[]\n",
    ],
)
def test_what_no_camera_sends_is_refused(collect: Collect, tmp_path: Path, output: bytes) -> None:
    with pytest.raises(HostError, match="it sent"):
        collect(python=_fake(tmp_path, output))
    assert [path.name for path in (tmp_path / "home").rglob("*")] == ["pictures"]


def test_a_stream_that_is_cut_off_keeps_only_whole_files(collect: Collect, tmp_path: Path) -> None:
    cut = _file("pictures/a.jpg", 2, b"ab") + _file("pictures/b.jpg", 1000, b"only this")
    with pytest.raises(OfflineError, match="what has arrived is kept"):
        collect(python=_fake(tmp_path, cut))
    assert _home(tmp_path) == {"a.jpg": 2}


def test_the_command_makes_a_folder_for_each_camera(
    sshd, collect: Collect, store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inventory = tmp_path / "fleet.toml"
    inventory.write_text(f'[hosts.oak]\nssh = "{sshd.destination}"\n')
    words = ["--inventory", str(inventory), "--into", str(tmp_path / "stores"), "--store", str(store)]
    program = f'#!/bin/sh\nshift 4; exec {sys.executable} "$@"\n'  # in place of the camera's own interpreter
    (sshd.folder / "bin" / "runuser").write_text(program)
    assert main(["deploy", "collect", *words, "--ssh-config", str(sshd.folder / "config")]) == 0
    assert "oak: 3 new pictures, 0.0 MB" in capsys.readouterr().out
    assert (tmp_path / "stores" / "oak" / "events.db").is_file()
