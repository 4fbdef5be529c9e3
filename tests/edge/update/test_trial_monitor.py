"""Between a camera and its updater: real updater and disk, a clock and frames that a test makes up."""

import errno
import logging
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trailcam_core.bundle.folder import Bundle
from trailcam_core.classifier import Classification
from trailcam_edge.recognition.frame_result import FrameResult
from trailcam_edge.sources.frame import Frame
from trailcam_edge.sources.pixels import PackedPixels
from trailcam_edge.update.install import updater as updater_module
from trailcam_edge.update.install.updater import Updater
from trailcam_edge.update.settings import UpdateSettings
from trailcam_edge.update.trial_monitor import TrialMonitor

FRAME = Frame(PackedPixels(np.zeros((48, 64, 3), np.uint8), "RGB"), 0.0, 0, "f")
ANSWER = Classification("red", 0.9, (), 10.0)
SETTINGS = UpdateSettings(healthy_s=60, give_up_s=300, most_starts=2, switch_wait_s=120)
Versions = Callable[[str], Bundle]


class Camera:
    """A device whose camera starts, sees frames and checks its journal, at times of a made-up clock."""

    def __init__(self, folder: Path, builtin: Path) -> None:
        self.now_s = 1000.0
        self.updater = Updater(replace(SETTINGS, folder=folder), lambda path: None, builtin)
        self.monitor = self.start()

    def start(self) -> TrialMonitor:
        self.monitor = TrialMonitor(self.updater, SETTINGS, gap_s=10, monotonic_s=lambda: self.now_s)
        assert self.monitor.bundle
        return self.monitor

    def see(self, seconds: float, labels: tuple[str, ...] = (), answer: Classification | None = ANSWER) -> None:
        """Let frames come for so long, one a second, and look at the journal every ten."""
        for second in range(round(seconds)):
            self.now_s += 1
            self.monitor.record_frame(FrameResult(FRAME, answer, 1.0, open_labels=labels))
            if second % 10 == 9:
                self.monitor.check()


@pytest.fixture
def version(tmp_path: Path, write_tiny_bundle: Callable[..., Any]) -> Versions:
    """Return a function that writes a bundle of a version."""
    return lambda text: write_tiny_bundle(tmp_path / f"{text}.bundle", version=text)


@pytest.fixture
def log() -> Iterator[list[str]]:
    """Messages of the device, at every level from INFO on."""
    messages: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: messages.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("trailcam_edge")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield messages
    logger.removeHandler(handler)
    logger.setLevel(level)


@pytest.fixture
def camera(tmp_path: Path, pristine_bundle: Path) -> Camera:
    return Camera(tmp_path / "update", pristine_bundle)


def test_a_camera_runs_what_was_built_in_and_has_nothing_to_say(
    camera: Camera, pristine_bundle: Path, log: list[str]
) -> None:
    camera.see(100)
    assert camera.monitor.bundle == pristine_bundle
    assert camera.monitor.restart_due() is None
    assert log == []


def test_a_bundle_that_was_activated_is_started_proves_itself_and_is_committed_once(
    camera: Camera, version: Versions, log: list[str]
) -> None:
    slot = camera.updater.install(version("2.0.0").path)
    camera.see(10)
    assert camera.monitor.restart_due() == f"{slot} is the active bundle now"
    camera.start()
    assert camera.monitor.bundle.name == slot
    assert log == [f"{slot} is being tried, start 1 of at most 2."]
    camera.see(60)
    assert camera.updater.status().state == "watch"
    camera.see(60)
    assert camera.updater.status().running == slot
    assert log[1:] == [f"{slot} has proven itself and is committed."]
    assert camera.monitor.restart_due() is None


def test_the_health_of_the_old_bundle_proves_nothing_about_the_new_one(camera: Camera, version: Versions) -> None:
    camera.see(100)
    camera.updater.install(version("2.0.0").path)
    camera.see(400)
    journal = camera.updater.status()
    assert (journal.state, journal.starts, journal.running) == ("watch", 0, "builtin")


def test_an_open_visit_is_waited_for_but_not_for_ever(camera: Camera, version: Versions) -> None:
    camera.updater.install(version("2.0.0").path)
    camera.see(100, labels=("lynx",))
    assert camera.monitor.restart_due() is None
    camera.see(1)
    assert camera.monitor.restart_due() is not None
    camera.see(30, labels=("lynx",))
    assert camera.monitor.restart_due() is not None  # 120 s after it was seen that another one should run


