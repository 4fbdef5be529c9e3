"""The live loop: overhead beside the model, age of its results, growth of its memory.

    python -m trailcam_project.experiments.live_loop overhead  time outside of invoke, as a ratio to invoke
    python -m trailcam_project.experiments.live_loop age  age of answers from a network camera under a slow model
    python -m trailcam_project.experiments.live_loop memory  resident memory over 100,000 frames

``overhead`` watches 640x480 frames of one animal that wait in memory, so the loop does all that it does in the field:
conversion to RGB, crop and resize, softmax, votes, sharpness, an open visit. Invoke is timed inside, so both figures
are of the same frame, in processor time of one thread. ``age`` reads the time that the camera stamped into the picture;
a naive ``VideoCapture`` loop with the same model runs after it. ``memory`` runs the real loop with fixed labels.
"""

import argparse
import itertools
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import cv2
import numpy as np
import numpy.typing as npt

from trailcam_core.bundle.folder import open_bundle
from trailcam_core.classifier import BUILTIN_BUNDLE, Classifier
from trailcam_core.errors import TrailcamError
from trailcam_core.images.decode import read_image
from trailcam_core.images.resize import Image
from trailcam_core.inference.tflite import TFLiteModel
from trailcam_edge.recognition.frame_result import FrameResult
from trailcam_edge.recognition.loop import watch
from trailcam_edge.recognition.settings import LoopSettings
from trailcam_edge.regions import RegionSettings
from trailcam_edge.sources import DEMO_FRAMES, Delivery, Frame
from trailcam_edge.sources.opencv_stream import network_source
from trailcam_edge.sources.pixels import PackedPixels, Pixels, PlanarPixels
from trailcam_project.experiments.mjpeg_server import MjpegServer, read_stamp_s, stamped

_WARMUP = 70  # the block has appeared, and every buffer is there
_CAMERA_HZ = 30.0
_DEMO_ANIMAL = "elephant"
_SMALL_SIZE_PX = (640, 480)
_STILL = 60  # frames before the block appears: the background is known
_FRAMES_PER_STEP, _STEPS, _BLOCK_PX = 3, 16, 120
_SAMPLES = 11  # of the resident memory
_PAGE_BYTES = 4096


@dataclass(frozen=True)
class OverheadReport:
    """Medians over frames; ``overhead`` is that of (whole step - invoke) / invoke."""

    pixels: str
    motion: bool
    frames: int
    invoke_ms: float
    outside_ms: float
    overhead: float


@dataclass(frozen=True)
class AgeReport:
    """Age of answered pictures in ms: p50, p99 and worst, and that of the last, from their stamp to the answer.

    ``waited_p50_ms`` and so on are the part of it before the model began, from the arrival of the frame here; without a
    queue that is at most one frame period, here 33.3 ms, and ``over_period`` counts the ``answers`` with more.
    """

    loop: str
    answers: int
    p50_ms: float
    p99_ms: float
    worst_ms: float
    last_ms: float
    waited_p50_ms: float
    waited_p99_ms: float
    over_period: int


