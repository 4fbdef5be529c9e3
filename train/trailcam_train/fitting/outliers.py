"""Outliers: out-of-distribution images that a network sees in training, so that it learns to be undecided about them.

They come from the tuning half of ``trailcam_core.datasets.out_of_distribution``; a copy of an image of the evaluation
half is left out. ``outliers.csv`` keeps the list, so that no later step evaluates on them.
"""

from pathlib import Path

from trailcam_core.datasets.out_of_distribution import EVALUATION_HALF, TUNING_HALF, list_ood_images
from trailcam_core.datasets.run_directory import SplitRow
from trailcam_core.errors import DataError, SourceError, TrainError
from trailcam_core.files.digest import file_sha256
from trailcam_core.images.decode import read_image
from trailcam_core.progress import Progress, silent
from trailcam_core.spec import InputSpec
from trailcam_train.fitting.streams import OUTLIER_LABEL

__all__ = ["check_outliers", "choose_outliers"]


def choose_outliers(root: Path, spec: InputSpec, progress: Progress = silent) -> tuple[SplitRow, ...]:
    """Return the images to show in training, relative to ``root``, with their digests.

    Raises:
        DataError: no such folder, or no readable picture in that half.
    """
    groups = list_ood_images(root)
    total, done = sum(map(len, groups.values())), 0
    shown: list[SplitRow] = []
    reported: set[str] = set()
    for members in groups.values():
        readable = []
        for path in members:
            if _is_readable(path, spec):
                digest = file_sha256(path)
                readable.append(SplitRow(path.relative_to(root).as_posix(), digest, "train", OUTLIER_LABEL))
            done += 1
            progress("reading others", done, total)
        shown += readable[TUNING_HALF]
        reported |= {row.sha256 for row in readable[EVALUATION_HALF]}
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


def _is_readable(path: Path, spec: InputSpec) -> bool:
    try:
        read_image(path, spec)
    except SourceError:
        return False
    return True
