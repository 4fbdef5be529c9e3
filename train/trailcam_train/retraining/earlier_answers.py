"""What the earlier network answers: on new held-out pictures, to compare; and on training pictures, to hold them.

``earlier.csv`` of a run has the form of ``predictions.csv``: the answers of the earlier run to those validation and
test pictures that the earlier run itself did not answer.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from trailcam_core.datasets.run_directory import Run, SplitRow
from trailcam_core.inference.decision import probabilities
from trailcam_core.jobs.progress import Progress
from trailcam_train.evaluation.predictions import PREDICTIONS_FILE, predictions_to_bytes
from trailcam_train.fitting.loop import predict_logits
from trailcam_train.fitting.streams import plain_stream, training_stream
from trailcam_train.input.pipeline import Batch, PictureStream
from trailcam_train.models.frozen_inference import InferenceFunction, compile_inference
from trailcam_train.recipe.schema import Recipe

_FAR_BELOW = 10.0  # of an old logit: e to the minus ten of its probability
_NEW_LABEL = np.log(9.0)  # its probability on its pictures is 0.9; old ones share the rest as before

Floats = npt.NDArray[np.floating[Any]]


class EarlierTeacher:
    """Answers the training pictures as the earlier network does, see ``widen_answers``.

    Args:
        stream: the training pictures.
        forward: the earlier network.
        count: of labels.
    """

    def __init__(self, stream: PictureStream, forward: InferenceFunction, count: int) -> None:
        self._stream, self._forward, self._count = stream, forward, count

    def epoch(self, number: int) -> Iterator[Floats]:
        """Yield the logits, (N, K), of each batch of epoch ``number``."""
        return self._answer(self._stream.epoch(number))

    def view(self, number: int) -> Iterator[Floats]:
        """Yield the logits of view ``number`` of every picture, in the order of the rows."""
        return self._answer(self._stream.view(number))

    def _answer(self, batches: Iterator[Batch]) -> Iterator[Floats]:
        for images, class_ids in batches:
            yield widen_answers(self._forward(images), class_ids, self._count)


def open_earlier_teacher(
    earlier: keras.Model, recipe: Recipe, rows: Sequence[SplitRow], labels: Sequence[str], data: Path
) -> EarlierTeacher:
    """Return the earlier network as the teacher of the training pictures ``rows``."""
    return EarlierTeacher(training_stream(recipe, rows, labels, data), compile_inference(earlier), len(labels))


def widen_answers(logits: Floats, class_ids: npt.NDArray[np.int32], count: int) -> Floats:
    """Return the logits of old labels with those of new ones: far below for an old picture, 0.9 for a new label's own.

    Args:
        logits: (N, K) of the earlier network.
        class_ids: (N,) of the pictures.
        count: of labels, at least K.

    Returns:
        (N, count) float32.
    """
    known = logits.shape[1]
    wide = np.repeat(logits.min(axis=1, keepdims=True) - _FAR_BELOW, count, axis=1).astype(np.float32)
    wide[:, :known] = logits
    rows = np.flatnonzero(class_ids >= known)
    wide[rows, class_ids[rows]] = np.logaddexp.reduce(logits[rows], axis=1) + _NEW_LABEL
    return wide


def answer_new_pictures(
    earlier: keras.Model, run: Run, recipe: Recipe, rows: Sequence[SplitRow], data: Path, progress: Progress
) -> bytes:
    """Return the bytes of ``earlier.csv``.

    Args:
        earlier: the network of ``run``.
        run: the earlier run; pictures that its ``predictions.csv`` answers are left out.
        recipe: of the training; its input is that of the earlier run.
        rows: validation and test pictures of the training.
        data: their folder.
        progress: receives each batch.
    """
    answered = {row.sha256 for row in run.rows if row.split != "train"}
    if not (run.path / PREDICTIONS_FILE).is_file():
        answered = set()
    asked = [row for row in rows if row.sha256 not in answered]
    if not asked:
        return predictions_to_bytes((), np.empty((0, len(run.labels))), run.labels)
    ids = [SplitRow(row.file, row.sha256, row.split, run.labels[0]) for row in asked]  # its true label may be a new one
    logits, _ = predict_logits(earlier, plain_stream(recipe, ids, run.labels, data), progress)
    temperature = run.metrics.get("temperature", 1.0)
    scaled = probabilities(logits, float(temperature) if isinstance(temperature, int | float) else 1.0)
    return predictions_to_bytes(asked, scaled, run.labels)
