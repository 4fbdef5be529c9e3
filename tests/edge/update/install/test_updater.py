"""The update of a device on a real disk, with bundles that are real and self-tests that are told what to say."""

import errno
import fcntl
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import pytest

from trailcam_core.bundle.folder import Bundle, open_bundle
from trailcam_core.errors import BundleError, DeviceError, UpdateError
from trailcam_core.files.atomic import STAGING_PREFIX
from trailcam_core.inference import runtimes
from trailcam_edge.update.install.journal import BUILTIN, Journal
from trailcam_edge.update.install.slots import slot_name
from trailcam_edge.update.install.updater import Updater
from trailcam_edge.update.settings import UpdateSettings

RULE = UpdateSettings(healthy_s=60, give_up_s=300, most_starts=2)
Versions = Callable[[str], Bundle]


@pytest.fixture
def version(tmp_path: Path, write_tiny_bundle: Callable[..., Any]) -> Versions:
    """Return a function that writes a bundle of a version."""
    return lambda text: write_tiny_bundle(tmp_path / f"{text}.bundle", version=text)


class Device:
    """An updater whose self-test says what it is told."""

    def __init__(self, folder: Path, builtin: Path) -> None:
        self.folder = folder
        self.verdict: str | None = None
        self.updater = Updater(replace(RULE, folder=folder), lambda path: self.verdict, builtin)

    def current(self) -> str:
        return open_bundle(self.folder / "current").manifest.version

    def commit(self, bundle: Bundle) -> str:
        slot = self.updater.install(bundle.path)
        self.updater.start()
        assert self.updater.observe(60, 61).running == slot
        return slot


@pytest.fixture
def device(tmp_path: Path, pristine_bundle: Path) -> Device:
    return Device(tmp_path / "update", pristine_bundle)


def test_a_fresh_device_runs_the_built_in_bundle(device: Device, pristine_bundle: Path) -> None:
    assert device.updater.start() == pristine_bundle
    assert (device.folder / "current").resolve() == pristine_bundle.resolve()


def test_a_bundle_goes_from_file_to_commit(device: Device, version: Versions) -> None:
    slot = device.updater.install(version("2.0.0").path)
    assert device.current() == "2.0.0"
    assert device.updater.start().name == slot
    assert device.updater.observe(10, 10).state == "watch"
    journal = device.updater.observe(60, 70)
    assert (journal.state, journal.running, journal.previous) == ("idle", slot, BUILTIN)


def test_a_failed_self_test_leaves_the_running_bundle_and_is_remembered(device: Device, version: Versions) -> None:
    device.commit(version("1.1.0"))
    device.verdict = "it barks"
    bundle = version("2.0.0")
    with pytest.raises(UpdateError, match=r"not activated, because it barks"):
        device.updater.install(bundle.path)
    assert device.current() == "1.1.0"
    device.verdict = None
    with pytest.raises(UpdateError, match=r"was rolled back on this device: it barks"):
        device.updater.install(bundle.path)
    device.updater.install(bundle.path, again=True)
    assert device.current() == "2.0.0"


def test_a_camera_that_never_gets_healthy_goes_back_after_so_many_starts(
    device: Device, version: Versions, caplog: pytest.LogCaptureFixture
) -> None:
    good = device.commit(version("1.1.0"))
    bad = device.updater.install(version("2.0.0").path)
    assert [device.updater.start().name for _ in range(3)] == [bad, bad, good]
    assert device.current() == "1.1.0"
    assert any("not healthy in 2 starts" in text for text in caplog.messages)


def test_a_candidate_without_health_goes_back_while_the_camera_runs(device: Device, version: Versions) -> None:
    device.updater.install(version("2.0.0").path)
    device.updater.start()
    assert device.updater.observe(5, 300).state == "idle"
    assert device.current() == "1.0.0"


def test_running_previous_and_built_in_bundle_survive_many_updates(device: Device, version: Versions) -> None:
    slots = [device.commit(version(f"{number}.0.0")) for number in range(2, 6)]
    device.updater.install(version("9.0.0").path)
    left = {item.name for item in (device.folder / "slots").iterdir()}
    assert {slots[-1], slots[-2]} < left
    assert len(left) == 3


def test_a_rotten_running_bundle_gives_way_to_the_previous_one(device: Device, version: Versions) -> None:
    older, newer = device.commit(version("2.0.0")), device.commit(version("3.0.0"))
    (device.folder / "slots" / newer / "model.tflite").write_bytes(b"rot")
    assert device.updater.start().name == older
    assert device.current() == "2.0.0"
    shutil.rmtree(device.folder / "slots" / older)
    assert device.updater.start() == open_bundle(device.folder / "current").path.resolve()
    assert device.current() == "1.0.0"


def test_a_damaged_journal_means_the_built_in_bundle(
    device: Device, version: Versions, caplog: pytest.LogCaptureFixture
) -> None:
    device.commit(version("2.0.0"))
    (device.folder / "journal.json").write_bytes(b"\x00" * 200)
    device.updater.start()
    assert device.current() == "1.0.0"
    assert any("journal is damaged" in text for text in caplog.messages)


def test_a_slot_under_another_name_is_not_whole(device: Device, version: Versions) -> None:
    slot = device.commit(version("2.0.0"))
    shutil.rmtree(device.folder / "slots" / slot)
    shutil.copytree(version("3.0.0").path, device.folder / "slots" / slot)
    device.updater.start()
    assert device.current() == "1.0.0"


