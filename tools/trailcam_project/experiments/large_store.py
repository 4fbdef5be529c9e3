"""A store of many visits for measurements: two years, 200 starts of the machine, pictures of the newest visits.

It is written in seconds, because the rows bypass the recorder; their checksums are computed at the end.
"""

import os
import random
import sqlite3
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from trailcam_edge.events import Moment
from trailcam_edge.store.disk.checksums import CheckedConnection, seal
from trailcam_edge.store.disk.picture_folder import PictureFolder
from trailcam_edge.store.event_store import EventStore
from trailcam_edge.store.open_database import DATABASE_FILE
from trailcam_edge.store.settings import StoreSettings

LABELS = ("squirrel", "fox", "roe deer", "badger", "wild boar", "unknown", "cat", "dog", "cow", "horse")
_STARTS = 200
_SPAN_S = 2 * 365 * 86_400.0
_GAP_S = 3600.0  # between the newest visit and now
_OFF_S = 200.0  # between two starts
_COLUMNS = (
    "visit_id, label, started_boot_id, started_monotonic_s, started_wall_s, ended_boot_id, ended_monotonic_s, "
    "ended_wall_s, confidence, votes, frames, bundle, latency_ms, picture_bytes, picture_state, "
    "box_x, box_y, box_width, box_height"
)


def make_large_store(folder: Path, visits: int, pictures: Sequence[bytes], with_picture: int, unreviewed: int) -> None:
    """Write a store that ends an hour ago.

    Args:
        folder: of the store; must not exist.
        visits: their number, a multiple of 200.
        pictures: JPEG files that the visits show in turn.
        with_picture: number of the newest visits that have a picture.
        unreviewed: number of the oldest visits without a review; all others are confirmed.
    """
    store = EventStore(StoreSettings(folder, max_bytes=8_000_000_000, min_free_bytes=0))
    start_s = time.time() - _GAP_S - _SPAN_S
    first = Moment(1.0, datetime.fromtimestamp(start_s, UTC), _boot(0))
    store.extend_watch(store.begin_watch(first, "animals10 1.0.0"), first, 1)  # every table is there
    store.close()
    folder_of_pictures = PictureFolder(folder / "pictures")
    folder_of_pictures.path.mkdir(exist_ok=True)
    kept = [folder / f"picture-{number}" for number in range(len(pictures))]
    for path, picture in zip(kept, pictures, strict=True):
        path.write_bytes(picture)
    connection = sqlite3.connect(folder / DATABASE_FILE, isolation_level=None, factory=CheckedConnection)
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("BEGIN")
    each_s = _SPAN_S / _STARTS
    for number in range(_STARTS):
        connection.execute(
            "INSERT OR REPLACE INTO boots (boot_id, last_monotonic_s) VALUES (?, ?)", (_boot(number), each_s)
        )
        connection.execute(
            "INSERT INTO clock_readings (boot_id, monotonic_s, wall_s) VALUES (?, ?, ?)",
            (_boot(number), 1.5, start_s + number * each_s + 1.5),
        )
    marks = ", ".join("?" * len(_COLUMNS.split(", ")))
    rows = _rows(visits, start_s, [len(picture) for picture in pictures], with_picture)
    connection.executemany(f"INSERT INTO visits ({_COLUMNS}) VALUES ({marks})", rows)  # noqa: S608 - constants
    connection.execute(
        "INSERT INTO reviews (visit_id, reviewer, verdict, chosen, origin, reviewed_wall_s) "
        "SELECT visit_id, 'reviewer', 'confirmed', 'list', 'computer', ended_wall_s FROM visits WHERE event_id > ?",
        (unreviewed,),
    )
    answered = "SELECT event_id, 'confirmed', 0 FROM visits WHERE event_id > ?"
    connection.execute(f"INSERT INTO answered (event_id, verdict, disputed) {answered}", (unreviewed,))
    connection.execute("UPDATE visits SET reviewed = 1 WHERE event_id > ?", (unreviewed,))
    newest = "SELECT visit_id FROM visits WHERE picture_bytes > 0 ORDER BY event_id"
    for number, (visit_id,) in enumerate(connection.execute(newest).fetchall()):
        os.link(kept[number % len(kept)], folder_of_pictures.place(visit_id))
    seal(connection)
    connection.execute("COMMIT")
    connection.close()
    for path in kept:
        path.unlink()


def _rows(visits: int, start_s: float, sizes: Sequence[int], with_picture: int) -> Iterator[tuple[object, ...]]:
    chance = random.Random(0)  # noqa: S311 - the same store every time
    per_start = visits // _STARTS
    spacing_s = (_SPAN_S / _STARTS - _OFF_S) / per_start
    for number in range(visits):
        boot, place = divmod(number, per_start)
        begin_s = place * spacing_s + chance.random()
        wall_s = start_s + boot * _SPAN_S / _STARTS + begin_s
        took_s = 15 * chance.random()
        newest = number - (visits - with_picture)
        picture = (sizes[newest % len(sizes)], "kept") if newest >= 0 else (0, "expired")
        name, label = f"{chance.getrandbits(128):032x}", chance.choice(LABELS)
        times = (_boot(boot), begin_s, wall_s, _boot(boot), begin_s + took_s, wall_s + took_s)
        answer = (chance.random(), 3 + number % 9, 9 + number % 30, "animals10 1.0.0", 9 + chance.random())
        box = (0.1 + chance.random() / 3, 0.2 + chance.random() / 3, 0.1 + chance.random() / 3, 0.2)
        yield (name, label, *times, *answer, *picture, *box)


def _boot(number: int) -> str:
    return f"{number:08x}-5a3c-4b0e-9a35-5f0f5d0c1f11"
