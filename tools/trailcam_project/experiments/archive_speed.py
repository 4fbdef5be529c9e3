"""Measure ``trailcam classify --out`` beside a hand-written loop and a loop over the Python interface.

    python -m trailcam_project.experiments.archive_speed PICTURE [--seconds 20] [--rounds 3] [--wall] [--sizes 0.1 2]
    python -m trailcam_project.experiments.archive_speed PICTURE --memory 100000
    python -m trailcam_project.experiments.archive_speed PICTURE --memory 1000000 --stub

Pictures of 0.1, 2 and 12 megapixels are made of PICTURE. The figure is pictures per second of processor time, over all
processes, without their start: so it holds on a machine that has other work. ``--wall`` adds the figure by the clock,
for an idle machine. Below each row are its ratios to the floor. The floor decodes with OpenCV, resizes with its area
filter and invokes LiteRT, in one thread; "2 floors" are two such processes at once, which is what two cores of this
machine give.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from trailcam_archive.batch.job import Job, run_job
from trailcam_archive.batch.pool import WorkerPool
from trailcam_archive.batch.tasks import AnalysisSettings, Task
from trailcam_archive.batch.worker import READY
from trailcam_archive.rows.record import Answer, PictureRecord, record_to_json
from trailcam_core.classifier import BUILTIN_BUNDLE, Classifier

# Width and height, and the pictures that the floor is likely to do in a second.
_SIZES_PX = {"0.1": ((365, 274), 60), "2": ((1_800, 1_100), 25), "12": ((4_000, 3_000), 7)}
_MODULE = "trailcam_project.experiments.archive_speed"


def floor(path: Path, count: int) -> None:
    """Decode, resize and invoke by hand."""
    from ai_edge_litert.interpreter import Interpreter

    cv2.setNumThreads(1)
    interpreter = Interpreter(model_path=str(BUILTIN_BUNDLE / "model.tflite"), num_threads=1)
    interpreter.allocate_tensors()
    given, answer = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    height, width = given["shape"][1:3]
    for _ in range(count):
        image: Any = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR_RGB)
        fitted = cv2.resize(image, (int(width), int(height)), interpolation=cv2.INTER_AREA)
        interpreter.set_tensor(given["index"], fitted[None])
        interpreter.invoke()
        interpreter.get_tensor(answer["index"])


def naive(path: Path, count: int) -> None:
    """Loop over the Python interface as its first example shows it."""
    classifier = Classifier.open()
    for _ in range(count):
        classifier.classify_file(path)


def archive(path: Path, count: int, jobs: int, code: str | None = None) -> None:
    """Run a job over links to the picture.

    Print the memory of the parent at each tenth of the way, then the largest one of the parent and of a worker, in MB.
    """
    reached: list[int] = []

    def note(stage: str, done: int, total: int, note: str = "") -> None:  # noqa: ARG001 - a Progress
        if done * 10 >= count * (len(reached) + 1):
            reached.append(_memory_mb())

    with tempfile.TemporaryDirectory() as folder:
        card = Path(folder) / "card"
        card.mkdir()
        for number in range(count):
            os.symlink(path, card / f"{number:07}.jpg")  # noqa: PTH211 - a million of them
        settings = AnalysisSettings()
        job = Job((str(card),), Path(folder) / "rows.csv", settings)
        classifier = Classifier.open(num_threads=1)
        run_job(job, classifier, lambda: WorkerPool(settings, jobs, code), threading.Event(), note)
        used = [  # before the folder is removed, whose list of a million links takes 140 MB
            resource.getrusage(who).ru_maxrss * 1024 // 1_000_000
            for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        ]
    print("tenths:", *reached)
    print(*used)


def _memory_mb() -> int:
    """Return the memory that this process uses now, in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() // 1_000_000


def archive_stub(path: Path, count: int, jobs: int) -> None:
    """Run the same job with workers that answer at once: what the parent does for each picture remains."""
    archive(path, count, jobs, f"from {_MODULE} import answer_at_once; answer_at_once()")


def answer_at_once() -> None:
    """Be a worker without a model."""
    answer = Answer("sheep", 0.93, "label", 0.93, (("sheep", 0.93), ("cow", 0.04), ("dog", 0.01)))
    line = record_to_json(PictureRecord((answer,), "2026-05-01T12:00:00")).encode() + b"\n"
    tasks, answers = sys.stdin.buffer, sys.stdout.buffer
    tasks.readline()
    answers.write(READY)
    answers.flush()
    for task in tasks:
        Task.from_json(task.decode())
        answers.write(line)
        answers.flush()


@dataclass(frozen=True)
class Loop:
    """What is measured: a function of this module with its words, in one process or in several at once."""

    words: tuple[str, ...]
    processes: int = 1


@dataclass
class Fastest:
    """The shortest times of a loop, in s: other work of the machine only makes it longer."""

    cpu_s: float = float("inf")
    wall_s: float = float("inf")

    def add(self, cpu_s: float, wall_s: float) -> None:
        """Take the times of another run."""
        self.cpu_s, self.wall_s = min(self.cpu_s, cpu_s), min(self.wall_s, wall_s)


