"""Kill a store at every write, in every way that ``power_cut.c`` knows, and look at what is left.

Run as ``tests/edge/power_cut/dying.py`` describes; ``python power_cut_run.py FOLDER [POINTS]`` prints one JSON object.
Without POINTS every point is tried; with it, that many random ones, each followed by a second kill during the recovery.
"""

import argparse
import json
import random
import shutil
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cv2
import numpy as np
from dying import MODES, collect_log, counted, in_child

from trailcam_edge.events import BlindTime, Clip, Moment, PictureSample, Visit, VisitChange
from trailcam_edge.store.event_store import EventStore
from trailcam_edge.store.reader import open_reader
from trailcam_edge.store.reviews.records import NewReview
from trailcam_edge.store.reviews.samples import read_samples
from trailcam_edge.store.reviews.tables import reviews_of
from trailcam_edge.store.settings import StoreSettings

LIMITS = StoreSettings(max_bytes=4_000_000, min_free_bytes=0, jpeg_quality=95)
NEW_VISITS = 6
CLIP = bytes(range(256)) * 120
_RANDOM = np.random.default_rng(0)
_NOISE = [_RANDOM.integers(0, 256, (150, 150, 3), dtype=np.uint8) for _ in range(4)]
_START = datetime(2026, 6, 1, tzinfo=UTC)


def moment(second: float, boot: str) -> Moment:
    return Moment(second, _START + timedelta(seconds=second), boot)


def visit(number: int, boot: str = "boot-0") -> Visit:
    label = "lynx" if number % 10 == 3 else "squirrel"
    start, end = moment(number, boot), moment(number + 0.5, boot)
    return Visit(f"{boot}-{number:05}", label, start, end, 0.9, 3, 5, _NOISE[number % 4], "tiny-1.0.0", 10.0)


def answer(visit_id: str, reviewer: str) -> NewReview:
    return NewReview(visit_id, reviewer, "label", "fox", "list", "live page")


def sample(number: int, boot: str) -> PictureSample:
    name = f"{boot}-sample-{number:05}"
    return PictureSample(name, "quiet", moment(number, boot), _NOISE[number % 4], "tiny-1.0.0", 24.0)


def names(said: list[str]) -> list[str]:
    """Return the visits whose reviews were acknowledged."""
    return [text.removeprefix("review ") for text in said if text.startswith("review ")]


def prepare(folder: Path) -> int:
    """Fill a store until it has deleted pictures for room; return the number of visits."""
    store = EventStore(replace(LIMITS, folder=folder))
    number = 0
    while not any(event.picture_state == "expired" for event in store.events_after(0, 10)):
        store.add_visit(visit(number))
        number += 1
    store.close()
    return number


