"""A recorder on a disk that can be told to misbehave, and a clock that a test moves."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from trailcam_edge.events import Moment
from trailcam_edge.store.event_store import EventStore
from trailcam_edge.store.recorder import Recorder, RecorderLimits
from trailcam_edge.store.store_errors import StoreCorruptError

from ..conftest import SMALL, moment_at

QUICK = RecorderLimits(max_waiting=50, max_pictures=2, retry_s=0.01, heartbeat_s=10.0)


class MoodyStore(EventStore):
    """A real store on a disk that can be told to misbehave."""

    trouble: Exception | None = None
    hold: threading.Event | None = None

    def add_visit(self, visit: Any) -> int:
        if MoodyStore.hold is not None:
            MoodyStore.hold.wait(10)
        if MoodyStore.trouble is not None:
            raise MoodyStore.trouble
        return super().add_visit(visit)


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.second = 0.0

    def __call__(self) -> Moment:
        return moment_at(self.second)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def start(tmp_path: Path, clock: Clock) -> Iterator[Callable[..., Recorder]]:
    """Return a function that starts a recorder on a moody store."""
    MoodyStore.trouble = MoodyStore.hold = None
    started: list[Recorder] = []

    def start_one(limits: RecorderLimits = QUICK) -> Recorder:
        opener = lambda: MoodyStore(replace(SMALL, folder=tmp_path / "store"))  # noqa: E731
        started.append(Recorder(opener, clock, limits))
        return started[-1]

    yield start_one
    MoodyStore.trouble = None
    if MoodyStore.hold is not None:
        MoodyStore.hold.set()
    for recorder in started:
        recorder.close()


def wait_until(true: Callable[[], bool]) -> None:
    end_s = time.monotonic() + 10
    while not true():
        assert time.monotonic() < end_s, "waited too long"
        time.sleep(0.002)


def damage(recorder: Recorder, tmp_path: Path) -> None:
    """Overwrite the tables of a recorder's database and let its store report the damage."""
    connection = recorder.store._database.connection  # type: ignore[union-attr]
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    path = tmp_path / "store" / "events.db"
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    path.write_bytes(content)
    connection.execute("PRAGMA shrink_memory")
    MoodyStore.trouble = StoreCorruptError("events.db: the database is damaged.")