class _TimedModel(TFLiteModel):
    """Notes the processor time of the last invoke; takes at least ``least_s`` for each."""

    least_s = 0.0
    cpu_s = 0.0

    def invoke(self, input_tensor: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        start_s, start_cpu_s = time.perf_counter(), time.thread_time()
        scores = super().invoke(input_tensor)
        self.cpu_s = time.thread_time() - start_cpu_s
        if self.least_s:
            time.sleep(max(0.0, self.least_s - (time.perf_counter() - start_s)))
        return scores


class _PromptModel(_TimedModel):
    """Answers at once: one label for a while, then unsure, then another."""

    calls = 0

    def invoke(self, input_tensor: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:  # noqa: ARG002 - the labels are fixed
        scores = np.zeros(self.class_count, np.float32)
        scores[self.calls // 40 % self.class_count] = 20.0 * (self.calls // 100 % 2)
        self.calls += 1
        return scores


class _Repeat:
    """Pixels ``count`` times, 30 times a second of the recording: the first ones for a while, then each in turn."""

    delivery: Delivery = "recording"

    def __init__(self, pixels: Sequence[Pixels], count: int) -> None:
        self._pixels = pixels
        self._count = count

    def frames(self) -> Iterator[Frame]:
        start_s = time.monotonic()
        for number in range(self._count):
            index = max(0, number - _STILL) // _FRAMES_PER_STEP % len(self._pixels)
            yield Frame(self._pixels[index], start_s + number / _CAMERA_HZ, number, "frame")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to let go of."""


def _open(kind: type[_TimedModel], bundle: Path) -> tuple[Classifier, _TimedModel]:
    opened = open_bundle(bundle)
    model = kind(opened.model_path, num_threads=1)
    return Classifier(model, opened.manifest.input, opened.manifest.output, opened), model


def _animal() -> Image:
    """Return a demo photograph of an animal that the built-in bundle knows, at the size of a small stream."""
    entries = json.loads((DEMO_FRAMES / "frames.json").read_text(encoding="utf-8"))
    image = read_image(DEMO_FRAMES / next(entry["file"] for entry in entries if entry["expected"] == _DEMO_ANIMAL))
    return np.asarray(cv2.resize(image, _SMALL_SIZE_PX), np.uint8)


def _layouts(image: Image) -> dict[str, list[Pixels]]:
    """Return an image as OpenCV and as the Raspberry Pi's camera deliver it, and then with a block that wanders."""
    found: dict[str, list[Pixels]] = {"BGR": [], "YUV420": []}
    for step in range(-1, _STEPS):
        moved = image.copy()
        if step >= 0:
            left = step * (image.shape[1] - _BLOCK_PX) // _STEPS
            moved[100 : 100 + _BLOCK_PX, left : left + _BLOCK_PX] = 255 - moved[100 : 100 + _BLOCK_PX, :_BLOCK_PX]
        bgr = np.asarray(cv2.cvtColor(moved, cv2.COLOR_RGB2BGR), np.uint8)
        yuv = np.asarray(cv2.cvtColor(moved, cv2.COLOR_RGB2YUV_I420), np.uint8)
        found["BGR"].append(PackedPixels(bgr, "BGR"))
        found["YUV420"].append(PlanarPixels(yuv, image.shape[1], "I420"))
    return found


def measure_overhead(bundle: Path, frames: int) -> list[OverheadReport]:
    """Time the loop around the model, in all combinations of pixels and motion regions, in turns, with one thread.

    It is processor time, which other work on the machine does not inflate; so the model must run in this thread.

    Args:
        bundle: folder of the bundle.
        frames: of each combination, at least 1.
    """
    cv2.setNumThreads(1)
    classifier, model = _open(_TimedModel, bundle)
    cases = list(itertools.product(_layouts(_animal()).items(), (False, True)))
    loops = [
        watch(
            partial(_Repeat, pixels, _WARMUP + frames),
            classifier,
            LoopSettings(motion=RegionSettings(enabled=motion)),
        )
        for (_, pixels), motion in cases
    ]
    times_s = np.zeros((frames, len(cases), 2))
    for number, (column, loop) in itertools.product(range(-_WARMUP, frames), enumerate(loops)):
        start_s = time.thread_time()
        event = next(loop)
        whole_s = time.thread_time() - start_s
        assert isinstance(event, FrameResult)  # noqa: S101 - the animal never leaves
        if number >= 0:
            times_s[number, column] = model.cpu_s, whole_s - model.cpu_s
    medians_ms = np.median(times_s, axis=0) * 1e3
    ratios = np.median(times_s[..., 1] / times_s[..., 0], axis=0)
    return [
        OverheadReport(name, motion, frames, float(invoke_ms), float(outside_ms), float(ratio))
        for ((name, _), motion), (invoke_ms, outside_ms), ratio in zip(cases, medians_ms, ratios, strict=True)
    ]


def measure_age(bundle: Path, model_s: float, seconds: float) -> list[AgeReport]:
    """Measure how old answers are, from a camera with 30 frames a second under a model that takes ``model_s``."""
    classifier, model = _open(_TimedModel, bundle)
    model.least_s = model_s
    with MjpegServer(stamped(_animal()[..., ::-1]), _CAMERA_HZ) as server:
        return [
            _age_report("trailcam", _watched(server.address, classifier, seconds)),
            _age_report("naive", _naive(server.address, classifier, seconds)),
        ]


def _watched(address: str, classifier: Classifier, seconds: float) -> Iterator[tuple[float, float]]:
    """Yield the age of each answer, and how long its frame waited for the model, in seconds."""
    end_s = time.monotonic() + seconds
    for item in watch(partial(network_source, address), classifier):
        if isinstance(item, FrameResult) and item.answer is not None:
            now_s = time.monotonic()
            yield now_s - read_stamp_s(item.frame.image), (item.age_ms - item.answer.latency_ms) / 1e3
            if now_s > end_s:
                return


def _naive(address: str, classifier: Classifier, seconds: float) -> Iterator[tuple[float, float]]:
    """Run the simplest loop over a capture; frames queue inside OpenCV, and the stamp shows for how long."""
    end_s = time.monotonic() + seconds
    capture = cv2.VideoCapture(address)
    while time.monotonic() < end_s:
        taken, decoded = capture.read()
        if not taken:
            return
        image = np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), np.uint8)
        answer = classifier.classify(image)
        age_s = time.monotonic() - read_stamp_s(image)
        yield age_s, age_s - answer.latency_ms / 1e3
    capture.release()


def _age_report(loop: str, found: Iterator[tuple[float, float]]) -> AgeReport:
    ages_ms, waits_ms = np.array(list(found)).T * 1e3
    p50, p99 = np.percentile(ages_ms, (50, 99))
    waited_p50, waited_p99 = np.percentile(waits_ms, (50, 99))
    return AgeReport(
        loop=loop,
        answers=len(ages_ms),
        p50_ms=float(p50),
        p99_ms=float(p99),
        worst_ms=float(ages_ms.max()),
        last_ms=float(ages_ms[-1]),
        waited_p50_ms=float(waited_p50),
        waited_p99_ms=float(waited_p99),
        over_period=int(np.count_nonzero(waits_ms > 1e3 / _CAMERA_HZ)),
    )


def measure_memory(bundle: Path, frames: int) -> Iterator[tuple[int, float]]:
    """Yield (frame number, resident MB) at eleven places of a watch over ``frames`` frames (at least 10)."""
    classifier, _ = _open(_PromptModel, bundle)
    settings = LoopSettings(motion=RegionSettings(enabled=True))
    wanted = {round(frames * place / (_SAMPLES - 1)) for place in range(1, _SAMPLES)} | {frames // 100}
    number = 0
    for item in watch(lambda: _Repeat(_layouts(_animal())["YUV420"], frames), classifier, settings):
        if isinstance(item, FrameResult):
            number += 1
            if number in wanted:
                yield number, _resident_mb()


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * _PAGE_BYTES / 1e6


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; 1 where the bundle cannot be used."""
    parser = argparse.ArgumentParser(
        prog="python -m trailcam_project.experiments.live_loop", description="Live loop: overhead, age and memory."
    )
    parser.add_argument("what", choices=["overhead", "age", "memory"], help="what to measure")
    parser.add_argument("--bundle", type=Path, default=BUILTIN_BUNDLE, metavar="DIR", help="default: the built-in one")
    parser.add_argument("--frames", type=int, metavar="N", help="default: 300 for overhead, 100000 for memory")
    parser.add_argument("--model-ms", type=float, default=100, metavar="MS", help="age: what the model takes (100)")
    parser.add_argument("--seconds", type=float, default=30, metavar="S", help="age: of each loop (30)")
    arguments = parser.parse_args(argv)
    try:
        if arguments.what == "overhead":
            for cost in measure_overhead(arguments.bundle, arguments.frames or 300):
                print(json.dumps(asdict(cost)))
        elif arguments.what == "age":
            for age in measure_age(arguments.bundle, arguments.model_ms / 1e3, arguments.seconds):
                print(json.dumps(asdict(age)))
        else:
            for frame, resident_mb in measure_memory(arguments.bundle, arguments.frames or 100_000):
                print(json.dumps({"frame": frame, "resident_mb": round(resident_mb, 1)}), flush=True)
    except TrailcamError as error:
        print(f"live_loop: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
