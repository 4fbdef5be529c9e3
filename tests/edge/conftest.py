"""Moments, visits and stores for the tests of the event store."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pytest

from trailcam_edge.events import Moment, Visit
from trailcam_edge.store.event_store import EventStore
from trailcam_edge.store.settings import StoreSettings

SUMMER = datetime(2026, 6, 1, tzinfo=UTC)
SMALL = StoreSettings(max_bytes=4_000_000, min_free_bytes=0, jpeg_quality=95)


class MakeVisit(Protocol):
    """Makes visits."""

    def __call__(self, number: int, label: str = "squirrel", **changes: Any) -> Visit:
        """Make the visit of second ``number``; ``changes`` replace fields."""


class OpenStore(Protocol):
    """Opens stores in the test's folder."""

    def __call__(self, folder: Path | None = None, limits: StoreSettings = SMALL) -> EventStore:
        """Open one; it is closed when the test ends."""


def moment_at(second: float, boot: str = "boot-0", clock: bool = True) -> Moment:
    """Return a moment; with ``clock`` the wall clock is right."""
    return Moment(second, SUMMER + timedelta(seconds=second) if clock else None, boot)


@pytest.fixture(scope="session")
def noise() -> np.ndarray[Any, np.dtype[np.uint8]]:
    """A picture that no JPEG makes small: some 45 kB."""
    return np.random.default_rng(0).integers(0, 256, (150, 150, 3), dtype=np.uint8)


@pytest.fixture(scope="session")
def make_visit(noise: np.ndarray[Any, np.dtype[np.uint8]]) -> MakeVisit:
    """Return a function that makes visits."""

    def make(number: int, label: str = "squirrel", **changes: Any) -> Visit:
        boot, clock = changes.pop("boot", "boot-0"), changes.pop("clock", True)
        fields: dict[str, Any] = {
            "visit_id": f"{boot}-{number:05}",
            "label": label,
            "started": moment_at(number, boot, clock),
            "ended": moment_at(number + 0.5, boot, clock),
            "confidence": 0.9,
            "votes": 3,
            "frames": 5,
            "best_frame": noise,
            "bundle": "tiny-1.0.0",
            "latency_ms": 10.0,
        }
        return Visit(**(fields | changes))

    return make


@pytest.fixture
def open_store(tmp_path: Path) -> Iterator[OpenStore]:
    """Return a function that opens stores."""
    opened: list[EventStore] = []

    def open_one(folder: Path | None = None, limits: StoreSettings = SMALL) -> EventStore:
        opened.append(EventStore(replace(limits, folder=folder or tmp_path / "store")))
        return opened[-1]

    yield open_one
    for store in opened:
        try:
            store.close()
        except OSError:  # closed by the test
            continue
