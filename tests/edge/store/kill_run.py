"""Kill a camera's storing process at random moments, again and again on one store, and look whether anything is lost.

    python kill_run.py FOLDER [KILLS]

Unlike ``power_cut_run.py`` this is the real disk, real time and all threads: recorder, store and a JSON lines sink. The
first visit that was acknowledged and is not there, a damaged database or half a line ends it with exit code 1.
"""

import argparse
import json
import logging
import os
import random
import signal
import sqlite3
import sys
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from trailcam_edge.events import Moment, Visit
from trailcam_edge.sinks.json_lines import JsonLinesSink
from trailcam_edge.sinks.settings import JsonLinesSettings
from trailcam_edge.sinks.worker import SinkWorker
from trailcam_edge.store.event_store import EventStore
from trailcam_edge.store.reader import open_reader
from trailcam_edge.store.recorder import Recorder
from trailcam_edge.store.settings import StoreSettings

LIMITS = StoreSettings(max_bytes=8_000_000, min_free_bytes=0)
NOISE = np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8)
LONGEST_S = 0.6


class TellingStore(EventStore):
    """Says on a pipe what it has acknowledged."""

    pipe = -1

    def add_visit(self, visit: Visit) -> int:
        event_id = super().add_visit(visit)
        os.write(TellingStore.pipe, f"{visit.visit_id}\n".encode())
        return event_id


def camera(folder: Path, run: int, pipe: int) -> None:
    """Store visits until somebody kills this process."""
    TellingStore.pipe = pipe
    boot = f"boot-{run:03}"

    def now() -> Moment:
        return Moment(time.monotonic(), datetime.now(UTC), boot)

    settings = replace(LIMITS, folder=folder / "store")
    recorder = Recorder(lambda: TellingStore(settings), now)
    sink = JsonLinesSink(JsonLinesSettings(folder / "events.jsonl", max_bytes=200_000, keep=2))
    delivery = SinkWorker(sink, lambda: recorder.store, backlog=True)
    recorder.subscribe(delivery.wake)
    for number in range(1_000_000):
        moment = now()
        label = "lynx" if number % 20 == 7 else "squirrel"
        visit_id = f"{boot}-{number:05}"
        recorder.visit(Visit(visit_id, label, moment, moment, 0.9, 3, 5, NOISE, "tiny-1.0.0", 10.0))
        recorder.heartbeat(moment, "tiny-1.0.0", number)
        while recorder.health().waiting > 2:
            time.sleep(0.001)


def one_kill(folder: Path, run: int, after_s: float) -> list[str]:
    """Start the camera, kill it after a while, and return what it had acknowledged."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        try:
            camera(folder, run, writer)
        finally:
            os._exit(1)
    os.close(writer)
    killer = threading.Timer(after_s, os.kill, [child, signal.SIGKILL])
    killer.start()
    with os.fdopen(reader) as pipe:
        said = pipe.read().splitlines()
    _, status = os.waitpid(child, 0)
    killer.join()
    assert os.WIFSIGNALED(status), f"the camera ended by itself in run {run}"
    return said


def rehearse(folder: Path, kills: int) -> dict[str, object]:
    """Kill and look, as often as asked."""
    chance = random.Random(0)
    acknowledged: set[str] = set()
    in_recovery = 0
    for run in range(kills):
        said = one_kill(folder, run, chance.uniform(0.0, LONGEST_S))
        in_recovery += not said
        acknowledged |= {line for line in said if line.startswith(f"boot-{run:03}-")}
        if not (folder / "store" / "events.db").exists():
            continue
        connection = sqlite3.connect(folder / "store" / "events.db")
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        stored = {name for (name,) in connection.execute("SELECT visit_id FROM visits")}
        connection.close()
        assert acknowledged <= stored, sorted(acknowledged - stored)[:5]
    messages: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: messages.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("trailcam_edge").addHandler(handler)
    store = EventStore(replace(LIMITS, folder=folder / "store"))
    assert not messages, messages
    used = store.usage()
    store.close()
    with open_reader(folder / "store") as reader:
        events = {event.visit_id: event for event in reader.events()}
    files = {path.stem: path for path in (folder / "store" / "pictures").iterdir()}
    assert set(files) == {name for name, event in events.items() if event.picture}
    assert all(path.read_bytes().endswith(b"\xff\xd9") for path in files.values())
    lines = [line for path in folder.glob("events.jsonl*") for line in path.read_bytes().splitlines(keepends=True)]
    halves = [line for line in lines if not line.endswith(b"\n")]
    assert len(halves) <= 1, "only the newest line may be cut off, and the next start repairs it"
    assert all(json.loads(line)["visit_id"] in events for line in lines if line not in halves)
    return {
        "kills": kills,
        "kills_before_the_first_visit": in_recovery,
        "acknowledged": len(acknowledged),
        "stored": len(events),
        "pictures": len(files),
        "store_bytes": used.database_bytes + used.pictures_bytes,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("kills", type=int, nargs="?", default=200)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    start_s = time.monotonic()
    try:
        result = rehearse(arguments.folder.absolute(), arguments.kills)
    except AssertionError as error:
        sys.exit(f"FAILED: {error}")
    print(json.dumps(result | {"seconds": round(time.monotonic() - start_s, 1)}))