def test_a_visit_that_no_frame_follows_is_not_waited_for(camera: Camera, version: Versions) -> None:
    camera.see(1, labels=("lynx",))
    camera.updater.install(version("2.0.0").path)
    camera.monitor.check()
    assert camera.monitor.restart_due() is None
    camera.now_s += 11
    assert camera.monitor.restart_due() is not None


def test_a_break_in_the_frames_begins_health_anew(camera: Camera, version: Versions) -> None:
    camera.updater.install(version("2.0.0").path)
    camera.start()
    camera.see(55)
    camera.now_s += 11
    camera.see(55)
    assert camera.updater.status().state == "watch"
    camera.see(10)
    assert camera.updater.status().state == "idle"


def test_a_quiet_night_is_health(camera: Camera, version: Versions) -> None:
    camera.updater.install(version("2.0.0").path)
    camera.start()
    camera.see(50, answer=None)
    assert camera.updater.status().state == "watch"
    camera.see(20, answer=None)
    assert camera.updater.status().state == "idle"


def test_a_camera_that_does_not_get_healthy_goes_back_and_starts_what_was_before(
    camera: Camera, version: Versions, pristine_bundle: Path, log: list[str]
) -> None:
    slot = camera.updater.install(version("2.0.0").path)
    camera.start()
    camera.now_s += 300
    camera.monitor.check()
    assert camera.monitor.restart_due() == "builtin is the active bundle now"
    assert f"{slot} is rolled back: not healthy for 60 s within 300 s of a start." in log
    assert camera.start().bundle == pristine_bundle


def test_an_operators_roll_back_reaches_the_camera(camera: Camera, version: Versions) -> None:
    camera.updater.install(version("2.0.0").path)
    camera.start()
    camera.see(70)
    camera.updater.roll_back("by hand")
    camera.see(10)
    assert camera.monitor.restart_due() == "builtin is the active bundle now"


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EIO])
def test_a_disk_that_cannot_be_written_runs_what_was_committed_and_tries_nothing(
    camera: Camera, version: Versions, monkeypatch: pytest.MonkeyPatch, code: int, pristine_bundle: Path, log: list[str]
) -> None:
    camera.updater.install(version("2.0.0").path)

    def fail(*_: object) -> None:
        raise OSError(code, "the disk fails")

    monkeypatch.setattr(updater_module, "write_journal", fail)
    camera.start()
    assert camera.monitor.bundle == pristine_bundle
    camera.see(500)
    assert camera.monitor.restart_due() is None  # or it would end and start for ever
    (said,) = log
    assert "Starts cannot be counted, so nothing new is tried" in said


def test_a_journal_that_cannot_be_written_later_is_said_once(
    camera: Camera, version: Versions, monkeypatch: pytest.MonkeyPatch, log: list[str]
) -> None:
    slot = camera.updater.install(version("2.0.0").path)
    camera.start()
    log.clear()

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(updater_module, "write_journal", fail)
        camera.see(200)
    assert log == ["the update's journal cannot be kept: [Errno 28] No space left on device"]
    camera.see(10)
    assert camera.updater.status().running == slot


def test_the_thread_looks_by_itself(tmp_path: Path, pristine_bundle: Path, version: Versions) -> None:
    settings = UpdateSettings(tmp_path / "update", healthy_s=1)
    updater = Updater(settings, lambda path: None, pristine_bundle)
    monitor = TrialMonitor(updater, settings, gap_s=10)
    assert monitor.bundle == pristine_bundle
    updater.install(version("2.0.0").path)
    with monitor:
        for _ in range(200):
            if monitor.restart_due() is not None:
                break
            monitor._stopping.wait(0.05)
    assert monitor.restart_due() is not None


def test_a_slot_that_is_gone_gives_way_at_the_start(
    camera: Camera, version: Versions, pristine_bundle: Path, log: list[str]
) -> None:
    slot = camera.updater.install(version("2.0.0").path)
    shutil.rmtree(camera.updater.bundle_of(camera.updater.status()))
    assert camera.start().bundle == pristine_bundle
    assert any(f"{slot} is rolled back" in said for said in log)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"source": "http://h/", "channel": "a"}, "expected an https:// address or the absolute path"),
        ({"source": "inbox", "channel": "a"}, "expected an https:// address or the absolute path"),
        ({"source": "/inbox"}, "source and channel belong together"),
        ({"healthy_s": 600.0, "give_up_s": 60.0}, "give_up_s is 60, expected at least healthy_s"),
        ({"most_starts": 0}, "most_starts is 0"),
        ({"max_memory_mb": float("nan")}, "max_memory_mb is nan"),
    ],
)
def test_settings_that_make_no_sense_name_the_key(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        UpdateSettings(**wrong)
