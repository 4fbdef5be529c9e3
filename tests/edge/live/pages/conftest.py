"""A small store, and the pages over it."""

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trailcam_core.images.boxes import Box
from trailcam_edge.events import Moment, Visit
from trailcam_edge.live.pages.assets import read_assets
from trailcam_edge.live.pages.library import Library
from trailcam_edge.live.pages.router import Pages
from trailcam_edge.live.state import ProgramState
from trailcam_edge.store.event_store import EventStore
from trailcam_edge.store.reviews.records import NewReview
from trailcam_edge.store.reviews.tables import Saved
from trailcam_edge.store.settings import StoreSettings

NOON = datetime(2026, 6, 1, 12).astimezone()
IMAGE = np.full((90, 160, 3), 128, np.uint8)
LIMITS = StoreSettings(max_bytes=20_000_000, min_free_bytes=0)


def make_visit(number: int, label: str = "lynx", hours: float = 0.0, **changes: Any) -> Visit:
    """Return the visit ``number``, whose start is so many hours after noon."""
    second = 100_000.0 + 3600 * hours + number
    moments = [
        Moment(s, datetime.fromtimestamp(NOON.timestamp() + s - 100_000).astimezone(), "b")
        for s in (second, second + 9)
    ]
    made = Visit(
        f"{number:032x}", label, *moments, 0.5 + number / 100, 3, 5, IMAGE, "tiny-1", 10.0, Box(0.1, 0.2, 0.3, 0.4)
    )
    return replace(made, **changes)


class Gate:
    """What the pages show: one camera with a store."""

    name = "Gate <b>"
    has_camera = True
    reviewer = "reviewer"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = EventStore(replace(LIMITS, folder=folder))
        self.library: Library | None = Library(folder)
        self.pages = Pages(self, read_assets())

    @property
    def writer(self) -> "Gate":
        return self

    def labels(self) -> tuple[str, ...]:
        return ("bear",)

    def save(self, reviews: Sequence[NewReview]) -> Saved:
        return self.store.add_reviews(reviews, 1.8e9)

    def undo(self, review_ids: Sequence[int], reviewer: str, place: str) -> int:
        return self.store.undo_reviews(review_ids, reviewer, place, 1.8e9)

    def status(self) -> dict[str, Any]:
        return {"health": [("Disk", "0.1 GB free", False)]}

    def state(self) -> ProgramState:
        return ProgramState("no camera", "no camera for 3 min")

    def facts(self) -> list[tuple[str, str]]:
        return [("Source", "picamera2")]

    def visit_picture(self, visit_id: str) -> Path | None:
        return self.folder / "pictures" / f"{visit_id}.jpg"

    def visit_clip(self, visit_id: str) -> Path | None:
        return self.folder / "clips" / f"{visit_id}.mp4"

    def text(self, path: str, status: int = 200, **query: str) -> str:
        """Return the page at an address."""
        answer = self.pages.answer(path, query)
        assert answer.status == status
        return answer.content.decode("utf-8")


@pytest.fixture
def gate(tmp_path: Path) -> Any:
    """A camera whose store is empty."""
    made = Gate(tmp_path / "store")
    yield made
    with contextlib.suppress(OSError):  # closed by the test
        made.store.close()
