"""Which visit to review next: random, unsure, unknown, rare, newest. Queries over a store.

The identifier of a visit is random (32 hexadecimal digits), so the order of identifiers is a random order.
A visit of that order is offered also if it was reviewed for another reason: what is hard
gets reviewed first, and leaving that out would make the rest look better than it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from trailcam_edge.events import NOTHING, UNKNOWN
from trailcam_edge.store.disk.keeping import RARE_COUNT, RARE_FRACTION
from trailcam_edge.store.reader import StoreReader
from trailcam_edge.store.records import EventRecord
from trailcam_edge.store.reviews import tables
from trailcam_edge.store.reviews.tables import IS_RANDOM

_MAX_COUNT = 100
_MAX_SKIPPED = 20  # of the random order; a later visit was searched for, not drawn


@dataclass(frozen=True)
class Queue:
    """One order of visits: its condition, the columns that order it, and whether they descend."""

    words: str
    why: str
    condition: str
    order: tuple[str, ...] = ("event_id",)
    descends: bool = True


_PICTURED = "picture_bytes > 0"
_FEW = f"max({RARE_COUNT}, {RARE_FRACTION} * (SELECT count(*) FROM visits))"  # noqa: S608 - constants
_RARE_LABELS = f"label IN (SELECT label FROM visits GROUP BY label HAVING count(*) <= {_FEW})"  # noqa: S608 - constants
QUEUES: Mapping[str, Queue] = {
    "random": Queue(
        "Random visits",
        "A fair sample. Only these measure how often the camera is right.",
        f"{_PICTURED} AND {IS_RANDOM} AND {tables.NOT_DRAWN}",
        ("visit_id",),
        False,
    ),
    "unsure": Queue(
        "Unsure",
        "The least confident answers first: most can be learned from these.",
        f"{_PICTURED} AND label NOT IN ('{UNKNOWN}', '{NOTHING}') AND {tables.UNREVIEWED}",
        ("confidence", "event_id"),
        False,
    ),
    "unknown": Queue(
        "Unknown",
        "What the camera could not name.",
        f"{_PICTURED} AND label = '{UNKNOWN}' AND {tables.UNREVIEWED}",
    ),
    "rare": Queue(
        "Rare or new",
        "Labels with few visits: a rarity, or a mistake.",
        f"{_PICTURED} AND {_RARE_LABELS} AND {tables.UNREVIEWED}",
    ),
    "list": Queue("Everything", "All visits without a review, newest first.", f"{_PICTURED} AND {tables.UNREVIEWED}"),
}


def next_in(reader: StoreReader, queue: Queue, after: EventRecord | None = None) -> EventRecord | None:
    """Return the first visit of a queue, or the one that follows a visit, which need not be in it any more."""
    condition, values = queue.condition, []
    if after is not None:
        places = ", ".join("?" * len(queue.order))
        condition += f" AND ({', '.join(queue.order)}) {'<' if queue.descends else '>'} ({places})"
        values = [getattr(after, name) for name in queue.order]
    order = ", ".join(f"{name} DESC" if queue.descends else name for name in queue.order)
    found = reader.select(condition, values, order, 1)
    return found[0] if found else None


def waiting(reader: StoreReader, queue: Queue) -> int:
    """Return the number of visits in a queue, counted up to ``_MAX_COUNT``."""
    query = f"SELECT count(*) FROM (SELECT 1 FROM visits WHERE {queue.condition} LIMIT {_MAX_COUNT})"  # noqa: S608
    return int(reader.connection.execute(query).fetchone()[0])


def is_drawn(reader: StoreReader, visit_id: str) -> bool:
    """Return True if a visit is among the next ones of the random order."""
    query = (
        f"SELECT count(*) FROM (SELECT 1 FROM visits WHERE {QUEUES['random'].condition} AND visit_id < ? "  # noqa: S608
        f"LIMIT {_MAX_SKIPPED})"
    )
    return int(reader.connection.execute(query, (visit_id,)).fetchone()[0]) < _MAX_SKIPPED
