"""Outliers: out-of-distribution images that a network sees in training, so that it learns to be undecided about them.

They come from the tuning half of ``trailcam_core.datasets.out_of_distribution``; a copy of an image of the evaluation
half is left out. ``outliers.csv`` keeps the list, so that no later step evaluates on them.
"""

from pathlib import Path

from trailcam_core.datasets.out_of_distribution import EVALUATION_HALF, TUNING_HALF, find_readable_images
from trailcam_core.datasets.run_directory import SplitRow
from trailcam_core.errors import DataError, TrainError
from trailcam_core.files.digest import file_sha256
from trailcam_core.jobs.progress import Progress, silent
from trailcam_core.spec import InputSpec
from trailcam_train.fitting.streams import OUTLIER_LABEL


def choose_outliers(root: Path, spec: InputSpec, progress: Progress = silent) -> tuple[SplitRow, ...]:
    """Return the images to show in training, relative to ``root``, with their digests.

    Raises:
        DataError: no such folder, or no readable picture in that half.
    """
    shown: list[SplitRow] = []
    reported: set[str] = set()
    for members in find_readable_images(root, spec, progress)[0].values():
        shown += [
            SplitRow(path.relative_to(root).as_posix(), file_sha256(path), "train", OUTLIER_LABEL)
            for path in members[TUNING_HALF]
        ]
        reported |= {file_sha256(path) for path in members[EVALUATION_HALF]}
    chosen = tuple(row for row in shown if row.sha256 not in reported)
    if not chosen:
        raise DataError(f"{root}: no readable picture of others to show in training, expected at least one.")
    return chosen


def check_outliers(rows: tuple[SplitRow, ...], root: Path, spec: InputSpec, progress: Progress = silent) -> None:
    """Refuse to resume if the halves have changed since the training began.

    Raises:
        DataError: no such folder.
        TrainError: pictures were added, removed or changed.
    """
    if choose_outliers(root, spec, progress) != rows:
        raise TrainError(
            f"{root}: pictures were added, removed or changed since this training began, so that others it learned "
            "from would be reported on. Put the folder back as it was, or train again."
        )
