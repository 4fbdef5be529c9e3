"""The images that set the ranges of an integer model: of the training split, and frames from the field.

Ranges from test images would make the measured drift optimistic. A ``CalibrationSet`` therefore refuses any other
split, and every candidate is first compared with the test and validation images: equal files and near-duplicates are
excluded.

    pool     training images, equally many of each label, in a seeded random order
    checks   usable for calibration (``image_checks``), no near-duplicate of a validation or test image
    spread   of each label the images with the largest distances in the model's features: an image similar to one that
             is selected already adds no range

``docs/calibration.md`` has the measurements behind number and selection.
"""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path

import numpy as np
import numpy.typing as npt

from trailcam_core.datasets.run_directory import Run, SplitRow
from trailcam_core.errors import ExportError
from trailcam_core.images.resize import Image
from trailcam_core.jobs.progress import Progress, silent
from trailcam_core.spec import InputSpec
from trailcam_export.inference.batches import fit_file

CALIBRATION_COUNT = 100
POOL_FACTOR = 4  # candidates for each selected image
_HEADER = ["file", "sha256", "source"]


@dataclass(frozen=True)
class FieldFrame:
    """A frame that a camera saved: its path, the SHA-256 of its bytes."""

    path: Path
    sha256: str


@dataclass(frozen=True)
class CalibrationSet:
    """Rows of the training split, followed by frames from the field.

    Raises:
        ValueError: a row of another split.
    """

    rows: tuple[SplitRow, ...]
    frames: tuple[FieldFrame, ...] = ()

    def __post_init__(self) -> None:
        foreign = [row for row in self.rows if row.split != "train"]
        if foreign:
            raise ValueError(f"{foreign[0].file} is of the {foreign[0].split} split; calibration may see train only")

    def __len__(self) -> int:
        return len(self.rows) + len(self.frames)

    def stream(
        self, data: Path, spec: InputSpec, progress: Progress = silent, stage: str = "calibrating"
    ) -> Iterator[Image]:
        """Yield the images one at a time as (spec.height, spec.width, 3) uint8 RGB.

        Raises:
            SourceError: a picture cannot be read.
        """
        paths = [*(data / row.file for row in self.rows), *(frame.path for frame in self.frames)]
        for done, path in enumerate(paths, start=1):
            yield fit_file(path, spec)
            progress(stage, done, len(paths))

    def to_csv(self) -> bytes:
        """Return ``calibration.csv``: file, SHA-256, ``train`` or ``field``."""
        buffer = io.StringIO(newline="")
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(_HEADER)
        writer.writerows([row.file, row.sha256, "train"] for row in self.rows)
        writer.writerows([frame.path.name, frame.sha256, "field"] for frame in self.frames)
        return buffer.getvalue().encode("utf-8")


def choose_pool(run: Run, count: int, seed: int = 0) -> tuple[SplitRow, ...]:
    """Choose ``count`` training images, equally many of each label, in a random order that ``seed`` defines.

    Labels with few images contribute all of them and the others fill the rest. With fewer training images than
    ``count`` all are chosen.

    Raises:
        ExportError: the run has no training picture.
    """
    random = np.random.default_rng(seed)
    piles = []
    for label in run.labels:
        rows = [row for row in run.pictures("train") if row.label == label]
        piles.append([rows[position] for position in random.permutation(len(rows))])
    rounds = chain.from_iterable(zip_longest(*piles))  # one of each label, then the next of each label, ...
    chosen = [row for row in rounds if row is not None][:count]
    if not chosen:
        raise ExportError(f"{run.path}: split.csv lists no training picture, and int8 needs some to find its ranges.")
    return tuple(chosen)


def select_diverse(labels: Sequence[str], features: npt.NDArray[np.float32], count: int) -> list[int]:
    """Return the positions of ``count`` of N images, balanced over labels and with the largest distances per label.

    The first of a label is the one nearest to the mean of its label, each next the one farthest from all selected
    before (farthest-point sampling). With N up to ``count`` all are selected.

    Args:
        labels: N, one per picture.
        features: (N, F) of the model.
        count: at least 1.

    Source: Gonzalez, "Clustering to minimize the maximum intercluster distance", 1985.
    """
    piles = []
    for label in dict.fromkeys(labels):
        positions = np.array([position for position, own in enumerate(labels) if own == label])
        piles.append([int(positions[turn]) for turn in _farthest_first(features[positions], count)])
    rounds = chain.from_iterable(zip_longest(*piles))
    return [position for position in rounds if position is not None][:count]


def _farthest_first(features: npt.NDArray[np.float32], count: int) -> list[int]:
    distance = ((features - features.mean(axis=0)) ** 2).sum(axis=1)  # (N,)
    order = [int(distance.argmin())]
    distance = np.full(len(features), np.inf)
    while len(order) < min(count, len(features)):
        distance = np.minimum(distance, ((features - features[order[-1]]) ** 2).sum(axis=1))
        distance[order] = -1.0  # selected, also if two images have equal features
        order.append(int(distance.argmax()))
    return order
