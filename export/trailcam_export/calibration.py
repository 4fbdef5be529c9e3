"""The pictures that set the ranges of an int8 model: from the training split only, and it cannot be otherwise.

Ranges taken from test pictures would make the measured drift look better than it is in the field. So the pictures
travel as a ``CalibrationSet``, which refuses any other split.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path

import numpy as np

from trailcam_edge.errors import ExportError
from trailcam_edge.manifest import InputSpec
from trailcam_edge.preprocessing import Image
from trailcam_edge.progress import Progress, silent
from trailcam_edge.run_directory import Run, SplitRow
from trailcam_export.pictures import fit_file

__all__ = ["CALIBRATION_COUNT", "CalibrationSet", "choose_calibration"]

# Enough for the ranges to settle, few enough to take a minute. Source: the TensorFlow Lite guide to post-training
# quantisation asks for "around 100-500 samples".
CALIBRATION_COUNT = 200


@dataclass(frozen=True)
class CalibrationSet:
    """Rows of the training split.

    Raises:
        ValueError: a row of another split.
    """

    rows: tuple[SplitRow, ...]

    def __post_init__(self) -> None:
        foreign = [row for row in self.rows if row.split != "train"]
        if foreign:
            raise ValueError(f"{foreign[0].file} is of the {foreign[0].split} split; calibration may see train only")

    def stream(self, data: Path, spec: InputSpec, progress: Progress = silent) -> Iterator[Image]:
        """Give the pictures one at a time as (spec.height, spec.width, 3) uint8 RGB.

        Raises:
            SourceError: a picture cannot be read.
        """
        for done, row in enumerate(self.rows, start=1):
            yield fit_file(data / row.file, spec)
            progress("calibrating int8", done, len(self.rows))


def choose_calibration(run: Run, count: int = CALIBRATION_COUNT, seed: int = 0) -> CalibrationSet:
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
    return CalibrationSet(tuple(chosen))
