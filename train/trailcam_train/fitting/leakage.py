"""Leakage check: refuse weights or teachers that were trained on validation or test pictures of this training."""

from collections.abc import Sequence
from pathlib import Path

from trailcam_core.datasets.run_directory import SplitRow, read_split
from trailcam_core.errors import DataError, TrainError
from trailcam_train.recipe.schema import EARLIER_WEIGHTS


def check_leakage(what: str, learned: Sequence[SplitRow], split: Path, rows: Sequence[SplitRow]) -> None:
    """Refuse a model that was trained on validation or test pictures.

    Args:
        what: the model, for the message.
        learned: its training pictures; pictures are compared by digest.
        split: its ``split.csv``, for the message.
        rows: of this training.

    Raises:
        TrainError: there are such pictures.
    """
    digests = {row.sha256 for row in learned}
    leaked = [row for row in rows if row.split != "train" and row.sha256 in digests]
    if leaked:
        raise TrainError(
            f"{what}: it learned from {len(leaked):,} pictures that are for validation or test here, such as "
            f'{leaked[0].file}. Train with its split: "--split {split}".'
        )


def check_weights(weights: str, rows: Sequence[SplitRow]) -> None:
    """Refuse weights of a run, finished or not, that was trained on validation or test pictures.

    A file outside any run has an unknown origin and is accepted.

    Raises:
        TrainError: there are such pictures, or the run's split cannot be read.
    """
    split = Path(weights).parent / "split.csv"
    if weights in ("none", "imagenet", EARLIER_WEIGHTS) or not split.is_file():
        return
    try:
        learned = [row for row in read_split(split) if row.split == "train"]
    except DataError as error:
        raise TrainError(f"weights {weights}: the training pictures of that run are unknown. {error}") from error
    check_leakage(f"weights {weights}", learned, split, rows)
