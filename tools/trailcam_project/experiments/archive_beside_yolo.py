"""Measure ``trailcam classify FOLDER --out`` beside ``yolo classify predict`` on the same pictures, in one run.

    python -m trailcam_project.experiments.archive_beside_yolo FOLDER YOLO [--count 400]

YOLO is the program of another environment, for example ``venv/bin/yolo``: ultralytics is under the AGPL, so it is
no dependency of this project. Its network is an untrained ``yolo11n-cls``; speed does not depend on the weights. Both
commands run with one process and with their defaults. The time of a run over eight pictures is taken off for the start.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

_FEW = 8
_MAKE_NETWORK = "import sys; from ultralytics import YOLO; YOLO('yolo11n-cls.yaml').save(sys.argv[1])"
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def _cost(command: list[str], folder: Path, environment: dict[str, str]) -> tuple[float, float]:
    """Run a command; return the processor time of it and its children, and its time by the clock, in s."""
    start_s = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=folder, env=os.environ | environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    assert process.stderr is not None  # noqa: S101 - a pipe was asked for; for the type checker
    words = process.stderr.read().decode("utf-8", "replace")
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} ended with {status}: {words[-500:]}")
    return usage.ru_utime + usage.ru_stime, time.perf_counter() - start_s


def _commands(pictures: Path, yolo: Path, network: Path, work: Path) -> dict[str, tuple[list[str], dict[str, str]]]:
    """Return the commands that are compared, and the environment of each."""
    output = work / f"rows-{time.monotonic_ns()}.csv"
    trailcam = [sys.executable, "-m", "trailcam", "classify", str(pictures), "--out", str(output)]
    predict = [str(yolo), "classify", "predict", f"model={network}", f"source={pictures}", "imgsz=256"]
    predict += ["verbose=False", "save=False", "device=cpu", f"project={work}"]
    return {
        "trailcam, 1 job": ([*trailcam, "--jobs", "1"], {}),
        "yolo, 1 thread": (predict, _ONE_THREAD),
        "trailcam": (trailcam, {}),
        "yolo": (predict, {}),
    }


def compare(source: Path, yolo: Path, count: int) -> None:
    """Print pictures per second, by processor time and by the clock, of each command."""
    found = sorted(path for path in source.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg"))
    found = found[:: max(1, len(found) // count)]
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        network = work / "yolo11n-cls.pt"
        subprocess.run([yolo.parent / "python", "-c", _MAKE_NETWORK, network], check=True, stdout=subprocess.DEVNULL)
        folders = {"few": found[:_FEW], "many": found[: _FEW + count]}
        for folder, paths in folders.items():
            (work / folder).mkdir()
            for number, path in enumerate(paths):
                (work / folder / f"{number:06}.jpg").symlink_to(path.resolve())
        number = len(folders["many"]) - _FEW
        print(f"{'':>16} {'processor':>10} {'clock':>8}  pictures per second, {number} pictures")
        for title in _commands(work, yolo, network, work):
            few = _cost(*_at(work / "few", title, yolo, network, work))
            many = _cost(*_at(work / "many", title, yolo, network, work))
            rates = [number / max(1e-9, long_s - short_s) for long_s, short_s in zip(many, few, strict=True)]
            print(f"{title:>16} {rates[0]:10.1f} {rates[1]:8.1f}", flush=True)


def _at(pictures: Path, title: str, yolo: Path, network: Path, work: Path) -> tuple[list[str], Path, dict[str, str]]:
    command, environment = _commands(pictures, yolo, network, work)[title]
    return command, work, environment


def main() -> None:
    """Read the arguments."""
    parser = argparse.ArgumentParser(
        prog="python -m trailcam_project.experiments.archive_beside_yolo",
        description="Measure trailcam classify --out beside yolo.",
        allow_abbrev=False,
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="JPEG pictures, in folders below it too")
    parser.add_argument("yolo", type=Path, metavar="YOLO", help="the program of ultralytics")
    parser.add_argument("--count", type=int, default=400, metavar="N", help="pictures to classify (400)")
    arguments = parser.parse_args()
    compare(arguments.folder, arguments.yolo.absolute(), arguments.count)


if __name__ == "__main__":
    main()
