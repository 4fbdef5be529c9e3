"""Flip the bits of a small database, one at a time, and start the services on it: ``python flip_run.py [PART OF]``.

Every start must succeed and store a visit. What is listed afterwards is right: a damaged database is set aside, or its
damaged rows are.
"""

import logging
import shutil
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from trailcam_edge.app.services import DeviceServices
from trailcam_edge.config.camera_toml import Config
from trailcam_edge.events import BlindTime, Moment, Visit
from trailcam_edge.live.settings import LiveSettings
from trailcam_edge.store.event_store import EventStore
from trailcam_edge.store.reader import open_reader
from trailcam_edge.store.settings import StoreSettings

PAGE_BYTES = 512  # small pages have few unused bytes
START = datetime(2026, 6, 1, tzinfo=UTC)


def moment(second: float) -> Moment:
    """Return a moment of the boot of the small store."""
    return Moment(second, START + timedelta(seconds=second), "0b1d7c5e-5a3c-4b0e-9a35-5f0f5d0c1f11")


def visit(number: int) -> Visit:
    """Return a visit without a picture."""
    started, ended = moment(100 * number), moment(100 * number + 7)
    return Visit(f"{number:032x}", ("fox", "roe deer")[number % 2], started, ended, 0.9, 3, 9, None, "tiny-1.0.0", 9.5)


def make_store(folder: Path) -> bytes:
    """Make a small store and return its database."""
    folder.mkdir()
    connection = sqlite3.connect(folder / "events.db")
    connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
    connection.execute("VACUUM")
    connection.close()
    store = EventStore(StoreSettings(folder, min_free_bytes=0))
    for number in range(6):
        store.add_visit(visit(number))
    store.extend_watch(store.begin_watch(moment(0), "tiny-1.0.0"), moment(700), 100)
    store.add_blind_time(BlindTime("source lost", moment(300), moment(310)))
    store.acknowledge("mqtt", 6)
    store.close()
    return (folder / "events.db").read_bytes()


def listed(folder: Path) -> list[Any]:
    """Return everything that the readers list of a store."""
    with open_reader(folder) as reader:
        return [list(reader.events()), list(reader.blind_times()), list(reader.watches())]


def start(folder: Path, content: bytes, expected: list[Any], live: LiveSettings | None) -> str:
    """Start the services on a database, store a visit, and return "right", "wrong", or what was set aside.

    Raises:
        Exception: the start fails, or the visit is not stored.
    """
    shutil.rmtree(folder / "set-aside", ignore_errors=True)
    for path in folder.glob("events.db*"):
        path.unlink()
    (folder / "events.db").write_bytes(content)
    config = replace(Config(), store=StoreSettings(folder, min_free_bytes=0), live=live)
    with DeviceServices(config, "1.0") as services:
        services.handle_event(visit(6), "tiny-1.0.0")
    found = listed(folder)
    assert found[0].pop().visit_id == visit(6).visit_id
    if any(record not in known for records, known in zip(found, expected, strict=True) for record in records):
        return "wrong"  # also where something was set aside
    if found == expected:
        return "right"
    if not (folder / "set-aside").exists():
        return "wrong"
    whole = any((folder / "set-aside").glob("*/events.db"))
    return "database set aside" if whole else "rows set aside"


def flipped(content: bytes, bit: int) -> bytes:
    """Return the content with one bit flipped."""
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def main() -> int:
    """Try every bit, or one part of them, and print the figures; exit code 1 if a start fails or a value is wrong."""
    part, parts = (int(sys.argv[1]), int(sys.argv[2])) if len(sys.argv) == 3 else (0, 1)
    logging.disable(logging.CRITICAL)
    DeviceServices._serve = lambda *_: None  # type: ignore[method-assign,assignment,return-value]
    verdicts: Counter[str] = Counter()
    begun_s = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "store"
        content = make_store(folder)
        expected = listed(folder)
        for bit in range(part, 8 * len(content), parts):
            try:
                verdict = start(folder, flipped(content, bit), expected, LiveSettings("127.0.0.1:0"))
            except Exception as error:
                verdict = "fails"
                print(f"bit {bit} (byte {bit // 8}): {type(error).__name__}: {error}", flush=True)
            verdicts[verdict] += 1
            if verdict == "wrong":
                print(f"bit {bit} (byte {bit // 8}): wrong", flush=True)
    print(f"{verdicts.total()} starts in {time.monotonic() - begun_s:.0f} s: {dict(verdicts)}")
    return 1 if verdicts["fails"] + verdicts["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
