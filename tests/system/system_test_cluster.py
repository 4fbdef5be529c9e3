"""Rehearse a Ray cluster: three nodes on this machine, one is killed in the middle, then the driver.

    make system TEST=cluster                 600 pictures
    make system TEST=cluster ARGS="20000 speed"      the first part alone: a figure of speed that counts

It runs in an environment with Ray, which ``run.py`` makes.
"""

import csv
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_raylet_start_wait_time_s", "300")  # of a machine with other work
os.environ.setdefault("RAY_worker_niceness", "0")  # 15 by default, which is no fair comparison beside other work
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")

from checks import Checks
from ray.cluster_utils import Cluster

from trailcam_archive.batch.job import Job, run_job
from trailcam_archive.batch.pool import Pool, WorkerPool
from trailcam_archive.batch.tasks import AnalysisSettings
from trailcam_archive.cluster.ray_pool import RayPool
from trailcam_core.classifier import Classifier
from trailcam_core.errors import DeviceError
from trailcam_core.jobs.progress import Progress, silent
from trailcam_edge.sources import DEMO_FRAMES

_NODES = 3
_MEMORY_BYTES = 100_000_000  # of the object store of a node
SETTINGS = AnalysisSettings()


def main(words: list[str]) -> int:
    """Rehearse; return the exit code."""
    count = int(words[0]) if words else 600
    checks = Checks()
    with tempfile.TemporaryDirectory(prefix="trailcam-cluster-") as folder:
        _rehearse(checks, Path(folder), count, words[1:] == ["speed"])
    return checks.finish("system test cluster")


def _rehearse(checks: Checks, folder: Path, count: int, speed_only: bool) -> None:
    card = folder / "card"
    _make_card(card, count)
    alone = Job((str(card),), folder / "alone.csv", SETTINGS)
    one_machine = _timed(alone, lambda: WorkerPool(SETTINGS, _NODES), silent)
    expected = _rows(alone.output)
    checks.check("one machine: a row for every file", len(expected) == count + 1, f"{count / one_machine.wall_s:.1f}/s")

    cluster = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 1, "object_store_memory": _MEMORY_BYTES, "include_dashboard": False},
    )
    try:
        nodes = [cluster.add_node(num_cpus=1, object_store_memory=_MEMORY_BYTES) for _ in range(_NODES - 1)]
        _check_speed(checks, replace(alone, output=folder / "ray.csv"), cluster.address, expected, one_machine)
        if speed_only:
            return
        _check_driver(checks, card, folder / "driver.csv", cluster.address, expected)
        _check_node(checks, replace(alone, output=folder / "node.csv"), cluster, nodes[-1], expected)
    finally:
        cluster.shutdown()
    try:
        RayPool(SETTINGS, "127.0.0.1:9")
        checks.check("no cluster at the address is an error", False)
    except DeviceError as error:
        checks.check("no cluster at the address is an error", "no Ray cluster" in str(error), error)


def _make_card(card: Path, count: int) -> None:
    """Make a card of links to the demo pictures, with one broken file."""
    frames = sorted(DEMO_FRAMES.glob("*.webp"))
    for number in range(count):
        place = card / f"station{number % 3}" / f"{number:06}.webp"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(frames[number % len(frames)])
    (card / "station0" / "broken.jpg").write_bytes(b"no picture")


@dataclass(frozen=True)
class Cost:
    """Time by the clock and processor time of all processes, from the first answers to the end."""

    wall_s: float
    cpu_s: float


def _timed(job: Job, make_pool: Callable[[], Pool], progress: Progress) -> Cost:
    """Run a job; its cost is counted from the fourth answer, when the workers have started."""
    first: list[Cost] = []

    def note(stage: str, done: int, total: int, text: str = "") -> None:
        if done > _NODES and not first:
            first.append(Cost(time.monotonic(), _cpu_s()))
        progress(stage, done, total, text)

    with closing(_KeptPool(make_pool)) as kept:
        run_job(job, Classifier.open(num_threads=1), lambda: kept, threading.Event(), note)
        return Cost(time.monotonic() - first[0].wall_s, _cpu_s() - first[0].cpu_s)


def _check_speed(checks: Checks, job: Job, address: str, expected: list[dict[str, str]], alone: Cost) -> None:
    ray = _timed(job, lambda: RayPool(SETTINGS, address), silent)
    checks.check("three nodes: the rows of one machine", _rows(job.output) == expected)
    number = len(expected)
    rates = f"{number / ray.wall_s:.1f} and {number / alone.wall_s:.1f} a second, {alone.wall_s / ray.wall_s:.2f}"
    costs = f"{1e3 * ray.cpu_s / number:.2f} ms and {1e3 * alone.cpu_s / number:.2f} ms of processor time a picture"
    checks.figure(
        "three nodes beside one machine on the same cores", f"{rates}; {costs}, {alone.cpu_s / ray.cpu_s:.2f}"
    )


def _check_node(checks: Checks, job: Job, cluster: Cluster, node: object, expected: list[dict[str, str]]) -> None:
    killed: list[int] = []

    def kill(stage: str, done: int, total: int, note: str = "") -> None:
        if done > len(expected) // 3 and not killed:
            killed.append(done)
            cluster.remove_node(node, allow_graceful=False)

    _timed(job, lambda: RayPool(SETTINGS, cluster.address), kill)
    checks.check(
        "a node killed in the middle: every picture once, the same rows", _rows(job.output) == expected, killed
    )


def _check_driver(checks: Checks, card: Path, output: Path, address: str, expected: list[dict[str, str]]) -> None:
    command = [sys.executable, "-m", "trailcam", "classify", str(card), "--out", str(output), "--ray", address]
    driver = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    log = output.with_name(output.name + ".journal-wal")
    deadline_s = time.monotonic() + 300
    while time.monotonic() < deadline_s and not (log.exists() and log.stat().st_size > 100_000):
        time.sleep(0.05)
    driver.send_signal(signal.SIGKILL)
    driver.communicate()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    print(done.stdout, done.stderr[-2_000:])
    checks.check("the driver killed, the same command again: the same rows", _rows(output) == expected)
    checks.check("it went on where it was", "of them before" in done.stdout)


class _KeptPool:
    """A pool that is closed after its cost was read: the processor time of a process that has ended is lost."""

    def __init__(self, make_pool: Callable[[], Pool]) -> None:
        self._pool = make_pool()
        self.wanted, self.submit, self.wait = self._pool.wanted, self._pool.submit, self._pool.wait
        self._job_ended = False

    @property
    def pending(self) -> int:
        """Tasks in work."""
        return self._pool.pending

    def close(self) -> None:
        """Close at the second call: the first is that of the job."""
        if self._job_ended:
            self._pool.close()
        self._job_ended = True


def _cpu_s() -> float:
    """Return the processor time of this process and its descendants, which Ray's nodes are."""
    parents: dict[int, tuple[int, float]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:  # it has ended
                continue
            parents[int(folder.name)] = int(fields[1]), sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    ours, seen = {os.getpid()}, 0
    while len(ours) != seen:
        seen = len(ours)
        ours |= {number for number, (parent, _) in parents.items() if parent in ours}
    return sum(parents[number][1] for number in ours if number in parents)


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
