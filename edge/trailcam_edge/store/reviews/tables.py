"""Statements over the table of reviews. The caller owns the connection and its transaction."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from trailcam_edge.events import BLANK_LABELS
from trailcam_edge.store.disk.checksums import CheckedConnection
from trailcam_edge.store.reviews.accuracy import SampledVisit
from trailcam_edge.store.reviews.records import NewReview, Review, Standing, standing
from trailcam_edge.store.wall_time import Timeline

_COLUMNS = "review_id, visit_id, reviewer, verdict, label, chosen, origin, reviewed_wall_s"
_BATCH = 500  # values of one statement
_QUIET = ""  # in place of the label of a sample
_ANSWERED = "(SELECT 1 FROM answered a WHERE a.event_id = visits.event_id"
# Conditions on a visit.
REVIEWED = "visits.reviewed = 1"
UNREVIEWED = "visits.reviewed = 0"  # a column, so that indices know what is left to review
DELETED = f"EXISTS {_ANSWERED} AND a.verdict = 'deleted')"
CORRECTED = f"EXISTS {_ANSWERED} AND a.verdict IN ('label', 'nothing', 'wrong'))"
DISPUTED = f"EXISTS {_ANSWERED} AND a.disputed)"
_DRAWN = "EXISTS (SELECT 1 FROM reviews d WHERE d.visit_id = visits.visit_id AND d.chosen = 'random')"
NOT_DRAWN = f"NOT ({_DRAWN} AND {REVIEWED})"  # no answer to it as a part of the random sample
IS_RANDOM = f"visit_id GLOB '{'[0-9a-f]' * 32}'"  # random identifiers, so their order is random


@dataclass(frozen=True)
class Saved:
    """Numbers of the rows that were stored, and identifiers of visits that are gone, for which none was."""

    review_ids: tuple[int, ...]
    gone: tuple[str, ...]


def insert_reviews(connection: CheckedConnection, reviews: Sequence[NewReview], unix_s: float | None) -> Saved:
    """Store answers for visits and samples; one for a visit that is gone is left out.

    A label that differs from that of the event only by case confirms it. To confirm a sample means "nothing".
    """
    stored: list[int] = []
    gone: list[str] = []
    for review in reviews:
        seen = _label_of(connection, review.visit_id)
        if seen is None:
            gone.append(review.visit_id)
            continue
        verdict, label = review.verdict, review.label
        if label is not None and label.casefold() == seen.casefold():
            verdict, label = "confirmed", None
        if seen == _QUIET and (verdict == "confirmed" or (label or "").casefold() in BLANK_LABELS):
            verdict, label = "nothing", None
        stored.append(
            _insert(
                connection, (review.visit_id, review.reviewer, verdict, label, review.chosen, review.origin, unix_s)
            )
        )
        _note_standing(connection, review.visit_id)
    return Saved(tuple(stored), tuple(gone))


def undo_reviews(
    connection: CheckedConnection, review_ids: Sequence[int], reviewer: str, origin: str, unix_s: float | None
) -> int:
    """Give a reviewer the answers that these rows replaced, as new rows; return how many.

    A row of another reviewer, or one that is not the newest any more, is left out.
    """
    undone = 0
    for review_id in review_ids:
        found = list(
            _read(
                connection,
                "visit_id = (SELECT visit_id FROM reviews WHERE review_id = ?) AND reviewer = ?",
                (review_id, reviewer),
            )
        )
        if not found or found[-1].review_id != review_id:
            continue
        last, before = found[-1], found[-2] if len(found) > 1 else None
        former = ("withdrawn", None) if before is None else (before.verdict, before.label)
        chosen = last.chosen if before is None else before.chosen
        _insert(connection, (last.visit_id, reviewer, *former, chosen, origin, unix_s))
        _note_standing(connection, last.visit_id)
        undone += 1
    return undone


def copy_reviews(source: CheckedConnection, target: CheckedConnection) -> list[str]:
    """Add the sound rows that only ``source`` has, in their order; return the visits and samples that they concern."""
    known = {review[1:] for review in _read(target, "1", ())}
    added = [review for review in _read(source, "1", ()) if review[1:] not in known]
    for review in added:
        _insert(target, review[1:])
    names = list(dict.fromkeys(review.visit_id for review in added))
    for name in names:
        _note_standing(target, name)
    return names


def reviews_of(connection: CheckedConnection, visit_ids: Sequence[str]) -> dict[str, list[Review]]:
    """Return all reviews of these visits, in the order of storing."""
    found: dict[str, list[Review]] = defaultdict(list)
    for start in range(0, len(visit_ids), _BATCH):
        names = visit_ids[start : start + _BATCH]
        places = ", ".join("?" * len(names))
        for review in _read(connection, f"visit_id IN ({places})", names):
            found[review.visit_id].append(review)
    return found


def standings(connection: CheckedConnection) -> dict[str, Standing]:
    """Return the combined answer of every visit that has a review, by ``visit_id``."""
    found: dict[str, Standing] = {}
    for visit_id, reviews in _grouped(_read(connection, "1", (), "visit_id, review_id")):
        answer = standing(reviews)
        if answer is not None:
            found[visit_id] = answer
    return found


def random_sample(connection: CheckedConnection, timeline: Timeline | None = None) -> list[SampledVisit]:
    """Return the reviewed visits of the random sample; those whose row is gone are left out.

    Without a ``timeline`` their times are unknown.
    """
    query = (
        "SELECT visit_id, bundle, label, started_boot_id, started_monotonic_s FROM visits WHERE visit_id IN "  # noqa: S608 - constants
        f"(SELECT visit_id FROM reviews WHERE chosen = 'random') AND {connection.condition('visits')}"
    )
    rows = connection.execute(query).fetchall()
    found = reviews_of(connection, [row[0] for row in rows])
    return [
        SampledVisit(
            bundle, label, standing(found[visit_id]), None if timeline is None else timeline.resolve(*moment).unix_s
        )
        for visit_id, bundle, label, *moment in rows
        if any(review.chosen == "random" for review in found.get(visit_id, ()))
    ]


def count_reviews(connection: CheckedConnection) -> int:
    """Return the number of rows."""
    return int(connection.execute("SELECT count(*) FROM reviews").fetchone()[0])


def known_labels(connection: CheckedConnection, more: Sequence[str] = ()) -> list[str]:
    """Return every label in use: those of reviews, then those of visits, the most frequent first, then ``more``."""
    reviewed = "SELECT label FROM reviews WHERE label IS NOT NULL GROUP BY label ORDER BY count(*) DESC, label"
    seen = "SELECT label FROM visits GROUP BY label ORDER BY count(*) DESC, label"
    found: dict[str, str] = {}
    for label in (*(row[0] for query in (reviewed, seen) for row in connection.execute(query)), *more):
        found.setdefault(str(label).casefold(), str(label))
    return list(found.values())


def _grouped(reviews: Iterator[Review]) -> Iterator[tuple[str, list[Review]]]:
    group: list[Review] = []
    for review in reviews:
        if group and group[0].visit_id != review.visit_id:
            yield group[0].visit_id, group
            group = []
        group.append(review)
    if group:
        yield group[0].visit_id, group


def _read(
    connection: CheckedConnection, condition: str, values: Sequence[object], order: str = "review_id"
) -> Iterator[Review]:
    sound = connection.condition("reviews")
    query = f"SELECT {_COLUMNS} FROM reviews WHERE {condition} AND {sound} ORDER BY {order}"  # noqa: S608 - constants
    return (Review(*row) for row in connection.execute(query, values))


def _label_of(connection: CheckedConnection, name: str) -> str | None:
    """Return the label of a visit, an empty one for a sample, None if there is neither."""
    row = connection.execute("SELECT label FROM visits WHERE visit_id = ?", (name,)).fetchone()
    if row is not None:
        return str(row[0])
    is_sample = connection.execute("SELECT 1 FROM samples WHERE sample_id = ?", (name,)).fetchone() is not None
    return _QUIET if is_sample else None


def _note_standing(connection: CheckedConnection, visit_id: str) -> None:
    """Bring what is derived from the reviews of a visit or a sample up to date."""
    found = standing(reviews_of(connection, [visit_id]).get(visit_id, ()))
    event = "(SELECT event_id FROM visits WHERE visit_id = ?)"
    connection.execute(f"DELETE FROM answered WHERE event_id = {event}", (visit_id,))  # noqa: S608 - constant
    reviewed = int(found is not None)
    flag = (reviewed, visit_id, reviewed)
    connection.execute("UPDATE visits SET reviewed = ? WHERE visit_id = ? AND reviewed != ?", flag)
    connection.execute("UPDATE samples SET reviewed = ? WHERE sample_id = ? AND reviewed != ?", flag)
    if found is not None:
        query = (
            "INSERT INTO answered (event_id, verdict, disputed) SELECT event_id, ?, ? FROM visits WHERE visit_id = ?"
        )
        connection.execute(query, (found.review.verdict, int(found.disputed), visit_id))


def _insert(connection: CheckedConnection, values: tuple[object, ...]) -> int:
    query = f"INSERT INTO reviews ({_COLUMNS.partition(', ')[2]}) VALUES (?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - constants
    return int(connection.execute(query, values).lastrowid or 0)
