"""Events, a real store and impatient deliveries for the tests of the sinks."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trailcam_edge.events import Moment, Visit
from trailcam_edge.sinks.worker import Sink, SinkWorker
from trailcam_edge.store.event_store import EventStore
from trailcam_edge.store.records import EventRecord
from trailcam_edge.store.settings import StoreSettings
from trailcam_edge.store.wall_time import WallTime

START = datetime(2026, 6, 1, tzinfo=UTC)


def event(number: int, **changes: Any) -> EventRecord:
    """Return an event."""
    time_s = START.timestamp() + number
    fields: dict[str, Any] = {
        "event_id": number,
        "visit_id": f"visit-{number}",
        "label": "squirrel",
        "started": WallTime(time_s, "clock"),
        "ended": WallTime(time_s + 0.5, "clock"),
        "boot_id": "boot-0",
        "monotonic_s": float(number),
        "duration_s": 0.5,
        "confidence": 0.9,
        "votes": 3,
        "frames": 5,
        "bundle": "tiny-1.0.0",
        "latency_ms": 10.0,
        "picture": None,
        "picture_state": "none",
    }
    return EventRecord(**(fields | changes))


def wait_until(true: Callable[[], bool], seconds: float = 40.0) -> None:
    """Wait for another thread or process."""
    end_s = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end_s, "waited too long"
        time.sleep(0.005)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EventStore]:
    """A real store."""
    opened = EventStore(StoreSettings(tmp_path / "store", min_free_bytes=0))
    yield opened
    opened.close()


@pytest.fixture
def add(store: EventStore) -> Callable[..., None]:
    """Return a function that stores the visits with these numbers."""

    def add_visits(numbers: range, picture: bool = False) -> None:
        image = np.full((48, 64, 3), 90, np.uint8) if picture else None
        for number in numbers:
            start, end = (
                Moment(second, START + timedelta(seconds=second), "boot-0") for second in (number, number + 1)
            )
            store.add_visit(Visit(f"visit-{number}", "squirrel", start, end, 0.9, 3, 5, image, "tiny-1.0.0", 10.0))

    return add_visits


@pytest.fixture
def deliver(store: EventStore) -> Iterator[Callable[..., SinkWorker]]:
    """Return a function that starts a delivery from the store, which tries again at once."""
    started: list[SinkWorker] = []

    def start(sink: Sink, **options: Any) -> SinkWorker:
        options = {"delay": lambda failures, jitter: 0.01, "backlog": True} | options
        started.append(SinkWorker(sink, lambda: store, **options))
        return started[-1]

    yield start
    for delivery in started:
        delivery.close()
