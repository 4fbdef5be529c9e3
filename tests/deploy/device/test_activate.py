"""What a device says of itself, and when it is well."""

from dataclasses import replace

import pytest

from trailcam_deploy.device.activate import Sight, parse_sight, take_release
from trailcam_deploy.ssh.errors import HostError

WELL = Sight("active", "idle", "meadow 1.0.0", "meadow 1.0.0", True, "127.0.0.1:8080")


def test_a_camera_is_well_when_its_page_shows_frames_answered_by_the_right_bundle() -> None:
    assert WELL.is_well
    assert replace(WELL, state="watch").is_well


@pytest.mark.parametrize("changes", [{"alive": False}, {"seen_bundle": "meadow 0.9.0"}, {"seen_bundle": None}])
def test_a_camera_is_not_well_without(changes: dict[str, object]) -> None:
    assert not replace(WELL, **changes).is_well


def test_an_update_of_the_devices_own_timer_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    class Busy:
        asked = 0

        def run(self, script: str, *words: str, timeout_s: float) -> str:
            self.asked += 1
            if self.asked < 3:
                raise HostError("/var/lib/trailcam/update: another update is going on. Wait until it is over.")
            return "noise\nmeadow 1.0.0: is up to date\n"

    monkeypatch.setattr("trailcam_deploy.device.activate._POLL_S", 0.0)
    device = Busy()
    assert take_release(device, "meadow") == "meadow 1.0.0: is up to date"  # type: ignore[arg-type]
    assert device.asked == 3


def test_without_a_page_the_service_decides() -> None:
    blind = replace(WELL, address=None, alive=False, seen_bundle=None)
    assert blind.is_well
    assert not replace(blind, service="failed").is_well


def test_a_report_of_a_device_is_read() -> None:
    sight = parse_sight(
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
    assert sight == Sight(
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
    assert parse_sight({"active": "", "update": None, "live": None, "log": ""}) == Sight()
