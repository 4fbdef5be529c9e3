"""Stronger runs as teacher: their logits for the very pictures that the student sees, batch by batch.

A teacher looks at the same picture under the same random changes, but fitted to its own input from the original file:
its size and fit may differ from the student's. Where they do not differ, neither does a pixel; where they do, only
added noise and the erased rectangle are drawn per size. Several teachers answer as one, with the mean of their
probabilities.

A teacher costs more than the student it teaches. It can answer a few views of every picture beforehand, which epochs
then take in turn; a stop loses at most the view that was being answered.
"""

import hashlib
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from trailcam_core.datasets.run_directory import Run, SplitRow, read_run
from trailcam_core.errors import TrainError
from trailcam_core.files.atomic import write_file
from trailcam_core.progress import Progress, silent
from trailcam_train.fitting.frozen_features import Stream
from trailcam_train.fitting.leakage import check_learned
from trailcam_train.input.epoch_order import pick, turns
from trailcam_train.input.pipeline import Batch, PictureStream
from trailcam_train.models.build import load_network
from trailcam_train.models.frozen_inference import Forward, freeze_forward
from trailcam_train.recipe.schema import Recipe

__all__ = [
    "ANSWERS_PREFIX",
    "LiveTeacher",
    "StoredTeacher",
    "Teacher",
    "check_teachers",
    "combine",
    "model_digests",
    "open_teacher",
    "read_answers",
]

ANSWERS_PREFIX = "teacher-"  # of the files that hold answers

Floats = npt.NDArray[np.floating[Any]]


class Teacher(Protocol):
    """Gives logits, (N, K), for the batches of a stream of pictures."""

    def epoch(self, number: int) -> Iterator[Floats]:
        """Yield the logits of each batch of epoch ``number``."""

    def view(self, number: int) -> Iterator[Floats]:
        """Yield the logits of view ``number`` of every picture, in the order of the stream's rows."""


@dataclass(frozen=True)
class _Look:
    """What teachers of one input see, and these: each a model and where it has the student's labels, (K,)."""

    stream: PictureStream
    models: tuple[tuple[Forward, list[int]], ...]


class LiveTeacher:
    """Answers each batch when it is asked for; ``looks`` share order and random changes with the student's stream."""

    def __init__(self, looks: Sequence[_Look]) -> None:
        self._looks = tuple(looks)

    def epoch(self, number: int) -> Iterator[Floats]:
        """Yield the logits, (N, K) float32, of each batch of epoch ``number``."""
        return self._answer(lambda stream: stream.epoch(number))

    def view(self, number: int) -> Iterator[Floats]:
        """Yield the logits of view ``number`` of every picture, in the order of the rows."""
        return self._answer(lambda stream: stream.view(number))

    def _answer(self, begin: Callable[[PictureStream], Iterator[Batch]]) -> Iterator[Floats]:
        with ExitStack() as stack:
            seen = [stack.enter_context(closing(begin(look.stream))) for look in self._looks]  # type: ignore[type-var]
            for batches in zip(*seen, strict=True):
                yield combine(
                    [
                        forward(images)[:, columns]
                        for look, (images, _) in zip(self._looks, batches, strict=True)
                        for forward, columns in look.models
                    ]
                )


class StoredTeacher:
    """Repeats answers that were given beforehand; the counterpart of ``FeatureStream``.

    Args:
        pictures: the student's stream, whose order and number of views it follows.
        views: (pictures, K) per view, each in the order of ``pictures.rows``.
    """

    def __init__(self, pictures: Stream, views: Sequence[npt.NDArray[np.float16]]) -> None:
        self._pictures = pictures
        self._views = views

    def epoch(self, number: int) -> Iterator[Floats]:
        """Yield the logits, (N, K) float32, of each batch of epoch ``number``."""
        order, step = self._pictures.order(number), self._pictures.batch_size
        numbers = (number + turns(order)) % len(self._views)
        for start in range(0, len(order), step):
            yield pick(self._views, numbers[start : start + step], order[start : start + step])

    def view(self, number: int) -> Iterator[Floats]:
        """Yield the logits of view ``number`` of every picture, in the order of the rows."""
        for start in range(0, len(self._views[number]), self._pictures.batch_size):
            yield self._views[number][start : start + self._pictures.batch_size].astype(np.float32)


