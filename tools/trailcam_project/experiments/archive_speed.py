"""Measure ``trailcam classify --out`` beside a hand-written loop and a loop over the Python interface.

    python -m trailcam_project.experiments.archive_speed PICTURE [--seconds 20]
    python -m trailcam_project.experiments.archive_speed PICTURE --memory 100000

Pictures of 0.1, 2 and 12 megapixels are made of PICTURE. The figure is pictures per second of processor time, over all
processes, without their start: so it holds on a machine that has other work. ``--wall`` adds the figure by the clock,
for an idle machine. The floor decodes with OpenCV, resizes with its area filter and invokes LiteRT, in one thread.
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
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from trailcam_archive.batch.job import Job, run_job
from trailcam_archive.batch.pool import WorkerPool
from trailcam_archive.batch.tasks import AnalysisSettings
from trailcam_core.classifier import BUILTIN_BUNDLE, Classifier
from trailcam_core.jobs.progress import silent

_SIZES_PX = {"0.1 MP": (365, 274), "2 MP": (1_800, 1_100), "12 MP": (4_000, 3_000)}
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


def archive(path: Path, count: int, jobs: int) -> None:
    """Run a job over links to the picture."""
    with tempfile.TemporaryDirectory() as folder:
        card = Path(folder) / "card"
        card.mkdir()
        for number in range(count):
            (card / f"{number:07}.jpg").symlink_to(path)
        settings = AnalysisSettings()
        job = Job((str(card),), Path(folder) / "rows.csv", settings)
        classifier = Classifier.open(num_threads=1)
        run_job(job, classifier, lambda: WorkerPool(settings, jobs), threading.Event(), silent)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)


def _measure(what: list[str], path: Path, count: int) -> tuple[float, float]:
    """Run a loop of this module in a process; return its processor time and its time by the clock, in s."""
    start_s = time.perf_counter()
    command = [sys.executable, "-m", _MODULE, str(path), "--run", *what, "--count", str(count)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{what} ended with {status}")
    return usage.ru_utime + usage.ru_stime, time.perf_counter() - start_s


def _rates(what: list[str], path: Path, count: int) -> tuple[float, float]:
    """Return pictures per second of processor time and by the clock, without the start of the processes."""
    few_cpu_s, few_s = _measure(what, path, 8)
    cpu_s, wall_s = _measure(what, path, 8 + count)
    return count / max(1e-9, cpu_s - few_cpu_s), count / max(1e-9, wall_s - few_s)


def compare(picture: Path, seconds: float, wall: bool) -> None:
    """Print a table of rates for each size."""
    source: Any = cv2.imread(str(picture))
    print(f"{'':>8} {'floor':>8} {'naive':>8} {'1 job':>8} {'2 jobs':>8}  pictures per second of processor time")
    with tempfile.TemporaryDirectory() as folder:
        for name, size in _SIZES_PX.items():
            path = Path(folder) / f"{name.replace(' ', '')}.jpg"
            cv2.imwrite(str(path), cv2.resize(source, size))
            rate, _ = _rates(["floor"], path, 10)
            count = max(16, int(seconds * rate))
            loops = (["floor"], ["naive"], ["archive", "1"], ["archive", "2"])
            found = [_rates(loop, path, count) for loop in loops]
            print(f"{name:>8} " + " ".join(f"{cpu:8.1f}" for cpu, _ in found), flush=True)
            if wall:
                print(f"{'clock':>8} " + " ".join(f"{clock:8.1f}" for _, clock in found), flush=True)


def memory(picture: Path, count: int) -> None:
    """Print the largest memory of the parent over ``count`` paths of a small picture."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "small.jpg"
        cv2.imwrite(str(path), cv2.resize(cv2.imread(str(picture)), (64, 48)))  # type: ignore[arg-type]
        command = [sys.executable, "-m", _MODULE, str(path), "--run", "archive", "2", "--count", str(count)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        print(f"{count:,} paths: parent {done.stdout.split()[-1]} MB at most")


def main() -> None:
    """Read the arguments."""
    parser = argparse.ArgumentParser(description="measure classify --out", allow_abbrev=False)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--seconds", type=float, default=20.0, help="processor time of the floor per size")
    parser.add_argument("--wall", action="store_true")
    parser.add_argument("--memory", type=int, metavar="PATHS")
    parser.add_argument("--run", nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--count", type=int, default=0, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run:
        name, *words = arguments.run
        loops: dict[str, Callable[..., None]] = {"floor": floor, "naive": naive, "archive": archive}
        loops[name](arguments.picture.resolve(), arguments.count, *map(int, words))
    elif arguments.memory:
        memory(arguments.picture, arguments.memory)
    else:
        compare(arguments.picture, arguments.seconds, arguments.wall)


if __name__ == "__main__":
    main()
