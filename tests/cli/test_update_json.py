"""``trailcam update --json``: one object with a code for every way in which an update ends."""

import fcntl
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from trailcam.commands import update as command
from trailcam.main import main
from trailcam_core.bundle.folder import open_bundle, write_bundle
from trailcam_core.classifier import BUILTIN_BUNDLE
from trailcam_core.errors import BundleError, DeviceError
from trailcam_core.release.update_result import parse_update_result
from trailcam_edge.update.errors import error_code


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a signed repository in ``release``."""
    folder = tmp_path_factory.mktemp("operator")
    manifest = replace(open_bundle(BUILTIN_BUNDLE).manifest, name="meadow", version="2.0.0")
    golden = (BUILTIN_BUNDLE / "golden.npz").read_bytes()
    bundle = write_bundle(folder / "meadow.bundle", manifest, open_bundle(BUILTIN_BUNDLE).model_path, golden).path
    (folder / "passphrase").write_text("correct horse battery staple\n")
    (folder / "passphrase").chmod(0o600)
    place = ["--repository", str(folder / "release"), "--keys", str(folder / "keys")]
    assert main(["release", "init", *place, "--passphrase-file", str(folder / "passphrase")]) == 0
    assert main(["release", "add", str(bundle), *place, "--i-know", "the built-in model"]) == 0
    return folder


class Camera:
    """A camera with the root of trust; its self-test passes unless it is given a reason."""

    def __init__(self, folder: Path, release: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.reason: str | None = None
        self.source = str(release / "release")
        folder.mkdir()
        shutil.copy(release / "release" / "metadata" / "1.root.json", folder / "root.json")
        monkeypatch.setattr(command, "run_self_test", lambda bundle, settings: self.reason)

    def update(self, *words: str, source: str | None = None, channel: str = "meadow") -> list[str]:
        return ["update", source or self.source, "--channel", channel, "--folder", str(self.folder), "--json", *words]


@pytest.fixture
def camera(tmp_path: Path, release: Path, monkeypatch: pytest.MonkeyPatch) -> Camera:
    return Camera(tmp_path / "camera", release, monkeypatch)


def result(words: list[str], exit_code: int, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    capsys.readouterr()
    assert main(words) == exit_code
    printed = capsys.readouterr()
    (line,) = printed.out.splitlines()
    found: dict[str, Any] = json.loads(line)
    assert set(found) == {"schema", "code", "message", "running", "candidate"}
    assert parse_update_result(line).code == found["code"]
    assert exit_code == 0 or found["message"] in printed.err  # people read the same
    return found


def test_a_release_is_installed_and_up_to_date_and_rolled_back_and_refused(
    camera: Camera, capsys: pytest.CaptureFixture[str]
) -> None:
    found = result(camera.update(), 0, capsys)
    assert (found["schema"], found["code"], found["running"]) == (1, "installed", "builtin")
    assert found["candidate"].startswith("meadow-2.0.0-")
    assert result(camera.update(), 0, capsys)["code"] == "up_to_date"
    words = ["update", "--folder", str(camera.folder), "--json", "--roll-back", "by hand"]
    found = result(words, 0, capsys)
    assert (found["code"], found["running"], found["candidate"]) == ("rolled_back", "builtin", None)
    found = result(camera.update(), 1, capsys)
    assert found["code"] == "refused"
    assert "by hand" in found["message"]
    assert result(words, 1, capsys)["code"] == "error"  # there is nothing to go back to


def test_a_failed_self_test_is_told_apart(camera: Camera, capsys: pytest.CaptureFixture[str]) -> None:
    camera.reason = "it barks"
    found = result(camera.update(), 1, capsys)
    assert (found["code"], found["running"], found["candidate"]) == ("trial_failed", "builtin", None)


def test_another_update_makes_it_busy(camera: Camera, capsys: pytest.CaptureFixture[str]) -> None:
    descriptor = os.open(camera.folder / "update.lock", os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        assert result(camera.update(), 1, capsys)["code"] == "busy"
    finally:
        os.close(descriptor)


def test_a_repository_that_lacks_files_is_not_fetched_and_one_that_was_changed_is_refused(
    camera: Camera, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert result(camera.update(source=str(tmp_path / "stick")), 1, capsys)["code"] == "not_fetched"
    shutil.copytree(camera.source, tmp_path / "copy")
    (tmp_path / "copy" / "metadata" / "timestamp.json").unlink()
    assert result(camera.update(source=str(tmp_path / "copy")), 1, capsys)["code"] == "not_fetched"
    (tmp_path / "copy" / "metadata" / "timestamp.json").write_text("{}")
    assert result(camera.update(source=str(tmp_path / "copy")), 1, capsys)["code"] == "refused"
    assert result(camera.update(channel="owls"), 1, capsys)["code"] == "error"


def test_every_other_error_has_a_code() -> None:
    assert error_code(BundleError("damaged")) == "refused"
    assert error_code(DeviceError("no interpreter")) == "error"
    assert error_code(OSError("the disk is full")) == "error"
