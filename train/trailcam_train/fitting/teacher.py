"""Stronger runs as teachers: their logits for the pictures that the student sees, batch by batch.

A teacher sees the same picture under the same random changes, fitted to its own input from the original file; its size
and fit may differ from the student's. With equal inputs the pixels are equal; otherwise only added noise and the erased
rectangle are drawn per size. Several teachers are combined by the mean of their probabilities. Where a recipe asks for
features, those of all teachers follow the logits.

A teacher costs more than its student. It can answer a few views of every picture in advance, which epochs then
alternate; an interruption loses at most the view in progress.
"""

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
from trailcam_core.files.digest import file_sha256
from trailcam_core.files.keras_weights import prove_weights
from trailcam_core.jobs.progress import Progress, silent
from trailcam_train.fitting.feature_distillation import show_features
from trailcam_train.fitting.frozen_features import Stream
from trailcam_train.fitting.gather import gather_rows, on_all_hosts
from trailcam_train.fitting.leakage import check_leakage
from trailcam_train.fitting.streams import training_stream
from trailcam_train.input.epoch_order import gather_views, repeat_counts
from trailcam_train.input.pipeline import Batch, PictureStream
from trailcam_train.models.frozen_inference import InferenceFunction, compile_inference
from trailcam_train.models.runtime import load_network
from trailcam_train.recipe.schema import Recipe

TEACHER_PREFIX = "teacher-"  # of the files that hold answers

Floats = npt.NDArray[np.floating[Any]]


class Teacher(Protocol):
    """Gives answers, (N, K + D), for the batches of a stream of pictures: logits, then D features, none as a rule."""

    def epoch(self, number: int) -> Iterator[Floats]:
        """Yield the answers for each batch of epoch ``number``."""

    def view(self, number: int) -> Iterator[Floats]:
        """Yield the answers for view ``number`` of every picture, in the order of the rows; this host's part."""


@dataclass(frozen=True)
class _TeacherInput:
    """The stream of one input size, and its teachers: each a model and the columns of the student's labels, (K,)."""

    stream: PictureStream
    models: tuple[tuple[InferenceFunction, list[int]], ...]


class LiveTeacher:
    """Answers each batch on demand; ``inputs`` share order and random changes with the student's stream.

    Args:
        inputs: of the teachers.
        features: D, of all teachers together.
    """

    def __init__(self, inputs: Sequence[_TeacherInput], features: int = 0) -> None:
        self._inputs = tuple(inputs)
        self.features = features

    def epoch(self, number: int) -> Iterator[Floats]:
        """Yield the answers, (N, K + D) float32, for each batch of epoch ``number``."""
        return self._answer(lambda stream: stream.epoch(number))

    def view(self, number: int) -> Iterator[Floats]:
        """Yield the answers for view ``number`` of every picture, in the order of the rows."""
        return self._answer(lambda stream: stream.view(number))

    def _answer(self, begin: Callable[[PictureStream], Iterator[Batch]]) -> Iterator[Floats]:
        with ExitStack() as stack:
            seen = [stack.enter_context(closing(begin(item.stream))) for item in self._inputs]  # type: ignore[type-var]
            for batches in zip(*seen, strict=True):
                given = [
                    (forward(images), columns)
                    for item, (images, _) in zip(self._inputs, batches, strict=True)
                    for forward, columns in item.models
                ]
                logits = combine_teachers([answers[:, columns] for answers, columns in given])
                yield np.concatenate([logits, *(answers[:, len(columns) :] for answers, columns in given)], axis=1)


class StoredTeacher:
    """Repeats stored answers; the counterpart of ``FeatureStream``.

    Args:
        pictures: the student's stream, whose order and number of views it follows.
        views: (pictures, K + D) per view, each in the order of ``pictures.rows``.
    """

    def __init__(self, pictures: Stream, views: Sequence[npt.NDArray[np.float16]]) -> None:
        self._pictures = pictures
        self._views = views

    def epoch(self, number: int) -> Iterator[Floats]:
        """Yield the answers, (N, K + D) float32, for each batch of epoch ``number``."""
        order, step = self._pictures.order(number), self._pictures.batch_size
        numbers = (number + repeat_counts(order)) % len(self._views)
        for start in range(0, len(order), step):
            part = self._pictures.share.within(start, min(len(order), start + step))
            yield gather_views(self._views, numbers[part], order[part])

    def view(self, number: int) -> Iterator[Floats]:
        """Yield the answers for view ``number`` of every picture, in the order of the rows."""
        count, step = len(self._views[number]), self._pictures.batch_size
        for start in range(0, count, step):
            yield self._views[number][self._pictures.share.within(start, min(count, start + step))].astype(np.float32)