def check_teachers(teacher: str, labels: Sequence[str], rows: Sequence[SplitRow]) -> tuple[Run, ...]:
    """Read the teachers, folders with commas between, and refuse any that cannot teach these labels.

    Raises:
        TrainError: not a run, other labels, or it was trained on pictures that this training keeps for its validation
            or test: it would tell the student about them.
    """
    return tuple(_check_teacher(Path(name.strip()), labels, rows) for name in teacher.split(","))


def open_teacher(
    runs: Sequence[Run], data: Path, rows: Sequence[SplitRow], labels: Sequence[str], recipe: Recipe
) -> LiveTeacher:
    """Return a teacher of the student's training pictures, with its logits in the student's label order.

    Args:
        runs: as ``check_teachers`` gave them; several answer as one.
        data: the data folder.
        rows: the student's training pictures, in its order.
        labels: of the student.
        recipe: of the student: batch size, seed, sampling and augmentation make both see the same.
    """
    looks = []
    for spec in dict.fromkeys(run.input for run in runs):
        stream = PictureStream(
            data,
            rows,
            labels,
            spec,
            recipe.batch_size,
            recipe.seed,
            shuffle=True,
            augmentation=recipe.augmentation,
            sampling=recipe.sampling,
        )
        models = [
            (freeze_forward(load_network(run.model_path)), [run.labels.index(label) for label in labels])
            for run in runs
            if run.input == spec
        ]
        looks.append(_Look(stream, tuple(models)))
    return LiveTeacher(looks)


def read_answers(
    teacher: Teacher, pictures: Stream, count: int, folder: Path, progress: Progress = silent
) -> StoredTeacher:
    """Let a teacher answer ``count`` views of every picture, or take up what an earlier start or phase has left.

    Args:
        teacher: whose answers are wanted.
        pictures: the student's stream.
        count: of views.
        folder: where the answers are kept, as float16, one file per view.
        progress: told of each batch.

    Raises:
        DataError: a picture cannot be read.
        TrainError: the teacher answers with something that is no number.
        OSError: the disk is full; finished views stay.
    """
    views = []
    for view in range(count):
        path = folder / f"{ANSWERS_PREFIX}{view}.npy"
        if not path.exists():
            _write_answers(teacher, pictures, view, path, progress)
        views.append(np.load(path))
    return StoredTeacher(pictures, views)


def combine(answers: Sequence[Floats]) -> Floats:
    """Return one teacher's logits as they are, of several the logarithm of their mean probabilities; all (N, K)."""
    if len(answers) == 1:
        return answers[0]
    scaled = [logits - np.logaddexp.reduce(logits, axis=1, keepdims=True) for logits in answers]
    mean: Floats = np.logaddexp.reduce(np.stack(scaled), axis=0) - np.float32(np.log(len(answers)))
    return mean


def model_digests(runs: Sequence[Run]) -> str:
    """Return the SHA-256 of each run's model, with commas between: a training must end with the teachers it began with.

    Raises:
        OSError: a model cannot be read.
    """
    return ",".join(hashlib.sha256(run.model_path.read_bytes()).hexdigest() for run in runs)


def _check_teacher(path: Path, labels: Sequence[str], rows: Sequence[SplitRow]) -> Run:
    run = read_run(path)
    if set(run.labels) != set(labels):
        only_teacher = sorted(set(run.labels) - set(labels))
        only_here = sorted(set(labels) - set(run.labels))
        raise TrainError(
            f"teacher {path}: it has other labels (only the teacher: {', '.join(only_teacher) or 'none'}; only the "
            f"data: {', '.join(only_here) or 'none'}). Train the teacher on the same classes."
        )
    check_learned(f"teacher {path}", run.pictures("train"), path / "split.csv", rows)
    return run


def _write_answers(teacher: Teacher, pictures: Stream, view: int, path: Path, progress: Progress) -> None:
    given, done = [], 0
    with closing(teacher.view(view)) as batches:  # type: ignore[type-var]
        for logits in batches:
            # Softmax sees only differences; with the largest at zero, float16 is finest where the probability is.
            given.append((logits - logits.max(axis=1, keepdims=True)).astype(np.float16))
            done += len(logits)
            progress("teacher", done, len(pictures.rows), path.stem)
    answers = np.concatenate(given)
    if not np.isfinite(answers).all():
        raise TrainError(
            "the teacher answers some training pictures with something that is no finite number. Look at its report, "
            "and train it again or choose another."
        )
    buffer = io.BytesIO()
    np.save(buffer, answers)
    write_file(path, buffer.getvalue())
