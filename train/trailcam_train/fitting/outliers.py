"""Outliers: pictures of none of the labels that a network is shown in training, so that it learns to be undecided.

They come from the tuning half, see ``trailcam_core.datasets.out_of_distribution``; a copy of a picture of
the other half is left out. What was shown is kept in ``outliers.csv``, so that no later step reports on it.
"""

import hashlib
from pathlib import Path

from trailcam_core.datasets.out_of_distribution import FIT_HALF, REPORT_HALF, group_others
from trailcam_core.datasets.run_directory import SplitRow
from trailcam_core.errors import DataError, SourceError, TrainError
from trailcam_core.images.decode import read_image
from trailcam_core.progress import Progress, silent
from trailcam_core.spec import InputSpec
from trailcam_train.input.pipeline import DecodedCache, PictureStream
from trailcam_train.recipe.schema import Recipe

__all__ = ["check_outliers", "choose_outliers", "outlier_stream"]

_LABEL = "other"  # what a stream calls them; no label of the network
_CACHE_BYTES = 500_000_000  # they come again many times in an epoch


def choose_outliers(root: Path, spec: InputSpec, progress: Progress = silent) -> tuple[SplitRow, ...]:
    """Return the pictures to show, relative to ``root``, with their digests.

    Raises:
        DataError: no such folder, or no readable picture in that half.
    """
    groups = group_others(root)
    total, done = sum(map(len, groups.values())), 0
    shown: list[SplitRow] = []
    reported: set[str] = set()
    for members in groups.values():
        readable = []
        for path in members:
            if _is_readable(path, spec):
                digest = hashlib.sha256(path.read_bytes()).hexdigest()
                readable.append(SplitRow(path.relative_to(root).as_posix(), digest, "train", _LABEL))
            done += 1
            progress("looking at others", done, total)
        shown += readable[FIT_HALF]
        reported |= {row.sha256 for row in readable[REPORT_HALF]}
    chosen = tuple(row for row in shown if row.sha256 not in reported)
    if not chosen:
        raise DataError(f"{root}: no readable picture of others to show in training, expected at least one.")
    return chosen


def check_outliers(rows: tuple[SplitRow, ...], root: Path, spec: InputSpec, progress: Progress = silent) -> None:
    """Refuse to go on when the halves are no longer those that the training began with.

    Raises:
        DataError: no such folder.
        TrainError: pictures were added, removed or changed.
    """
    if choose_outliers(root, spec, progress) != rows:
        raise TrainError(
            f"{root}: pictures were added, removed or changed since this training began, so that others it learned "
            "from would be reported on. Put the folder back as it was, or train again."
        )


def outlier_stream(rows: tuple[SplitRow, ...], root: Path, recipe: Recipe) -> PictureStream:
    """Return a stream of outliers, shuffled and changed at random like the training pictures.

    Its batches are what goes into each step: ``recipe.outliers_per_batch`` pictures; where there are fewer, they come
    several times, each time changed in another way.
    """
    times = -(-recipe.outliers_per_batch // len(rows))
    return PictureStream(
        root,
        rows * times,
        (_LABEL,),
        recipe.input.spec,
        recipe.outliers_per_batch,
        recipe.seed,
        shuffle=True,
        augmentation=recipe.augmentation,
        cache=DecodedCache(_CACHE_BYTES),
    )


def _is_readable(path: Path, spec: InputSpec) -> bool:
    try:
        read_image(path, spec)
    except SourceError:
        return False
    return True