_LOOPS = {
    "floor": Loop(("floor",)),
    "2 floors": Loop(("floor",), 2),
    "naive": Loop(("naive",)),
    "1 job": Loop(("archive", "1")),
    "2 jobs": Loop(("archive", "2")),
}
_FEW = 8  # pictures of a run that is taken off, for its start


def _measure(loop: Loop, path: Path, count: int) -> tuple[float, float]:
    """Run a loop; return the processor time of all its processes, and its time by the clock, in s."""
    start_s = time.perf_counter()
    command = [sys.executable, "-m", _MODULE, str(path), "--run", *loop.words, "--count", str(count)]
    quiet = subprocess.DEVNULL
    processes = [subprocess.Popen(command, stdout=quiet, stderr=quiet) for _ in range(loop.processes)]
    cpu_s = 0.0
    for process in processes:
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            raise SystemExit(f"{' '.join(loop.words)} ended with {status}")
        cpu_s += usage.ru_utime + usage.ru_stime
    return cpu_s, time.perf_counter() - start_s


def _rates(path: Path, count: int, rounds: int) -> dict[str, tuple[float, float]]:
    """Return pictures per second of processor time and by the clock, without the start of the processes.

    The loops take turns, so that other work of the machine meets all of them.
    """
    few = {name: Fastest() for name in _LOOPS}
    many = {name: Fastest() for name in _LOOPS}
    for _ in range(rounds):
        for name, loop in _LOOPS.items():
            few[name].add(*_measure(loop, path, _FEW))
            many[name].add(*_measure(loop, path, _FEW + count))
    return {
        name: (
            loop.processes * count / max(1e-9, many[name].cpu_s - few[name].cpu_s),
            loop.processes * count / max(1e-9, many[name].wall_s - few[name].wall_s),
        )
        for name, loop in _LOOPS.items()
    }


def _print_row(name: str, rates: list[float]) -> None:
    """Print rates, and below them what they are of the first one."""
    print(f"{name:>8} " + " ".join(f"{rate:8.1f}" for rate in rates))
    print(f"{'ratio':>8} " + " ".join(f"{rate / rates[0]:8.2f}" for rate in rates), flush=True)


def compare(picture: Path, seconds: float, wall: bool, rounds: int, sizes: list[str]) -> None:
    """Print a table of rates for each size."""
    source: Any = cv2.imread(str(picture))
    heads = " ".join(f"{name:>8}" for name in _LOOPS)
    print(f"{'':>8} {heads}  pictures per second of processor time")
    with tempfile.TemporaryDirectory() as folder:
        for name in sizes:
            size, likely_hz = _SIZES_PX[name]
            path = Path(folder) / f"{name}.jpg"
            cv2.imwrite(str(path), cv2.resize(source, size))
            found = _rates(path, max(16, int(seconds * likely_hz)), rounds)
            _print_row(f"{name} MP", [cpu for cpu, _ in found.values()])
            if wall:
                _print_row("clock", [clock for _, clock in found.values()])


def memory(picture: Path, count: int, stub: bool) -> None:
    """Print the largest memory of the parent and of a worker over ``count`` paths of a small picture."""
    loop = "archive_stub" if stub else "archive"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "small.jpg"
        cv2.imwrite(str(path), cv2.resize(cv2.imread(str(picture)), (64, 48)))  # type: ignore[arg-type]
        command = [sys.executable, "-m", _MODULE, str(path), "--run", loop, "2", "--count", str(count)]
        start_s = time.perf_counter()
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        *_, tenths, largest = done.stdout.splitlines()
        parent, worker = largest.split()
        print(
            f"{count:,} paths, {time.perf_counter() - start_s:.0f} s: parent {parent}, a worker {worker} MB at most; "
            f"parent, {tenths}"
        )


def main() -> None:
    """Read the arguments."""
    parser = argparse.ArgumentParser(
        prog="python -m trailcam_project.experiments.archive_speed",
        description="Measure trailcam classify --out.",
        allow_abbrev=False,
    )
    parser.add_argument("picture", type=Path, metavar="PICTURE", help="photograph, resized to each of the sizes")
    parser.add_argument("--seconds", type=float, default=20.0, help="processor time of the floor per size")
    parser.add_argument("--rounds", type=int, default=1, help="of all loops in turn; the shortest times count")
    parser.add_argument("--wall", action="store_true", help="also pictures per second by the clock")
    parser.add_argument("--sizes", nargs="+", choices=_SIZES_PX, default=list(_SIZES_PX), help="in megapixels")
    parser.add_argument(
        "--memory", type=int, metavar="PATHS", help="instead: the peak memory of a job over this many paths"
    )
    parser.add_argument("--stub", action="store_true", help="with --memory: workers without a model")
    parser.add_argument("--run", nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--count", type=int, default=0, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run:
        name, *words = arguments.run
        loops: dict[str, Callable[..., None]] = {
            "floor": floor,
            "naive": naive,
            "archive": archive,
            "archive_stub": archive_stub,
        }
        loops[name](arguments.picture.resolve(), arguments.count, *map(int, words))
    elif arguments.memory:
        memory(arguments.picture, arguments.memory, arguments.stub)
    else:
        compare(arguments.picture, arguments.seconds, arguments.wall, arguments.rounds, arguments.sizes)


if __name__ == "__main__":
    main()
