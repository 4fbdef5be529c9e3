"""Rehearse a Ray cluster: three nodes on this machine, one is killed in the middle, then the driver.

    make system TEST=cluster                 600 pictures
    make system TEST=cluster ARGS=20000      with a figure of speed that counts

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
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_raylet_start_wait_time_s", "300")  # of a machine with other work
os.environ.setdefault("RAY_worker_niceness", "0")  # 15 by default, which is no fair comparison beside other work
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")

from checks import Checks
from ray.cluster_utils import Cluster

from trailcam_archive.batch.job import Job, Report, run_job
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
        _rehearse(checks, Path(folder), count)
    return checks.finish("system test cluster")


def _rehearse(checks: Checks, folder: Path, count: int) -> None:
    card = folder / "card"
    _make_card(card, count)
    alone = Job((str(card),), folder / "alone.csv", SETTINGS)
    _, alone_s = _timed(alone, lambda: WorkerPool(SETTINGS, _NODES), silent)
    expected = _rows(alone.output)
    checks.check("one machine: a row for every file", len(expected) == count + 1, f"{count / alone_s:.1f} pictures/s")

    cluster = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 1, "object_store_memory": _MEMORY_BYTES, "include_dashboard": False},
    )
    try:
        nodes = [cluster.add_node(num_cpus=1, object_store_memory=_MEMORY_BYTES) for _ in range(_NODES - 1)]
        _check_speed(checks, replace(alone, output=folder / "ray.csv"), cluster.address, expected, count / alone_s)
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


def _timed(job: Job, make_pool: Callable[[], Pool], progress: Progress) -> tuple[Report, float]:
    """Run a job; the time is from the third answer, when the workers have started."""
    first: list[float] = []

    def note(stage: str, done: int, total: int, text: str = "") -> None:
        if done > _NODES and not first:
            first.append(time.monotonic())
        progress(stage, done, total, text)

    report = run_job(job, Classifier.open(num_threads=1), make_pool, threading.Event(), note)
    return report, time.monotonic() - first[0]


def _check_speed(checks: Checks, job: Job, address: str, expected: list[dict[str, str]], alone: float) -> None:
    _, ray_s = _timed(job, lambda: RayPool(SETTINGS, address), silent)
    checks.check("three nodes: the rows of one machine", _rows(job.output) == expected)
    speed = len(expected) / ray_s
    checks.figure("three nodes beside one machine on the same cores", f"{speed:.1f} pictures/s, {speed / alone:.2f}")


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


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
