"""Cost of resize rules, and the predictions that they change: the figures of ``docs/adr/0005-resize-rule.md``.

    python -m trailcam_project.experiments.resize_rules --model MODEL.tflite ... --frames FOLDER ...

Five ways from a camera frame to a model's input, all of the same region (the centre, cropped to a square), one thread:

    bilinear         one bilinear step, which reads 2x2 pixels per output pixel
    area             the mean of all pixels that an output pixel covers: the reference
    whole_factor     the mean over whole blocks first, by the largest whole factor, then bilinear
    halve            the product's rule, ``fit_image``: halve while it stays large enough, then bit-exact bilinear
    halve_inexact    the same with OpenCV's ordinary bilinear, which another processor may round otherwise

Costs are processor time of the one thread, so that others on the machine do not count, taken in turns; the median is
given, as a ratio to ``bilinear``.

Answers are those of real models on real frames: pictures below ``--frames`` (small ones are enlarged until their
shorter side has 480 px) and frames of the videos there. Two counts: on how many frames another class is best than under
``area``, and on how many the best class changes when the frame moves by one pixel, which is what aliasing does to a
camera.
"""

import argparse
import itertools
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from trailcam_core.errors import TrailcamError
from trailcam_core.images.decode import read_image
from trailcam_core.images.resize import Image, fit_image, plan_geometry
from trailcam_core.inference.tflite import TFLiteModel
from trailcam_core.spec import InputSpec
from trailcam_edge.sources import VideoSource, list_pictures

Rule = Callable[[Image, InputSpec], Image]

FRAME_SIZES_PX = ((640, 480), (1920, 1080))
INPUT_SIDES_PX = (128, 160, 224)
_SMALLEST_SIDE_PX = 480
_FRAMES_PER_VIDEO = 30
_FRAME_STEP = 10
_NOISE_LEVELS = (0, 8)  # standard deviation: as they are, and as from a small camera at dusk
_VIDEO_SUFFIXES = frozenset({".avi", ".mp4"})


@dataclass(frozen=True)
class Answers:
    """Of how many frames the best class is another one than under ``area``, or changes when the frame moves by 1 px."""

    changed: int
    flipped: int


def _region(image: Image, spec: InputSpec) -> Image:
    plan = plan_geometry(image.shape[0], image.shape[1], spec)
    return image[plan.top : plan.top + plan.region_height, plan.left : plan.left + plan.region_width]


def _resize(image: Image, height: int, width: int, interpolation: int) -> Image:
    return np.asarray(cv2.resize(image, (width, height), interpolation=interpolation), np.uint8)


def _bilinear(image: Image, spec: InputSpec) -> Image:
    return _resize(_region(image, spec), spec.height, spec.width, cv2.INTER_LINEAR)


def _area(image: Image, spec: InputSpec) -> Image:
    return _resize(_region(image, spec), spec.height, spec.width, cv2.INTER_AREA)


