"""Visits that are open: their rows, and their pictures on the disk.

A row is there from the opening of a visit until it is stored among the visits, in one transaction with that. Rows that
are found at the start were left by a kill or a power cut; they become visits with what was known.
"""

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from trailcam_edge.events import UPDATED, Visit, VisitChange
from trailcam_edge.store.database import Database, insert, visit_values

_COLUMNS = (
    "visit_id, label, started_boot_id, started_monotonic_s, started_wall_s, ended_boot_id, ended_monotonic_s, "
    "ended_wall_s, confidence, votes, frames, bundle, latency_ms, picture_bytes, picture_state, "
    "box_x, box_y, box_width, box_height"
)
_MAX_LIVE_EVENTS = 10_000  # far more than a sink that was away for a day is worth


class OpenVisits:
    """The open visits of one store; the caller serialises its use.

    Args:
        database: of the store.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        # The picture, its size on the disk and its state. A picture that a better one has replaced is not kept alive.
        self._written: dict[str, tuple[weakref.ref[object], int, str]] = {}

    def store(self, change: VisitChange, picture_bytes: int, state: str) -> None:
        """Store an open visit, or what is new of it, and queue the event for the sinks."""
        visit = change.visit
        live = visit_values(visit)
        values = {name: live[name] for name in live if name in _COLUMNS.split(", ")}  # without those of cards
        picture = {"picture_bytes": picture_bytes, "picture_state": state}
        with self._database.transaction([visit.started, visit.ended]) as connection:
            insert(connection, "open_visits", values | picture, replace=True)
            connection.execute("DELETE FROM live_events WHERE visit_id = ? AND kind = ?", (visit.visit_id, UPDATED))
            connection.execute(
                "INSERT INTO live_events (visit_id, kind, after_event_id) "
                "SELECT ?, ?, coalesce(max(event_id), 0) FROM visits",
                (visit.visit_id, change.kind),
            )
            connection.execute(
                "DELETE FROM live_events WHERE live_id <= (SELECT max(live_id) FROM live_events) - ?",
                (_MAX_LIVE_EVENTS,),
            )
        if visit.best_frame is not None:
            self._written[visit.visit_id] = (weakref.ref(visit.best_frame), picture_bytes, state)

    def written(self, visit: Visit) -> tuple[int, str] | None:
        """Return size and state of the picture of a visit, if the same picture is on the disk already."""
        if visit.visit_id not in self._written:
            return None
        picture, picture_bytes, state = self._written[visit.visit_id]
        return (picture_bytes, state) if picture() is visit.best_frame and state == "kept" else None

    def forget_picture(self, visit_id: str) -> None:
        """Let ``written`` no longer return the picture of a visit: it was removed from the disk."""
        self._written.pop(visit_id, None)

    @contextmanager
    def closing(self, visit: Visit) -> Iterator[None]:
        """Forget the picture of a visit once the block has stored it."""
        yield
        self._written.pop(visit.visit_id, None)

    def close_all(self, picture_bytes: Callable[[str], int]) -> int:
        """Turn all open visits into visits, in the order in which they opened, and return their number.

        Args:
            picture_bytes: returns the size of the picture of a visit, 0 if there is none. After a power cut it may be
                a newer one than that of the row; it is complete.
        """
        rows = self._database.rows("SELECT visit_id, picture_state FROM open_visits")
        sizes = [(visit_id, state, picture_bytes(visit_id)) for visit_id, state in rows]
        if rows:
            with self._database.transaction() as connection:
                connection.executemany(
                    "UPDATE open_visits SET picture_bytes = ?, picture_state = ? WHERE visit_id = ?",
                    [(size, _state(state, size), visit_id) for visit_id, state, size in sizes],
                )
                connection.execute(
                    f"INSERT INTO visits ({_COLUMNS}) "  # noqa: S608 - constants
                    f"SELECT {_COLUMNS} FROM open_visits ORDER BY rowid"
                )
                connection.execute("DELETE FROM open_visits")
        return len(rows)


def _state(state: str, picture_bytes: int) -> str:
    """Return the state of a picture of which the size was found."""
    if picture_bytes:
        return "kept"
    return "missing" if state == "kept" else state
