"""Latency of a bundle compared with its baseline: the raw interpreter call on a ready input.

    python -m trailcam_project.experiments.latency [BUNDLE...]

Three steps are timed in turn, frame by frame, so that a machine that slows down affects all alike:

    floor      set_tensor, invoke, get_tensor of the interpreter, as in the shortest possible script (or ONNX Runtime's
               run)
    classify   Classifier.classify on a camera frame: crop, resize, invoke, softmax, reject rule
    decode     read_image on a JPEG of such a frame

The ratio classify / floor is the figure to quote; milliseconds depend on the machine and the hour.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from trailcam_benchmarks.worker.baseline import FRAME_HEIGHT_PX, FRAME_WIDTH_PX, camera_frame, raw_invoke
from trailcam_core.classifier import Classifier
from trailcam_core.errors import TrailcamError
from trailcam_core.images.decode import decode_image
from trailcam_core.jobs.progress import Progress, silent

_WARMUP = 20


@dataclass(frozen=True)
class Quantiles:
    """Latency in milliseconds over the frames of one run."""

    p50_ms: float
    p90_ms: float
    p99_ms: float
    worst_ms: float


@dataclass(frozen=True)
class LatencyReport:
    """One bundle on this machine; ``overhead`` is the median of classify / floor (the baseline), minus 1."""

    bundle: str
    scheme: str
    size_bytes: int
    threads: int
    frames: int
    floor: Quantiles
    classify: Quantiles
    decode: Quantiles
    overhead: float


class LatencyBench:
    """A bundle and its baseline, opened for timing.

    Args:
        bundle: folder of a bundle, None for the built-in one.
        threads: threads of one inference.

    Raises:
        BundleError: the bundle cannot be used.
    """

    def __init__(self, bundle: Path | None, threads: int) -> None:
        self._classifier = Classifier.open(bundle, threads)
        self._threads = threads
        self._image, self._jpeg = camera_frame()
        self._floor = raw_invoke(self._classifier, threads, self._image)

    def run(self, frames: int, progress: Progress = silent) -> LatencyReport:
        """Time ``frames`` synthetic 640x480 camera frames (at least 1), one by one, after a warm-up."""
        steps: tuple[Callable[[], object], ...] = (
            self._floor,
            lambda: self._classifier.classify(self._image),
            lambda: decode_image(self._jpeg, "frame.jpg", self._classifier.input),
        )
        times_ms = np.zeros((frames, len(steps)))
        for frame in range(-_WARMUP, frames):
            for column, step in enumerate(steps):
                start_s = time.perf_counter()
                step()
                if frame >= 0:
                    times_ms[frame, column] = (time.perf_counter() - start_s) * 1e3
            progress("measuring", max(0, frame + 1), frames)
        manifest = self._classifier.bundle.manifest
        return LatencyReport(
            bundle=f"{manifest.name} {manifest.version}",
            scheme=manifest.model.scheme,
            size_bytes=manifest.model.size_bytes,
            threads=self._threads,
            frames=frames,
            floor=_quantiles(times_ms[:, 0]),
            classify=_quantiles(times_ms[:, 1]),
            decode=_quantiles(times_ms[:, 2]),
            overhead=float(np.median(times_ms[:, 1] / times_ms[:, 0]) - 1),
        )


def _quantiles(times_ms: npt.NDArray[np.float64]) -> Quantiles:
    p50, p90, p99 = np.percentile(times_ms, (50, 90, 99))
    return Quantiles(float(p50), float(p90), float(p99), float(times_ms.max()))


def main(arguments: list[str] | None = None) -> int:
    """Measure and print every bundle; return 1 if one cannot be used."""
    parser = argparse.ArgumentParser(
        prog="python -m trailcam_project.experiments.latency",
        description="A bundle against the bare interpreter call, frame by frame in turns.",
    )
    parser.add_argument("bundles", type=Path, nargs="*", metavar="BUNDLE", help="default: the built-in one")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="threads of one inference (default 1)")
    parser.add_argument("--frames", type=int, default=1024, metavar="N", help="frames to time (default 1024)")
    parser.add_argument("--json", action="store_true", help="one JSON object per bundle and line")
    chosen = parser.parse_args(arguments)
    try:
        for bundle in chosen.bundles or [None]:
            report = LatencyBench(bundle, max(1, chosen.threads)).run(max(1, chosen.frames))
            print(json.dumps(asdict(report)) if chosen.json else _describe(report))
    except TrailcamError as error:
        print(f"latency: {error}", file=sys.stderr)
        return 1
    return 0


def _describe(report: LatencyReport) -> str:
    rows = "\n".join(
        f"  {name:<10}{times.p50_ms:>8.2f}{times.p90_ms:>8.2f}{times.p99_ms:>8.2f}{times.worst_ms:>8.2f}"
        for name, times in (("floor", report.floor), ("classify", report.classify), ("decode", report.decode))
    )
    return (
        f"{report.bundle} {report.scheme}, {report.size_bytes / 1e6:.2f} MB, {report.threads} thread(s), "
        f"{report.frames} frames of {FRAME_WIDTH_PX}x{FRAME_HEIGHT_PX} px\n"
        f"  {'ms':<10}{'p50':>8}{'p90':>8}{'p99':>8}{'worst':>8}\n{rows}\n"
        f"  classify takes {report.overhead:+.1%} over the bare interpreter call"
    )


if __name__ == "__main__":
    sys.exit(main())