def _whole_factor(image: Image, spec: InputSpec) -> Image:
    region = _region(image, spec)
    rows, columns = max(1, region.shape[0] // spec.height), max(1, region.shape[1] // spec.width)
    height, width = region.shape[0] // rows, region.shape[1] // columns
    blocks = _resize(region[: height * rows, : width * columns], height, width, cv2.INTER_AREA)
    return _resize(blocks, spec.height, spec.width, cv2.INTER_LINEAR)


def _halve_inexact(image: Image, spec: InputSpec) -> Image:
    plan = plan_geometry(image.shape[0], image.shape[1], spec)
    halved = _region(image, spec)
    for _ in range(plan.row_halvings):
        halved = _resize(halved, halved.shape[0] // 2, halved.shape[1] // 2, cv2.INTER_AREA)
    return _resize(halved, spec.height, spec.width, cv2.INTER_LINEAR)


RULES: dict[str, Rule] = {
    "bilinear": _bilinear,
    "area": _area,
    "whole_factor": _whole_factor,
    "halve": fit_image,
    "halve_inexact": _halve_inexact,
}


def measure_costs(image: Image, spec: InputSpec, rounds: int) -> tuple[float, dict[str, float]]:
    """Time every rule on one frame, in turns.

    Args:
        image: (H, W, 3) uint8 RGB frame.
        spec: the input to make of it; its ``fit`` is ``crop``.
        rounds: how often, at least 1.

    Returns:
        The median time of ``bilinear`` in milliseconds, and the ratio of each rule's median to it.
    """
    times_s = np.zeros((rounds, len(RULES)))
    for rule in RULES.values():
        rule(image, spec)
    for turn in range(rounds):
        for column, rule in enumerate(RULES.values()):
            start = time.thread_time()
            rule(image, spec)
            times_s[turn, column] = time.thread_time() - start
    medians_s = np.median(times_s, axis=0)
    return float(medians_s[0]) * 1e3, dict(zip(RULES, map(float, medians_s / medians_s[0]), strict=True))


def measure_invoke_ms(model: TFLiteModel, rounds: int) -> float:
    """Return the median time of one ``invoke`` in milliseconds."""
    tensor = np.zeros(model.input.shape, np.uint8)
    times_s = []
    for _ in range(rounds):
        start = time.thread_time()
        model.invoke(tensor)
        times_s.append(time.thread_time() - start)
    return float(np.median(times_s)) * 1e3


def compare_answers(model: TFLiteModel, images: list[Image]) -> dict[str, Answers]:
    """HostReport at the best class of every image under every rule.

    Args:
        model: any classifier.
        images: (H, W, 3) uint8 RGB each, at least 2 px wide.
    """
    spec = InputSpec(*model.input_size, "crop")
    changed, flipped = dict.fromkeys(RULES, 0), dict.fromkeys(RULES, 0)
    for image in images:
        best = {name: _best(model, rule(image[:, :-1], spec)) for name, rule in RULES.items()}
        for name, rule in RULES.items():
            changed[name] += best[name] != best["area"]
            flipped[name] += best[name] != _best(model, rule(image[:, 1:], spec))
    return {name: Answers(changed[name], flipped[name]) for name in RULES}


def _best(model: TFLiteModel, fitted: Image) -> int:
    return int(model.invoke(np.ascontiguousarray(fitted)[None]).argmax())


def read_frames(folder: Path, limit: int) -> list[Image]:
    """Read pictures below ``folder``, at most ``limit`` evenly spread over its files, and some frames of each video.

    Raises:
        SourceError: the folder holds no picture, or a file of it cannot be read.
    """
    images = []
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in _VIDEO_SUFFIXES:
            with VideoSource(path) as video:
                taken = itertools.islice(video.frames(), 0, _FRAMES_PER_VIDEO * _FRAME_STEP, _FRAME_STEP)
                images += [frame.image for frame in taken]
    paths = list_pictures(folder)
    return images + [_enlarged(read_image(path)) for path in paths[:: -(-len(paths) // limit)]]


def _enlarged(image: Image) -> Image:
    scale = _SMALLEST_SIDE_PX / min(image.shape[:2])
    if scale <= 1:
        return image
    return _resize(image, round(image.shape[0] * scale), round(image.shape[1] * scale), cv2.INTER_CUBIC)


def _cost_table(models: list[TFLiteModel], rounds: int) -> Iterator[str]:
    """Yield the lines of the table of costs: milliseconds of ``bilinear``, the other rules as ratios to it."""
    noise = np.random.default_rng(0).integers(0, 256, (1080, 1920, 3), dtype=np.uint8)
    yield f"| frame | input | bilinear, ms | {' | '.join(RULES)} |"
    yield f"|---|---|{'---|' * (len(RULES) + 1)}"
    for width, height in FRAME_SIZES_PX:
        for side in INPUT_SIDES_PX:
            frame = np.ascontiguousarray(noise[:height, :width])
            bilinear_ms, ratios = measure_costs(frame, InputSpec(side, side, "crop"), rounds)
            cells = " | ".join(f"{ratio:.1f}" for ratio in ratios.values())
            yield f"| {width}x{height} | {side} | {bilinear_ms:.3f} | {cells} |"
    for model in models:
        side = model.input_size[0]
        yield f"\n{model.path.name}, {side} px: {measure_invoke_ms(model, rounds):.2f} ms per invoke"


def _answer_table(models: list[TFLiteModel], folders: list[Path], limit: int) -> Iterator[str]:
    """Yield the lines of the table of answers: of n frames, changed against ``area`` / flipped by one pixel."""
    yield f"| frames | n | noise | model | {' | '.join(RULES)} |"
    yield f"|---|---|---|---|{'---|' * len(RULES)}"
    random = np.random.default_rng(0)
    for folder in folders:
        images = read_frames(folder, limit)
        for noise in _NOISE_LEVELS:
            noisy = [_with_noise(image, noise, random) for image in images]
            for model in models:
                found = compare_answers(model, noisy).values()
                cells = " | ".join(f"{answers.changed} / {answers.flipped}" for answers in found)
                yield f"| {folder.name} | {len(images)} | {noise} | {model.path.stem} | {cells} |"


def _with_noise(image: Image, level: int, random: np.random.Generator) -> Image:
    noise = random.normal(0, level, image.shape) if level else 0.0
    return np.asarray(np.clip(image + noise, 0, 255), np.uint8)


def main(arguments: list[str] | None = None) -> int:
    """Print the tables of the record."""
    parser = argparse.ArgumentParser(
        prog="python -m trailcam_project.experiments.resize_rules",
        description="What a resize rule costs, and how many answers it changes.",
    )
    parser.add_argument("--model", type=Path, action="append", default=[], help="TFLite classifier; may be repeated")
    parser.add_argument("--frames", type=Path, action="append", default=[], help="folder of pictures and videos")
    parser.add_argument("--limit", type=int, default=150, help="pictures per folder (150)")
    parser.add_argument("--rounds", type=int, default=200, help="timings per figure (200)")
    chosen = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    try:
        models = [TFLiteModel(path) for path in chosen.model]
        for line in _cost_table(models, chosen.rounds):
            print(line, flush=True)
        print()
        for line in _answer_table(models, chosen.frames, chosen.limit):
            print(line, flush=True)
    except TrailcamError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
