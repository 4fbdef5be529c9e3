"""How many augmented pictures a second reach the training, three ways in one run.

    python -m trailcam_project.experiments.training_input DATA

    trailcam        PictureStream: threads, reduced decoding, one warp; nothing is cached
    article         Keras' ImageDataGenerator.flow_from_directory, as the article has it; needs scipy and pillow
    keras dataset   image_dataset_from_directory with Keras' augmentation layers on tf.data, parallel and prefetched

All shear by up to 0.2, zoom by up to 0.2, mirror half of the pictures, and give batches of 32 at the same size. The
ways are timed in turns, several rounds, so that a busy machine hurts all alike; the median of each and its ratio to the
article's is given. Every file is read once before, so that no way pays for the disk where another finds it in memory:
what training finds from its second epoch on.
"""

import argparse
import contextlib
import itertools
import json
import math
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from trailcam_core.datasets.run_directory import SplitRow
from trailcam_core.errors import TrailcamError
from trailcam_core.spec import InputSpec
from trailcam_edge.sources import list_pictures
from trailcam_train.input.augmentation import ARTICLE
from trailcam_train.input.epoch_order import EpochOrder
from trailcam_train.input.pipeline import PictureReader, PictureStream

Sizes = Iterator[int]  # pictures in each batch, without end

_BATCH = 32
_SHEAR_DEG = math.degrees(math.atan(ARTICLE.shear))  # what ImageDataGenerator takes for the same lean
_WARMUP_BATCHES = 4


def _trailcam(data: Path, side_px: int) -> Sizes:
    files = [path.relative_to(data).as_posix() for path in list_pictures(data)]
    rows = [SplitRow(file, "", "train", file.split("/")[0]) for file in files]
    labels = sorted({row.label for row in rows})
    reader = PictureReader(data, InputSpec(side_px, side_px, "stretch"), ARTICLE)
    stream = PictureStream(rows, labels, _BATCH, EpochOrder(shuffle=True), reader)
    for number in itertools.count():
        for images, _ in stream.epoch(number):
            yield len(images)


def _article(data: Path, side_px: int) -> Sizes:
    from keras.src.legacy.preprocessing.image import ImageDataGenerator  # its only place since Keras 3

    generator = ImageDataGenerator(
        rescale=1 / 255, shear_range=_SHEAR_DEG, zoom_range=ARTICLE.zoom, horizontal_flip=True
    )
    flow = generator.flow_from_directory(str(data), target_size=(side_px, side_px), batch_size=_BATCH)
    for number in itertools.count():
        yield len(flow[number % len(flow)][0])


def _keras_dataset(data: Path, side_px: int) -> Sizes:
    import keras
    import tensorflow as tf

    dataset = keras.utils.image_dataset_from_directory(
        str(data), image_size=(side_px, side_px), batch_size=_BATCH, seed=0, verbose=False
    )
    change = keras.Sequential(
        [
            keras.layers.RandomFlip("horizontal"),
            keras.layers.RandomShear(x_factor=ARTICLE.shear),
            keras.layers.RandomZoom((-ARTICLE.zoom, ARTICLE.zoom), (-ARTICLE.zoom, ARTICLE.zoom)),
        ]
    )
    changed = dataset.map(lambda images, ids: (change(images, training=True), ids), num_parallel_calls=tf.data.AUTOTUNE)
    for images, _ in changed.repeat().prefetch(tf.data.AUTOTUNE):
        yield int(images.shape[0])


WAYS: dict[str, Callable[[Path, int], Sizes]] = {
    "trailcam": _trailcam,
    "article": _article,
    "keras dataset": _keras_dataset,
}


def measure(sizes: dict[str, Sizes], seconds: float, rounds: int) -> dict[str, float]:
    """Return pictures per second of each way: the median over ``rounds`` of at least ``seconds``, taken in turns."""
    rates: dict[str, list[float]] = {name: [] for name in sizes}
    for _ in range(rounds):
        for name, batches in sizes.items():
            for _ in range(_WARMUP_BATCHES):  # what was prefetched while the others had their turn
                next(batches)
            start, pictures = time.perf_counter(), 0
            while time.perf_counter() - start < seconds:
                pictures += next(batches)
            rates[name].append(pictures / (time.perf_counter() - start))
    return {name: statistics.median(found) for name, found in rates.items()}


def _over_article(rates: dict[str, float]) -> dict[str, float]:
    """Return how many times the article's pictures each other way gives; nothing where the article's is not timed."""
    article = rates.get("article")
    return {name: rate / article for name, rate in rates.items() if name != "article"} if article else {}


def main(argv: list[str] | None = None) -> int:
    """Measure and print; 1 where the data cannot be used."""
    parser = argparse.ArgumentParser(
        prog="python -m trailcam_project.experiments.training_input",
        description="Pictures per second that reach the training, three ways in one run.",
    )
    parser.add_argument("data", type=Path, metavar="DATA", help="folder with one folder of pictures per class")
    parser.add_argument(
        "--px", type=int, nargs="+", default=[128, 299], metavar="N", help="sides of the pictures, in pixels (128 299)"
    )
    parser.add_argument(
        "--ways", nargs="+", choices=list(WAYS), default=list(WAYS), metavar="WAY", help=f"of {', '.join(WAYS)} (all)"
    )
    parser.add_argument("--seconds", type=float, default=5, metavar="S", help="seconds of each turn (5)")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="turns of each way (3)")
    parser.add_argument("--json", action="store_true", help="a JSON object per size instead of a table")
    arguments = parser.parse_args(argv)
    found: dict[int, dict[str, float]] = {}
    try:
        for path in list_pictures(arguments.data):
            path.read_bytes()
        with contextlib.redirect_stdout(sys.stderr):  # Keras' loaders print the number of pictures
            for side_px in arguments.px:
                sizes = {name: WAYS[name](arguments.data, side_px) for name in arguments.ways}
                found[side_px] = measure(sizes, arguments.seconds, arguments.rounds)
    except TrailcamError as error:
        print(f"training_input: {error}", file=sys.stderr)
        return 1
    if arguments.json:
        for side_px, rates in found.items():
            ratios = {f"{name} x article": ratio for name, ratio in _over_article(rates).items()}
            print(json.dumps({"px": side_px} | rates | ratios))
        return 0
    for side_px, rates in found.items():
        ratios = _over_article(rates)
        for name, rate in rates.items():
            ratio = f"  {ratios[name]:.1f} times the article's way" if name in ratios else ""
            print(f"{side_px:>4} px  {name:<14}{rate:>8,.0f} pictures/s{ratio}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
