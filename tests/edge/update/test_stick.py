"""``trailcam update`` from a stick that was copied by half, pulled out, or belongs to another owner."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from device_under_test import Operator

from trailcam.main import main
from trailcam_edge.update.install.updater import Updater
from trailcam_edge.update.settings import UpdateSettings

_COPY_AGAIN = "The file is damaged, or was not copied to its end. Copy metadata/ and targets/"
_WHOLE = "SOURCE is the folder with metadata/ and targets/ of the whole release repository."


def halve(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _without_snapshot(stick: Path) -> None:
    (stick / "metadata" / "2.snapshot.json").unlink()


def _half_snapshot(stick: Path) -> None:
    halve(stick / "metadata" / "2.snapshot.json")


def _empty_timestamp(stick: Path) -> None:
    (stick / "metadata" / "timestamp.json").write_bytes(b"")


def _half_manifest(stick: Path) -> None:
    halve(next((stick / "targets").rglob("*.manifest.json")))


def _photographs_only(stick: Path) -> None:
    for name in ("metadata", "targets"):
        shutil.rmtree(stick / name)
    (stick / "DCIM").mkdir()


@pytest.mark.parametrize(
    ("damage", "found", "next_step"),
    [
        (_without_snapshot, "cannot be fetched (metadata/2.snapshot.json: no such file)", _WHOLE),
        (_half_snapshot, "verification failed (2.snapshot.json, DeserializationError", _COPY_AGAIN),
        (_empty_timestamp, "verification failed (timestamp.json, DeserializationError", _COPY_AGAIN),
        (_half_manifest, "cannot be fetched (folder:/targets/tiny/2.0.0/", _WHOLE),
        (_photographs_only, "cannot be fetched (metadata/timestamp.json: no such file)", _WHOLE),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_stick_that_was_copied_by_half_is_one_clear_error_and_the_camera_keeps_its_bundle(
    tmp_path: Path,
    write_tiny_bundle: Callable[..., Any],
    capsys: pytest.CaptureFixture[str],
    damage: Callable[[Path], None],
    found: str,
    next_step: str,
) -> None:
    operator = Operator(tmp_path)
    operator.release(write_tiny_bundle(tmp_path / "2.bundle", version="2.0.0").path)
    stick, camera = tmp_path / "stick", tmp_path / "camera"
    shutil.copytree(operator.repository, stick)
    damage(stick)
    camera.mkdir()
    (camera / "root.json").write_bytes(operator.root)
    options = ["--channel", "tiny", "--folder", str(camera), "--max-latency-ms", "60000"]
    capsys.readouterr()

    assert main(["update", str(stick), *options]) == 1

    message = capsys.readouterr().err.strip()
    assert f"{stick}: {found}" in message
    assert next_step in message
    assert "\n" not in message
    journal = Updater(UpdateSettings(camera)).status()
    assert (journal.running, journal.candidate) == ("builtin", None)
    assert main(["update", str(operator.repository), *options]) == 0, capsys.readouterr().err
    assert Updater(UpdateSettings(camera)).status().candidate is not None


def test_a_stick_of_another_operator_and_an_old_one_say_which_they_are(
    tmp_path: Path, write_tiny_bundle: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "other").mkdir()
    operator, other = Operator(tmp_path), Operator(tmp_path / "other")
    bundle = write_tiny_bundle(tmp_path / "2.bundle", version="2.0.0").path
    operator.release(bundle)
    other.release(bundle)
    old, camera = tmp_path / "old", tmp_path / "camera"
    shutil.copytree(operator.repository, old)
    operator.release(write_tiny_bundle(tmp_path / "3.bundle", version="3.0.0").path)
    camera.mkdir()
    (camera / "root.json").write_bytes(operator.root)
    options = ["--channel", "tiny", "--folder", str(camera), "--max-latency-ms", "60000"]
    assert main(["update", str(operator.repository), *options]) == 0
    capsys.readouterr()

    assert main(["update", str(other.repository), *options]) == 1
    assert "It is the repository of other keys" in capsys.readouterr().err
    assert main(["update", str(old), *options]) == 1
    assert "use the newest copy" in capsys.readouterr().err