def work(folder: Path, first: int, acknowledge: Callable[[str], None]) -> None:
    """What a camera does between two power cuts: visits that push out older pictures, a sink, effort, a restart."""
    for boot in ("boot-1", "boot-2"):
        store = EventStore(replace(LIMITS, folder=folder))
        watch = store.begin_watch(moment(0, boot), "tiny-1.0.0")
        for number in range(first, first + NEW_VISITS // 2):
            store.add_change(VisitChange("opened", visit(number, boot)))
            acknowledge(f"visit {boot}-{number:05}")
            if number % 2:
                better = replace(visit(number, boot), best_frame=_NOISE[(number + 1) % 4])
                store.add_change(VisitChange("updated", better))
                if store.add_clip(Clip(f"{boot}-{number:05}", CLIP, -5.0, 10.0)):
                    acknowledge(f"clip {boot}-{number:05}")
            event_id = store.add_visit(visit(number, boot))
            acknowledge(f"visit {boot}-{number:05}")
            answers = [answer(f"{boot}-{number:05}", name) for name in ("Jo", "Kim")]
            store.add_reviews(answers, _START.timestamp())
            acknowledge(f"review {boot}-{number:05}")
            store.add_sample(sample(number, boot))
            acknowledge(f"sample {boot}-sample-{number:05}")
            store.acknowledge("mqtt", event_id)
            acknowledge(f"sink {event_id}")
        store.add_blind_time(BlindTime("updating", moment(first + 10, boot), moment(first + 20, boot)))
        acknowledge(f"blind {boot}")
        store.extend_watch(watch, moment(first + 30, boot), 100)
        store.close()


def inspect(folder: Path, said: list[str], last_number: int) -> None:
    """Assert that everything acknowledged is there, the database sound, every picture whole, and work can go on."""
    with collect_log() as messages:
        store = EventStore(replace(LIMITS, folder=folder))
    assert not messages, messages
    assert store.add_visit(visit(last_number, "boot-3")) == store.last_event_id()
    usage = store.usage()
    assert usage.taken_bytes <= LIMITS.max_bytes, usage
    sink = store.acknowledged("mqtt")
    assert store.queue.open_labels() == ()
    store.close()
    connection = sqlite3.connect(folder / "events.db")
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connection.close()
    with open_reader(folder) as found:
        events = {event.visit_id: event for event in found.events()}
        blind = {record.reason for record in found.blind_times()}
        samples = {record.sample_id: record for record in read_samples(found, "1")}
        reviews = {name: len(rows) for name, rows in reviews_of(found.connection, [*events, *names(said)]).items()}
        answered = {
            row[0] for row in found.connection.execute("SELECT visit_id FROM visits JOIN answered USING (event_id)")
        }
    assert answered == set(reviews), "what is derived from the reviews agrees with them"
    kept = [text.removeprefix("sample ") for text in said if text.startswith("sample ")]
    assert all(name in samples for name in kept), sorted(set(kept) - set(samples))
    wanted = [text.removeprefix("visit ") for text in said if text.startswith("visit ")]
    assert all(visit_id in events for visit_id in wanted), sorted(set(wanted) - set(events))
    assert all(reviews.get(visit_id) == 2 for visit_id in names(said)), reviews
    assert set(reviews.values()) <= {2}, "the answers of one form are stored together or not at all"
    assert not any(text.startswith("blind ") for text in said) or blind == {"updating"}
    sinks = [int(text.removeprefix("sink ")) for text in said if text.startswith("sink ")]
    assert not sinks or (sink is not None and sink >= sinks[-1])
    files = {path.stem for path in (folder / "pictures").iterdir()}
    assert files == {name for name, record in (*events.items(), *samples.items()) if record.picture}
    clips = {path.stem: path.read_bytes() for path in (folder / "clips").iterdir()}
    assert set(clips) == {name for name, event in events.items() if event.clip}
    assert set(clips.values()) <= {CLIP}
    kept = [name for text in said if (name := text.removeprefix("clip ")) != text and events[name].picture]
    assert set(kept) <= set(clips), "an acknowledged clip of a visit that keeps its picture is there"
    pictures = [(name, event.picture) for name, event in events.items() if event.boot_id != "boot-0"]
    for name, picture in [*pictures, *((name, record.picture) for name, record in samples.items())]:
        if picture:
            content = np.fromfile(folder / picture, np.uint8)
            assert bytes(content[-2:]) == b"\xff\xd9", name
            assert cv2.imdecode(content, cv2.IMREAD_COLOR) is not None, name


def rehearse(base: Path, points: int | None) -> dict[str, object]:
    """Kill at every point, or at random ones; return what happened."""
    source, folder = base / "prepared", base / "store"
    first = prepare(source)
    shutil.copytree(source, folder)
    died, said = in_child(folder, 0, 1, lambda say: (work(folder, first, say), say(f"points {counted()}"))[0])
    assert not died
    total = int(said.pop().removeprefix("points "))
    inspect(folder, said, first + 1000)
    chance = random.Random(0)
    if points is None:
        plan = [(at, mode, 0) for mode in MODES for at in range(1, total + 1)]
    else:
        plan = [(chance.randint(1, total), chance.choice(list(MODES)), chance.randint(1, 12)) for _ in range(points)]
    acknowledged: Counter[str] = Counter()
    again = 0
    settings = replace(LIMITS, folder=folder)
    for at, mode, at_again in plan:
        shutil.rmtree(folder)
        shutil.copytree(source, folder)
        died, said = in_child(folder, at, mode, lambda say: work(folder, first, say))
        # A flush that is only remembered changes how often SQLite checkpoints, so the last points may not be reached.
        assert died or at > total - 5, f"point {at} of {total} was not reached"
        if at_again:
            again += in_child(folder, at_again, mode, lambda _: EventStore(settings).close())[0]
        try:
            inspect(folder, said, first + 1000)
        except BaseException:
            print(f"point {at} of {total}, {MODES[mode]}, then {at_again}: {folder}", file=sys.stderr)
            raise
        acknowledged[MODES[mode]] += len(said)
    return {"points": total, "kills": len(plan), "kills_in_recovery": again, "acknowledged": dict(acknowledged)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("points", type=int, nargs="?")
    arguments = parser.parse_args()
    start = time.monotonic()
    print(json.dumps(rehearse(arguments.folder.absolute(), arguments.points) | {"seconds": time.monotonic() - start}))
