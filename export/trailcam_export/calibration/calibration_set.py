"""The pictures that set the ranges of an integer model: of the training split, and frames from the field.

Ranges taken from test pictures would make the measured drift look better than it is in the field. So the pictures
travel as a ``CalibrationSet``, which refuses any other split, and every candidate is compared with the test and
validation pictures first: equal bytes and near-duplicates may not be in it.

    pool     as many training pictures of each label as there are, by chance that a seed fixes
    checks   fit to calibrate (``picture_check``), no near-duplicate of a validation or test picture
    spread   of each label the pictures that lie farthest apart, as the trained model sees them: a picture like one
             that is in already adds no range

How many, and what the spread is worth: ``docs/calibration.md``.
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
from trailcam_core.progress import Progress, silent
from trailcam_core.spec import InputSpec
from trailcam_export.inference.batches import fit_file

__all__ = ["CALIBRATION_COUNT", "POOL_FACTOR", "CalibrationSet", "FieldFrame", "choose_pool", "select_diverse"]

CALIBRATION_COUNT = 100
POOL_FACTOR = 4  # candidates for each picture that is taken: room to spread
_HEADER = ["file", "sha256", "source"]


@dataclass(frozen=True)
class FieldFrame:
    """A frame that a camera saved: its path, the SHA-256 of its bytes."""

    path: Path
    sha256: str


@dataclass(frozen=True)
class CalibrationSet:
    """Rows of the training split, and frames from the field behind them.

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
        """Give the pictures one at a time as (spec.height, spec.width, 3) uint8 RGB.

        Raises:
            SourceError: a picture cannot be read.
        """
        paths = [*(data / row.file for row in self.rows), *(frame.path for frame in self.frames)]
        for done, path in enumerate(paths, start=1):
            yield fit_file(path, spec)
            progress(stage, done, len(paths))

    def to_csv(self) -> bytes:
        """Return the list as it is kept beside the bundles: file, SHA-256, ``train`` or ``field``."""
        buffer = io.StringIO(newline="")
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(_HEADER)
        writer.writerows([row.file, row.sha256, "train"] for row in self.rows)
        writer.writerows([frame.path.name, frame.sha256, "field"] for frame in self.frames)
        return buffer.getvalue().encode("utf-8")


def choose_pool(run: Run, count: int, seed: int = 0) -> tuple[SplitRow, ...]:
    """Choose ``count`` training pictures, as many of each label as there are, by chance that ``seed`` fixes.

    Labels with few pictures give all of theirs and the others make up for it. With fewer training pictures than
    ``count`` all are taken.

    Raises:
        ExportError: the run has no training picture.
    """
    random = np.random.default_rng(seed)
    piles = []
    for label in run.labels:
        rows = [row for row in run.pictures("train") if row.label == label]
        piles.append([rows[place] for place in random.permutation(len(rows))])
    rounds = chain.from_iterable(zip_longest(*piles))  # one of each label, then the next of each label, ...
    chosen = [row for row in rounds if row is not None][:count]
    if not chosen:
        raise ExportError(f"{run.path}: split.csv lists no training picture, and int8 needs some to find its ranges.")
    return tuple(chosen)


def select_diverse(labels: Sequence[str], features: npt.NDArray[np.float32], count: int) -> list[int]:
    """Return the places of ``count`` of N pictures, balanced over labels and of each label the farthest apart.

    The first of a label is the one nearest to the mean of its label, each next the one farthest from all that were
    taken before (farthest-point sampling). With N up to ``count`` all are taken.

    Args:
        labels: N, one per picture.
        features: (N, F), how the model sees the pictures.
        count: at least 1.

    Source: Gonzalez, "Clustering to minimize the maximum intercluster distance", 1985.
    """
    piles = []
    for label in dict.fromkeys(labels):
        places = np.array([place for place, own in enumerate(labels) if own == label])
        piles.append([int(places[turn]) for turn in _farthest_first(features[places], count)])
    rounds = chain.from_iterable(zip_longest(*piles))
    return [place for place in rounds if place is not None][:count]


def _farthest_first(features: npt.NDArray[np.float32], count: int) -> list[int]:
    distance = ((features - features.mean(axis=0)) ** 2).sum(axis=1)  # (N,)
    order = [int(distance.argmin())]
    distance = np.full(len(features), np.inf)
    while len(order) < min(count, len(features)):
        distance = np.minimum(distance, ((features - features[order[-1]]) ** 2).sum(axis=1))
        distance[order] = -1.0  # taken, also where two pictures look the same
        order.append(int(distance.argmax()))
    return order
