"""A stronger run as teacher: its logits for the very pictures that the student sees, batch by batch.

The teacher looks at the same picture under the same random changes, but fitted to its own input from the original file:
its size and fit may differ from the student's. Only added noise and the erased rectangle are drawn per size.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from trailcam_edge.errors import TrainError
from trailcam_edge.run_directory import Run, SplitRow, read_run
from trailcam_train.fit import Teacher
from trailcam_train.networks import load_network
from trailcam_train.pipeline import PictureStream
from trailcam_train.recipe import Recipe

__all__ = ["check_teacher", "open_teacher"]


def check_teacher(path: Path, labels: Sequence[str], rows: Sequence[SplitRow]) -> Run:
    """Read a teacher and refuse one that cannot teach these labels, or that would tell the student about the test.

    Raises:
        TrainError: not a run, other labels, or it was trained on pictures that this training keeps for its test.
    """
    run = read_run(path)
    if set(run.labels) != set(labels):
        only_teacher = sorted(set(run.labels) - set(labels))
        only_here = sorted(set(labels) - set(run.labels))
        raise TrainError(
            f"teacher {path}: it has other labels (only the teacher: {', '.join(only_teacher) or 'none'}; only the "
            f"data: {', '.join(only_here) or 'none'}). Train the teacher on the same classes."
        )
    learned = {row.sha256 for row in run.pictures("train")}
    leaked = [row for row in rows if row.split != "train" and row.sha256 in learned]
    if leaked:
        raise TrainError(
            f"teacher {path}: it learned from {len(leaked):,} pictures that are for validation or test here, such as "
            f'{leaked[0].file}. Train with its split: "--split {path / "split.csv"}".'
        )
    return run


def open_teacher(run: Run, data: Path, rows: Sequence[SplitRow], labels: Sequence[str], recipe: Recipe) -> Teacher:
    """Return a function from the epoch number to the teacher's logits, (N, K) float32, in the student's label order.

    Args:
        run: as ``check_teacher`` gave it.
        data: the data folder.
        rows: the student's training pictures, in its order.
        labels: of the student.
        recipe: of the student: batch size, seed and augmentation make both see the same.
    """
    model = load_network(run.model_path)
    columns = [run.labels.index(label) for label in labels]
    stream = PictureStream(
        data, rows, labels, run.input, recipe.batch_size, recipe.seed, shuffle=True, augmentation=recipe.augmentation
    )

    def teach(epoch: int) -> Iterator[npt.NDArray[np.floating[Any]]]:
        with closing(stream.epoch(epoch)) as batches:  # type: ignore[type-var]
            for images, _ in batches:
                yield np.asarray(model.predict_on_batch(images), np.float32)[:, columns]

    return teach
