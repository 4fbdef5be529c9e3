"""Reviews in the output of ``trailcam events``: both answers of each visit, and the accuracy in the field."""

from collections.abc import Iterator
from itertools import islice

from trailcam.json_records import json_line
from trailcam_archive.times.clock import read_zone
from trailcam_core.errors import DataError
from trailcam_core.files.csv_text import csv_line
from trailcam_core.files.names import FORMULA_STARTS, counted, printable
from trailcam_edge.events import stated_confidence
from trailcam_edge.store.reader import StoreReader
from trailcam_edge.store.records import CSV_HEADER, EventRecord, csv_row, event_json
from trailcam_edge.store.reviews.accuracy import (
    Missed,
    Precision,
    accuracy_json,
    measure_accuracy,
    measure_together,
)
from trailcam_edge.store.reviews.records import Standing, review_json, reviewed_label, standing
from trailcam_edge.store.reviews.samples import quiet_moments
from trailcam_edge.store.reviews.tables import count_reviews, random_sample, reviews_of
from trailcam_edge.store.reviews.weeks import by_week, drift_json, drift_words, find_drift, week_json

_BATCH = 500
_NAME_COLUMNS = 20
_NO_MOMENT = "not known: no random quiet moment has been reviewed (quiet_per_day in [collect])"
_HEADER = ("review_verdict", "review_label", "reviewers", "review_disputed", "review_time")
_NO_REVIEW = [""] * len(_HEADER)


CSV_LINE = csv_line([*CSV_HEADER, *_HEADER])


def csv_lines(reader: StoreReader, events: Iterator[EventRecord]) -> Iterator[str]:
    """Yield a line of CSV for each event, with the answers of people."""
    stations = {station.deployment_id: station for station in reader.stations()}
    zones = {name: read_zone(station.timezone) for name, station in stations.items() if station.timezone}
    for event, review in _with_reviews(reader, events):
        place = event.station or ""
        yield csv_line(csv_row(event, stations.get(place), zones.get(place)) + _review_row(review))


def json_lines(reader: StoreReader, events: Iterator[EventRecord]) -> Iterator[str]:
    """Yield a line of JSON for each event, with the answers of people."""
    for event, review in _with_reviews(reader, events):
        yield json_line(event_json(event) | {"review": review_json(review)}) + "\n"


def review_lines(reader: StoreReader, events: Iterator[EventRecord]) -> Iterator[str]:
    """Yield a line of a table for each event, with the answers of people."""
    for event, review in _with_reviews(reader, events):
        yield _line(event, review) + "\n"


def print_accuracy(reader: StoreReader, as_json: bool) -> None:
    """Print how often each bundle was right, what it missed, and the same by week.

    Raises:
        DataError: neither a random visit nor a random quiet moment has been reviewed.
    """
    sample, moments = random_sample(reader.connection, reader.timeline), quiet_moments(reader)
    bundles = measure_accuracy(sample, moments)
    if not bundles:
        others = count_reviews(reader.connection)
        chosen = f"{counted(others, 'review')} of chosen ones {'is' if others == 1 else 'are'} not representative."
        reason = f" No review so far is of a random visit: {chosen}" if others else ""
        raise DataError(
            f"No random visit has been reviewed, so the accuracy is not known.{reason} "
            'Review some with "trailcam review STORE" or on the live page, under "Random visits".'
        )
    names = (printable(each.label or "") for bundle in bundles for each in bundle.labels)
    width = max(_NAME_COLUMNS, *(len(name) + 2 for name in names))
    for bundle in bundles:
        if as_json:
            print(json_line(accuracy_json(bundle)))
            continue
        print(f"{printable(bundle.bundle)}: reviewed random visits, 95 % intervals (Wilson)")
        for each in (*bundle.labels, bundle.together):
            print(f"  {printable(each.label or 'all labels'):<{width}}{_precision_words(each)}")
        print(f"  {'animals named':<{width}}{_precision_words(bundle.named)}, with those that were called unknown")
        print(f"  {'missed animals':<{width}}{_missed_words(bundle.missed) or _NO_MOMENT}")
        left_out = {"disputed": bundle.disputed, "deleted": bundle.deleted, "unknown": bundle.unnamed}
        words = ", ".join(f"{count} {name}" for name, count in left_out.items() if count)
        if words:
            print(f"  left out: {words}")
    weeks = by_week(sample, moments)
    drifts = find_drift(weeks)
    if as_json:
        together = accuracy_json(measure_together(sample, moments)) | {"bundle": None}
        found = {"weeks": [week_json(week) for week in weeks], "drift": [drift_json(drift) for drift in drifts]}
        print(json_line(together | found))
        return
    print("By week, all bundles:" if weeks else "By week: not known, because no reviewed visit has a known time.")
    for week in weeks:
        missed = _missed_words(week.missed)
        print(f"  {week.name:<{width}}{_precision_words(week.together)}  {printable(', '.join(week.bundles))}")
        print(f"  {'':<{width}}animals named: {_precision_words(week.named)}")
        if missed:
            print(f"  {'':<{width}}missed animals: {missed}")
    for drift in drifts:
        print(drift_words(drift))


def _with_reviews(reader: StoreReader, events: Iterator[EventRecord]) -> Iterator[tuple[EventRecord, Standing | None]]:
    if not count_reviews(reader.connection):
        yield from ((event, None) for event in events)
        return
    while batch := list(islice(events, _BATCH)):
        found = reviews_of(reader.connection, [event.visit_id for event in batch])
        for event in batch:
            yield event, standing(found.get(event.visit_id, ()))


def _review_row(found: Standing | None) -> list[str]:
    record = None if found is None else review_json(found)
    if record is None:
        return _NO_REVIEW
    names = "|".join(record["reviewers"])
    texts = [record["verdict"], record["label"] or "", names, str(record["disputed"]).lower(), record["time"] or ""]
    return [f"'{text}" if text.startswith(FORMULA_STARTS) else text for text in texts]


def _line(event: EventRecord, found: Standing | None) -> str:
    when = event_json(event)["start"] or "at an unknown time"
    verdict = "" if found is None else found.review.verdict
    shown = reviewed_label(event.label, found)
    names = "" if found is None else f" by {', '.join(found.reviewers)}{' (disputed)' if found.disputed else ''}"
    words = f"{verdict}{'' if verdict != 'label' else f' {shown}'}{names}"
    stated = stated_confidence(event.label, event.confidence)
    percent = "" if stated is None else f"{stated:.0%}"
    return f"{when:<26}{printable(event.label):<18}{percent:>4}  {printable(words)}"


def _precision_words(found: Precision) -> str:
    if not found.number:
        return "no visit"
    return f"{found.right} of {found.number} right, {found.share}"


def _missed_words(found: Missed) -> str:
    if not found.number:
        return ""
    return f"{found.animals} of {found.number} random quiet moments show one, {found.share}"
