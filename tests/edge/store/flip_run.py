"""Flip the bits of a small database, one at a time, and start the services on it: ``make system TEST=flips``.

Every start must succeed and store a visit. What is listed afterwards is right: a damaged database is set aside, or its
damaged rows are. The bits are tried in blocks that each spread over the whole file, and a finished block is noted in
``.flips``: a run that was ended goes on with the next block. Delete that folder after a change of the store.
"""

import argparse
import json
import logging
import os
import shutil
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed
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
BLOCKS = 1024
PROGRESS = Path(".flips")
IN_MEMORY = "/dev/shm"
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


def try_block(content: bytes, block: int) -> tuple[Counter[str], list[str]]:
    """Try every ``BLOCKS``-th bit, beginning with bit ``block``; return the verdicts and a line for each fault."""
    logging.disable(logging.CRITICAL)
    DeviceServices._serve = lambda *_: None  # type: ignore[method-assign,assignment,return-value]
    verdicts: Counter[str] = Counter()
    faults = []
    with tempfile.TemporaryDirectory(dir=IN_MEMORY if os.access(IN_MEMORY, os.W_OK) else None) as name:
        folder = Path(name) / "store"
        folder.mkdir()
        (folder / "events.db").write_bytes(content)
        expected = listed(folder)
        for bit in range(block, 8 * len(content), BLOCKS):
            try:
                verdict = start(folder, flipped(content, bit), expected, LiveSettings("127.0.0.1:0"))
            except Exception as error:
                verdict = "fails"
                faults.append(f"bit {bit} (byte {bit // 8}): {type(error).__name__}: {error}")
            verdicts[verdict] += 1
            if verdict == "wrong":
                faults.append(f"bit {bit} (byte {bit // 8}): wrong")
    return verdicts, faults


def load_progress(folder: Path) -> tuple[bytes, dict[int, Counter[str]]]:
    """Return the database of a run and the verdicts of its finished blocks; make the database of a new run."""
    database = folder / "events.db"
    if not database.exists():
        folder.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory() as name:
            database.write_bytes(make_store(Path(name) / "store"))
    done = folder / "blocks.jsonl"
    lines = done.read_text().splitlines() if done.exists() else []
    return database.read_bytes(), {line["block"]: Counter(line["verdicts"]) for line in map(json.loads, lines)}


def main() -> int:
    """Try every bit and print the figures; exit code 1 if a start fails or a value is wrong."""
    parser = argparse.ArgumentParser(description="Start the services on a database with one flipped bit, every bit.")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: one for each core)")
    parser.add_argument("--blocks", type=int, default=BLOCKS, help=f"end with this number of blocks of {BLOCKS}")
    options = parser.parse_args()
    content, done = load_progress(PROGRESS)
    left = [block for block in range(BLOCKS) if block not in done][: max(0, options.blocks - len(done))]
    begun_s = time.monotonic()
    with ProcessPoolExecutor(options.jobs) as pool, open(PROGRESS / "blocks.jsonl", "a") as file:
        running = {pool.submit(try_block, content, block): block for block in left}
        for future in as_completed(running):
            verdicts, faults = future.result()
            done[running[future]] = verdicts
            file.write(json.dumps({"block": running[future], "verdicts": verdicts}) + "\n")
            file.flush()
            for fault in faults:
                print(fault, flush=True)
            if len(done) % 16 == 0:
                print(f"{len(done)} of {BLOCKS} blocks in {time.monotonic() - begun_s:.0f} s", flush=True)
    total = sum(done.values(), Counter())
    print(f"{total.total()} starts of {8 * len(content)}: {dict(total)}")
    return 1 if total["fails"] + total["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