def test_what_is_no_bundle_changes_nothing(device: Device, tiny_bundle: Path) -> None:
    device.updater.start()
    (tiny_bundle / "golden.npz").write_bytes(b"x")
    with pytest.raises(BundleError):
        device.updater.install(tiny_bundle)
    assert device.updater.status().state == "idle"
    assert not (device.folder / "slots").exists()


def test_a_bundle_for_another_runtime_is_turned_away_and_may_come_again(
    device: Device, tiny_bundle: Path, change_manifest: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    oldest = {"litert": "99.1", "tflite_runtime": None}
    change_manifest(tiny_bundle, lambda fields: fields["model"].update(runtime_min=oldest))
    device.updater.start()
    words = r"needs ai-edge-litert 99\.1, here is .* Install ai-edge-litert 99\.1 or newer"
    with pytest.raises(DeviceError, match=words):
        device.updater.install(tiny_bundle)
    assert device.updater.status() == Journal()
    assert not (device.folder / "slots").exists()
    monkeypatch.setattr(runtimes, "version", lambda package: "99.1")
    assert device.updater.install(tiny_bundle) == device.updater.status().candidate


def test_a_32_bit_machine_is_told_no_before_anything_is_copied(
    device: Device, version: Versions, monkeypatch: pytest.MonkeyPatch
) -> None:
    def not_installed(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(runtimes, "version", not_installed)
    monkeypatch.setattr(runtimes, "_try_import", lambda name: None)
    monkeypatch.setattr(sys, "maxsize", 2**31 - 1)
    with pytest.raises(DeviceError, match=r"32-bit.*64-bit Raspberry Pi OS"):
        device.updater.install(version("2.0.0").path)
    assert not (device.folder / "slots").exists()


def test_a_bundle_of_a_newer_schema_says_what_to_update(
    device: Device, tiny_bundle: Path, change_manifest: Callable[..., Any]
) -> None:
    change_manifest(tiny_bundle, lambda fields: fields.update(schema_version=3))
    with pytest.raises(BundleError, match="Update Trailcam on this machine"):
        device.updater.install(tiny_bundle)
    assert not (device.folder / "slots").exists()


def test_a_second_update_is_turned_away_before_it_touches_the_downloads(device: Device) -> None:
    with (
        device.updater.exclusive(),
        pytest.raises(UpdateError, match="another update is going on"),
        device.updater.exclusive(),
    ):
        pass


def test_a_journal_that_cannot_be_read_is_not_forgotten(
    device: Device, version: Versions, monkeypatch: pytest.MonkeyPatch
) -> None:
    slot = device.commit(version("2.0.0"))

    read = Path.read_bytes

    def fail(path: Path) -> bytes:
        if path.name == "journal.json":
            raise OSError(errno.EIO, "Input/output error")
        return read(path)

    with monkeypatch.context() as broken:
        broken.setattr(Path, "read_bytes", fail)
        with pytest.raises(OSError, match="Input/output"):
            device.updater.start()
        assert open_bundle(device.updater.safe_bundle()).manifest.version == "1.0.0"
    assert device.updater.status().running == slot


def test_an_interrupted_self_test_is_taken_up_again(tmp_path: Path, pristine_bundle: Path, version: Versions) -> None:
    def pulled_plug(path: Path) -> str | None:
        raise KeyboardInterrupt

    folder, bundle = tmp_path / "update", version("2.0.0")
    with pytest.raises(KeyboardInterrupt):
        Updater(replace(RULE, folder=folder), pulled_plug, pristine_bundle).install(bundle.path)
    device = Device(folder, pristine_bundle)
    assert device.updater.start() == pristine_bundle
    with pytest.raises(UpdateError, match="is being tried"):
        device.updater.install(bundle.path)
    assert device.updater.resume() == slot_name(bundle)
    assert device.current() == "2.0.0"
    assert device.updater.resume() is None


def test_a_second_installer_is_turned_away(device: Device, version: Versions) -> None:
    device.updater.start()
    descriptor = os.open(device.folder / "install.lock", os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with pytest.raises(UpdateError, match="another update is going on"):
            device.updater.install(version("2.0.0").path)
    finally:
        os.close(descriptor)


def test_without_room_nothing_is_copied(device: Device, version: Versions, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(device.folder.parent)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1_000_000))
    with pytest.raises(UpdateError, match="1 MB free, the bundle needs 16 MB"):
        device.updater.install(version("2.0.0").path)
    assert list((device.folder / "slots").iterdir()) == []


def test_an_operator_rolls_back_and_the_rest_of_an_interrupted_step_is_swept(device: Device, version: Versions) -> None:
    device.commit(version("2.0.0"))
    device.commit(version("3.0.0"))
    assert device.updater.roll_back("by hand").running.startswith("tiny-2.0.0")
    assert device.current() == "2.0.0"
    (device.folder / "slots" / f"{STAGING_PREFIX}rest").mkdir()
    device.updater.install(version("4.0.0").path)
    assert not list(device.folder.rglob(f"{STAGING_PREFIX}*"))


def test_a_disk_that_cannot_be_written_runs_what_was_committed(device: Device, version: Versions) -> None:
    slot = device.commit(version("2.0.0"))
    device.updater.install(version("3.0.0").path)
    before = sorted(path.stat().st_mtime_ns for path in device.folder.rglob("*"))
    assert device.updater.safe_bundle().name == slot
    assert sorted(path.stat().st_mtime_ns for path in device.folder.rglob("*")) == before
