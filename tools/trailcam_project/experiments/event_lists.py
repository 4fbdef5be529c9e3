"""Time and memory of ``trailcam events`` for a large store: the list, CSV and a Camera Trap Data Package.

    python -m trailcam_project.experiments.event_lists --visits 1000000

Each command runs once with its output discarded. Times are of the clock and of all its processes; memory is the peak of
the sum over its processes, each with its share of common pages (PSS). The floor is the processor time in which SQLite
alone reads the columns of the list, without checksums.
"""

import argparse
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import deque
from pathlib import Path

from trailcam_edge.store.open_database import DATABASE_FILE
from trailcam_project.experiments.large_store import make_large_store

_PACKAGE = ("--latitude", "50", "--longitude", "8", "--contributor", "A. Person")
_LIST_COLUMNS = "started_boot_id, started_monotonic_s, ended_boot_id, ended_monotonic_s, label, confidence, visit_id"
_SAMPLE_S = 0.1


def floor_s(store: Path) -> float:
    """Return the processor time in which SQLite reads the columns of the list."""
    connection = sqlite3.connect(store / DATABASE_FILE)
    begun_s = time.process_time()
    deque(connection.execute(f"SELECT {_LIST_COLUMNS} FROM visits ORDER BY event_id"), maxlen=0)  # noqa: S608 - constants
    took_s = time.process_time() - begun_s
    connection.close()
    return took_s


def measure(command: list[str]) -> tuple[float, float, float]:
    """Run a command; return seconds of the clock, processor seconds, and peak memory in MB (10^6 bytes).

    Raises:
        subprocess.CalledProcessError: the command fails.
    """
    before, begun_s, peak_kb = _used_s(), time.monotonic(), 0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            peak_kb = max(peak_kb, sum(map(_pss_kb, _family(process.pid))))
            time.sleep(_SAMPLE_S)
    took_s = time.monotonic() - begun_s
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return took_s, _used_s() - before, peak_kb * 1024 / 1e6


def _used_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _family(pid: int) -> list[int]:
    """Return a process and those below it."""
    found = [pid]
    try:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            for child in (thread / "children").read_text().split():
                found += _family(int(child))
    except OSError:  # it has ended
        return found
    return found


def _pss_kb(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def main() -> int:
    """Make a store and print a line for each form."""
    parser = argparse.ArgumentParser(
        prog="python -m trailcam_project.experiments.event_lists",
        description="Time and memory of trailcam events for a large store: list, CSV and Camera Trap Data Package.",
    )
    parser.add_argument("--visits", type=int, default=1_000_000, help="in the store, a multiple of 200 (1000000)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        store = Path(name) / "store"
        make_large_store(store, options.visits, [b"picture"], with_picture=0, unreviewed=options.visits)
        print(f"floor of the list: {floor_s(store):.2f} s of processor time")
        for form in ((), ("--csv",), ("--camtrap-dp", str(Path(name) / "package.zip"), *_PACKAGE)):
            command = [sys.executable, "-m", "trailcam", "events", "--store", str(store), *form]
            took_s, used_s, peak_mb = measure(command)
            label = form[0] if form else "list"
            print(f"{label}: {took_s:.1f} s, {used_s:.1f} s of processor time, {peak_mb:.0f} MB", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
