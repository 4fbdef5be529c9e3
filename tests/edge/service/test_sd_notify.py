"""What the service manager hears."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from trailcam_edge.service.sd_notify import Notifier


class Manager:
    """A socket as systemd has it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.line = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.line.bind(str(path))
        self.line.setblocking(False)

    def heard(self) -> list[list[str]]:
        found = []
        while True:
            try:
                found.append(self.line.recv(4096).decode().splitlines())
            except BlockingIOError:
                return found


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    made = Manager(tmp_path / "notify")
    yield made
    made.line.close()


def test_the_first_frame_is_ready_and_later_ones_feed_the_watchdog(manager: Manager) -> None:
    notifier = Notifier(str(manager.path), watchdog_s=0.4)
    assert manager.heard() == []  # not before a frame has come
    notifier.frame("5 frames/s")
    assert manager.heard() == [["READY=1", "WATCHDOG=1", "STATUS=5 frames/s"]]
    notifier.frame("5 frames/s")
    assert manager.heard() == []  # not for every frame
    time.sleep(0.11)
    notifier.frame("6 frames/s")
    assert manager.heard() == [["WATCHDOG=1", "STATUS=6 frames/s"]]


def test_a_reload_is_told_with_its_time_and_ends_with_the_next_frame(manager: Manager) -> None:
    notifier = Notifier(str(manager.path))
    notifier.frame("a")
    manager.heard()
    before = time.monotonic_ns() // 1000
    notifier.reloading()
    ((word, moment),) = manager.heard()
    assert word == "RELOADING=1"
    name, _, value = moment.partition("=")
    assert name == "MONOTONIC_USEC"
    assert before <= int(value) <= time.monotonic_ns() // 1000
    notifier.frame("b")
    assert manager.heard() == [["READY=1", "STATUS=b"]]
    notifier.stopping()
    assert manager.heard() == [["STOPPING=1"]]


def test_a_name_in_the_abstract_namespace_is_understood() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.bind("\0trailcam-test-notify")
        line.settimeout(5)
        Notifier("@trailcam-test-notify").stopping()
        assert line.recv(100) == b"STOPPING=1"


def test_without_a_manager_or_with_one_that_is_gone_nothing_happens(tmp_path: Path) -> None:
    Notifier(None, 1.0).frame("a")
    Notifier(str(tmp_path / "gone")).frame("a")
