"""Let every call of a store to its disk fail, one at a time, while a recorder stores visits, and look what is left.

Run under ``LD_PRELOAD=disk_fault.so`` (see ``../update/disk_fault.c``); ``python disk_fault_run.py FOLDER [POINTS]``
prints one JSON object. Each of ENOSPC, EROFS and EIO is given at each call, once alone and once from there on until the
disk is well again; with POINTS, so many random ones of them. What must hold after each:

    Every visit is stored once, nothing was set aside, and the recorder goes on.
    Rows and files agree: at once after a single fault, and at the next start after a disk that refused to delete files.
"""

import argparse
import ctypes
import errno
import json
import random
import shutil
import sqlite3
import sys
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from trailcam_edge.events import OPENED, UPDATED, Clip, Moment, PictureSample, Visit, VisitChange
from trailcam_edge.store.event_store import EventStore
from trailcam_edge.store.recorder import Recorder, RecorderLimits
from trailcam_edge.store.settings import StoreSettings

CODES = {"ENOSPC": errno.ENOSPC, "EROFS": errno.EROFS, "EIO": errno.EIO}
LIMITS = RecorderLimits(retry_s=0.01, heartbeat_s=1.0, max_pictures=20, max_clips=20)
VISITS = ("v-1", "v-2", "v-3")
FIRST, BETTER = (np.random.default_rng(side).integers(0, 256, (side, side, 3), np.uint8) for side in (40, 60))
_NEVER = 1 << 40
_LONGEST_S = 20.0


def moment(second: float = 100.0) -> Moment:
    """Return a moment with a clock that is right."""
    return Moment(second, datetime(2026, 6, 1, tzinfo=UTC) + timedelta(seconds=second), "boot")


class Rehearsal:
    """One folder in which calls fail."""

    def __init__(self, folder: Path) -> None:
        self.root = folder
        self.folder = folder / "store"
        self.library = ctypes.CDLL(None)
        self.library.arm_fault.argtypes = (ctypes.c_char_p, ctypes.c_long, ctypes.c_int, ctypes.c_int)
        self.library.faults_counted.restype = ctypes.c_long

    def run(self, at: int, code: int, lasts: bool) -> int:
        """Let the call ``at`` fail, check what is left, and return the number of calls until the disk is well again."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.open().close()
        self.library.arm_fault(str(self.root).encode(), at, code, lasts)
        recorder = Recorder(self.open, moment, LIMITS)
        self.watch(recorder)
        calls = int(self.library.faults_counted())
        self.library.arm_fault(b"", 0, 0, 0)
        self.wait(recorder)
        assert recorder.health().lost == 0, recorder.health()
        assert recorder.close()
        if not lasts:
            self.check()
        self.open().close()
        self.check()
        return calls

    def open(self) -> EventStore:
        """Open the store."""
        return EventStore(StoreSettings(self.folder, max_bytes=4_000_000, min_free_bytes=0))

    def watch(self, recorder: Recorder) -> None:
        """Give the recorder visits as a camera does."""
        for number, visit_id in enumerate(VISITS):
            started, ended = moment(number), moment(number + 0.5)
            visit = Visit(visit_id, "deer", started, ended, 0.9, 3, 5, FIRST, "tiny-1", 10.0)
            better = Visit(visit_id, "deer", started, ended, 0.9, 4, 6, BETTER, "tiny-1", 10.0)
            recorder.change(VisitChange(OPENED, visit))
            recorder.change(VisitChange(UPDATED, better))
            recorder.clip(Clip(visit_id, bytes(6000), -1.0, 3.0))
            recorder.visit(visit if number == 1 else better)
            recorder.sample(PictureSample(f"s-{number}", "quiet", ended, FIRST, "tiny-1", 24.0))
            recorder.heartbeat(moment(number + 2.0), "tiny-1", number)
            until_s = time.monotonic() + _LONGEST_S
            while recorder.health().waiting and recorder.health().problem is None and time.monotonic() < until_s:
                time.sleep(0.001)

    def wait(self, recorder: Recorder) -> None:
        """Wait until everything is stored."""
        until_s = time.monotonic() + _LONGEST_S
        while recorder.health().waiting or recorder.health().problem:
            assert time.monotonic() < until_s, recorder.health()
            time.sleep(0.002)

    def check(self) -> None:
        """Check that each visit is there, and that rows and files agree."""
        with closing(sqlite3.connect(self.folder / "events.db")) as database:
            visits = [name for (name,) in database.execute("SELECT visit_id FROM visits ORDER BY visit_id")]
            pictures = dict(
                database.execute(
                    "SELECT visit_id, picture_bytes FROM visits WHERE picture_bytes > 0 UNION ALL "
                    "SELECT sample_id, picture_bytes FROM samples WHERE picture_bytes > 0"
                )
            )
            clips = dict(database.execute("SELECT visit_id, clip_bytes FROM clips"))
        assert visits == list(VISITS), visits
        assert sizes(self.folder / "pictures") == {f"{name}.jpg": size for name, size in pictures.items()}
        assert sizes(self.folder / "clips") == {f"{name}.mp4": size for name, size in clips.items()}
        assert not (self.folder / "set-aside").exists()


def sizes(folder: Path) -> dict[str, int]:
    """Return the size of each file in a folder."""
    return {path.name: path.stat().st_size for path in folder.iterdir()}


def main() -> None:
    """Run all points, or some random ones."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("points", type=int, nargs="?")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    rehearsal = Rehearsal(arguments.folder)
    calls = {name: rehearsal.run(_NEVER, code, False) for name, code in CODES.items()}
    points = [(name, lasts, at) for name in CODES for lasts in (False, True) for at in range(1, calls[name] + 1)]
    if arguments.points is not None:
        points = random.Random(0).sample(points, arguments.points)
    for name, lasts, at in points:
        try:
            rehearsal.run(at, CODES[name], lasts)
        except BaseException:
            print(f"{name} at call {at}, {'lasting' if lasts else 'once'}:", file=sys.stderr)
            raise
    print(json.dumps({"faults": len(points), "calls": calls}))


if __name__ == "__main__":
    main()