def check_teachers(teacher: str, labels: Sequence[str], rows: Sequence[SplitRow]) -> tuple[Run, ...]:
    """Read the teachers, folders separated by commas, and refuse any that cannot teach these labels.

    Raises:
        TrainError: not a run, other labels, or trained on validation or test pictures of this training, which would
            leak to the student.
    """
    return tuple(_check_teacher(Path(name.strip()), labels, rows) for name in teacher.split(","))


def open_teacher(
    runs: Sequence[Run], data: Path, rows: Sequence[SplitRow], labels: Sequence[str], recipe: Recipe
) -> LiveTeacher:
    """Return a teacher of the student's training pictures, with its logits in the student's label order.

    Raises:
        TrainError: a model cannot be read, or has no features that a recipe with ``distillation.features`` asks for.

    Args:
        runs: as ``check_teachers`` returned them; several are combined.
        data: the data folder.
        rows: the student's training pictures, in its order.
        labels: of the student.
        recipe: of the student; batch size, seed, sampling and augmentation are shared.
    """
    inputs, features = [], 0
    for run in runs:
        prove_weights(run.model_path, TrainError)
    for spec in dict.fromkeys(run.input for run in runs):
        models = []
        for run in runs:
            if run.input == spec:
                network = load_network(run.model_path)
                if recipe.distillation.features:
                    network = show_features(network)
                    features += network.output_shape[1] - len(labels)
                models.append((compile_inference(network), [run.labels.index(label) for label in labels]))
        inputs.append(_TeacherInput(training_stream(recipe, rows, labels, data, spec), tuple(models)))
    return LiveTeacher(inputs, features)


def cache_teacher_answers(
    teacher: Teacher, pictures: Stream, count: int, classes: int, folder: Path, progress: Progress = silent
) -> StoredTeacher:
    """Store a teacher's answers for ``count`` views of every picture; views stored before are read.

    Args:
        teacher: the teacher.
        pictures: the student's stream.
        count: number of views.
        classes: K, the number of its logits; features follow them.
        folder: of the stored answers, float16, one file per view.
        progress: receives each batch.

    Raises:
        DataError: a picture cannot be read.
        TrainError: the teacher's answers are not finite.
        OSError: the disk is full; finished views stay.
    """
    views = []
    for view in range(count):
        path = folder / f"{TEACHER_PREFIX}{view}.npy"
        if not on_all_hosts(path.exists()):
            _write_answers(teacher, pictures, view, classes, path, progress)
        views.append(np.load(path))
    return StoredTeacher(pictures, views)


def combine_teachers(answers: Sequence[Floats]) -> Floats:
    """Return the logits of one teacher, or the logarithm of the mean probabilities of several; all (N, K)."""
    if len(answers) == 1:
        return answers[0]
    scaled = [logits - np.logaddexp.reduce(logits, axis=1, keepdims=True) for logits in answers]
    mean: Floats = np.logaddexp.reduce(np.stack(scaled), axis=0) - np.float32(np.log(len(answers)))
    return mean


def model_digests(runs: Sequence[Run]) -> str:
    """Return the SHA-256 of each run's model, separated by commas: a training must not change its teachers.

    Raises:
        OSError: a model cannot be read.
    """
    return ",".join(file_sha256(run.model_path) for run in runs)


def _check_teacher(path: Path, labels: Sequence[str], rows: Sequence[SplitRow]) -> Run:
    run = read_run(path)
    if set(run.labels) != set(labels):
        only_teacher = sorted(set(run.labels) - set(labels))
        only_here = sorted(set(labels) - set(run.labels))
        raise TrainError(
            f"teacher {path}: it has other labels (only the teacher: {', '.join(only_teacher) or 'none'}; only the "
            f"data: {', '.join(only_here) or 'none'}). Train the teacher on the same classes."
        )
    check_leakage(f"teacher {path}", run.pictures("train"), path / "split.csv", rows)
    return run


def _write_answers(teacher: Teacher, pictures: Stream, view: int, classes: int, path: Path, progress: Progress) -> None:
    given, done = [], 0
    with closing(teacher.view(view)) as batches:  # type: ignore[type-var]
        for batch in batches:
            # Softmax sees only differences; with the largest at zero, float16 is finest where the probability is.
            size = min(pictures.batch_size, len(pictures.rows) - done)
            logits, features = batch[:, :classes], batch[:, classes:]
            below_largest = np.concatenate([logits - logits.max(axis=1, keepdims=True), features], axis=1)
            given.append(gather_rows(below_largest.astype(np.float16), size, pictures.share))
            done += size
            progress("teacher", done, len(pictures.rows), path.stem)
    answers = np.concatenate(given)
    if not np.isfinite(answers).all():
        raise TrainError(
            "the teacher's answers for some training pictures are not finite. Read its report, and train it again or "
            "choose another."
        )
    buffer = io.BytesIO()
    np.save(buffer, answers)
    write_file(path, buffer.getvalue())
