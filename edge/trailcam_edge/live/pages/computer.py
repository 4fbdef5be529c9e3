"""A store on a computer as a source of pages: no camera, but everything else. It is locked against other writers."""

import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trailcam_core.errors import DeviceError
from trailcam_edge.live.pages.library import Library
from trailcam_edge.live.state import ProgramState
from trailcam_edge.store.event_store import EventStore
from trailcam_edge.store.open_database import CLIPS_FOLDER, DATABASE_FILE, PICTURES_FOLDER, Lock, open_database
from trailcam_edge.store.reviews.records import NewReview
from trailcam_edge.store.reviews.tables import Saved
from trailcam_edge.store.settings import StoreSettings
from trailcam_edge.store.store_errors import translate_error

_NO_LIMIT_BYTES = 1 << 44  # nothing is deleted for space here


class StoreReports:
    """The pages of one store; a context manager.

    A database of an older schema is brought up to date. A damaged one is an error here: only a camera, which has to go
    on, sets it aside.
    """

    has_camera = False

    def __init__(self, folder: Path, reviewer: str) -> None:
        """Open a store for reviews.

        Raises:
            DeviceError: there is no store, it is damaged, or a camera writes there at present.
        """
        if not (folder / DATABASE_FILE).is_file():
            raise DeviceError(f"{folder}: no events here (no {DATABASE_FILE}). Name the folder of a store.")
        lock = _lock(folder)  # a camera that writes there would not expect what opening mends
        try:
            open_database(folder).close()
        finally:
            lock.release()
        self._folder = folder
        self._store = EventStore(StoreSettings(folder, _NO_LIMIT_BYTES, 0))
        self.reviewer = reviewer
        self.name = folder.resolve().name
        self.library: Library | None = Library(folder)

    @property
    def writer(self) -> "StoreReports":
        """Where answers are stored."""
        return self

    def labels(self) -> Sequence[str]:
        """Return no labels beside those in the store."""
        return ()

    def save(self, reviews: Sequence[NewReview]) -> Saved:
        """Store answers, all or none."""
        return self._store.add_reviews(reviews, time.time())

    def undo(self, review_ids: Sequence[int], reviewer: str, place: str) -> int:
        """Take answers back; return how many."""
        return self._store.undo_reviews(review_ids, reviewer, place, time.time())

    def status(self) -> dict[str, Any]:
        """Return nothing: there is no camera."""
        return {}

    def state(self) -> ProgramState:
        """Return that no camera runs here."""
        return ProgramState("ended", "a store, no camera")

    def facts(self) -> list[tuple[str, str]]:
        """Return where the store is."""
        return [("Store", str(self._folder)), ("Host", socket.gethostname())]

    def visit_picture(self, visit_id: str) -> Path:
        """Return the path of a picture; it may be gone."""
        return self._folder / PICTURES_FOLDER / f"{visit_id}.jpg"

    def visit_clip(self, visit_id: str) -> Path:
        """Return the path of a clip; it may be gone."""
        return self._folder / CLIPS_FOLDER / f"{visit_id}.mp4"

    def metrics(self) -> str:
        """Return no metrics."""
        return ""

    def alive(self) -> bool:
        """Return False: no frames arrive."""
        return False

    def __enter__(self) -> "StoreReports":
        """Return the open store."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the store."""
        self._store.close()


def _lock(folder: Path) -> Lock:
    """Lock a store.

    Raises:
        DeviceError: another process writes there, or the disk is read-only.
    """
    try:
        return Lock(folder)
    except OSError as error:
        raise translate_error(error, folder) from error
    except DeviceError as error:
        raise DeviceError(f"{error} A camera with a live page has the pages for reviews itself.") from error
