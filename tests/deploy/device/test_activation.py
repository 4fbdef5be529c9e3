"""The status of a device, and the activation of a release on it."""

import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from trailcam.main import main
from trailcam_core.bundle.folder import open_bundle
from trailcam_core.classifier import BUILTIN_BUNDLE
from trailcam_core.network.ssh.errors import HostError
from trailcam_core.release.update_result import UpdateResult
from trailcam_deploy.device.activation import DeviceStatus, activate_release, parse_status, roll_back
from trailcam_deploy.operator_folder import OperatorFolder

HEALTHY = DeviceStatus("active", "idle", "meadow 1.0.0", "meadow 1.0.0", True, "127.0.0.1:8080")


class Device:
    """A device whose ``trailcam update --json`` gives these results, one after the other."""

    def __init__(self, *results: UpdateResult | tuple[int, str, str]) -> None:
        self.results = list(results)
        self.words: list[tuple[str, ...]] = []

    def try_run(self, script: str, *words: str, timeout_s: float) -> tuple[int, str, str]:
        self.words.append(words)
        result = self.results.pop(0)
        return result if isinstance(result, tuple) else (0, f"a line before it\n{result.to_json()}\n", "noise")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trailcam_deploy.device.activation._POLL_S", 0.0)


def test_a_camera_is_healthy_when_its_page_shows_frames_classified_by_the_active_bundle() -> None:
    assert HEALTHY.is_healthy
    assert replace(HEALTHY, state="watch").is_healthy


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"alive": False}, "no frames arrive"),
        ({"seen_bundle": "meadow 0.9.0"}, "it still runs meadow 0.9.0; meadow 1.0.0 follows"),
        ({"seen_bundle": None}, "does not answer"),
    ],
)
def test_a_camera_is_not_healthy_without(changes: dict[str, object], reason: str) -> None:
    status = replace(HEALTHY, **changes)
    assert not status.is_healthy
    assert reason in status.reason


def test_an_update_of_the_devices_own_timer_is_waited_for() -> None:
    busy, done = UpdateResult("busy", "another update runs"), UpdateResult("up_to_date", "meadow 1.0.0")
    device = Device(busy, busy, done)
    assert activate_release(device, "meadow", 80) == done  # type: ignore[arg-type]
    assert device.words == [("/var/lib/trailcam-inbox", "--channel", "meadow", "--max-latency-ms", "80")] * 3


def test_an_update_that_never_ends_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trailcam_deploy.device.activation._BUSY_S", -1.0)
    with pytest.raises(HostError, match="another update runs"):
        activate_release(Device(UpdateResult("busy", "another update runs")), "meadow")  # type: ignore[arg-type]


def test_the_update_command_of_a_device_is_understood(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = OperatorFolder(tmp_path / "fleet", datetime.now(UTC))
    folder.create_if_missing()
    folder.release(open_bundle(BUILTIN_BUNDLE), "meadow", "a test")
    (tmp_path / "update").mkdir()
    (tmp_path / "update" / "root.json").write_bytes(folder.roots()[-1])

    class RealDevice(Device):
        """A device with an inbox at ``fleet/release``, and the command of this checkout."""

        def try_run(self, script: str, *words: str, timeout_s: float) -> tuple[int, str, str]:
            assert script.endswith('trailcam update --json "$@"')
            own = [word.replace("/var/lib/trailcam-inbox", str(tmp_path / "fleet" / "release")) for word in words]
            status = main(["update", "--json", *own, "--folder", str(tmp_path / "update")])
            return (status, *capfd.readouterr())

    device: Any = RealDevice()
    assert activate_release(device, "meadow").code == "installed"
    assert activate_release(device, "meadow").code == "up_to_date"
    assert roll_back(device, "sees owls").running == "builtin"
    with pytest.raises(HostError):
        roll_back(device, "sees owls")
    with pytest.raises(HostError, match="sees owls"):
        activate_release(device, "meadow")
    shutil.rmtree(tmp_path / "fleet" / "release" / "targets")
    for path in (tmp_path / "update").iterdir():  # a device that has seen no release
        if path.name != "root.json":
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    assert activate_release(device, "meadow").code == "not_fetched"


def test_missing_files_are_a_result_and_refusals_are_errors() -> None:
    missing = UpdateResult("not_fetched", "model.tflite")
    assert activate_release(Device(missing), "meadow") == missing  # type: ignore[arg-type]
    for code in ("refused", "trial_failed", "error"):
        with pytest.raises(HostError, match="the reason"):
            activate_release(Device(UpdateResult(code, "the reason")), "meadow")  # type: ignore[arg-type]


def test_an_older_trailcam_is_named_with_the_next_step() -> None:
    old = (2, "", "usage: trailcam update ...\ntrailcam update: error: unrecognized arguments: --json")
    with pytest.raises(HostError, match=r"too old.*trailcam deploy"):
        roll_back(Device(old), "sees owls")  # type: ignore[arg-type]


def test_an_update_that_dies_is_an_error_with_its_last_lines() -> None:
    with pytest.raises(HostError, match=r"exit code 137: Killed"):
        activate_release(Device((137, "", "Killed")), "meadow")  # type: ignore[arg-type]


def test_without_a_page_the_service_decides() -> None:
    blind = replace(HEALTHY, address=None, alive=False, seen_bundle=None)
    assert blind.is_healthy
    assert not replace(blind, service="failed").is_healthy


def test_a_report_of_a_device_is_read() -> None:
    status = parse_status(
        {
            "active": "active",
            "update": {"state": "watch", "bundle": "meadow 1.0.0", "refused": {"meadow-0.9": "by hand"}},
            "live": {
                "address": "0.0.0.0:8080",
                "token": "t",
                "status": {"bundle": "meadow 1.0.0", "alive": True},
                "seen": {"cat": 0.9},
            },
            "log": "line",
        }
    )
    assert status == DeviceStatus(
        "active",
        "watch",
        "meadow 1.0.0",
        "meadow 1.0.0",
        True,
        "0.0.0.0:8080",
        "t",
        {"cat": 0.9},
        "line",
        {"meadow-0.9": "by hand"},
    )


def test_a_device_without_anything_is_read_too() -> None:
    assert parse_status({"active": "", "update": None, "live": None, "log": ""}) == DeviceStatus()
