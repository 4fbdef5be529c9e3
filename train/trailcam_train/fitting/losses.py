"""The arrays of one training step, and the loss that reads them.

A step has N pictures of known labels, each possibly with the logits of a teacher, and M outliers. Targets are
(N + M, K) label probabilities; with a teacher (N + M, 2 K + D + 1): the probabilities, the teacher's logits and its D
features, none as a rule, and 1 if it answered. Outliers have uniform probabilities and no teacher. The loss is the mean
over pictures of

    (1 - weight) * cross-entropy with the probabilities + weight * temperature^2 * KL(teacher || student)
        + features * mean over the features of (teacher - student)^2

both softened by ``temperature`` in the second term, and the teacher's features standardized over the batch in the
third; plus ``outliers_weight`` times the mean over outliers of the cross-entropy with uniform probabilities. Source:
Hinton et al., "Distilling the knowledge in a neural network", 2015; Hendrycks et al., "Deep anomaly detection with
outlier exposure", ICLR 2019, section 3.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from trailcam_train.recipe.schema import Recipe

_LEAST_VARIANCE = 1e-6  # of a feature: one that is the same in the whole batch is zero, not divided by zero

Floats = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class TrainingBatch:
    """Arguments of ``train_on_batch``; the first ``known`` rows are pictures of known labels, the rest outliers."""

    images: npt.NDArray[Any]
    targets: npt.NDArray[np.float32]
    weights: npt.NDArray[np.float32]
    known: int

    @property
    def accuracy_scale(self) -> float:
        """The factor from the mean of ``accuracy`` over all rows to the fraction of right answers."""
        return len(self.images) / self.known


def make_batch(
    recipe: Recipe,
    class_weights: npt.NDArray[np.float32],
    images: npt.NDArray[Any],
    class_ids: npt.NDArray[np.int32],
    answers: Floats | None = None,
    outliers: npt.NDArray[Any] | None = None,
) -> TrainingBatch:
    """Assemble the batch of one step.

    Args:
        recipe: label smoothing and the weight of outliers.
        class_weights: (K,).
        images: (N, ...) inputs of the network.
        class_ids: (N,).
        answers: the teacher's logits for ``images``, and its features, (N, K + D).
        outliers: (M, ...) inputs of the network.
    """
    count, classes = len(images), len(class_weights)
    smoothing = np.float32(recipe.label_smoothing)
    targets = np.eye(classes, dtype=np.float32)[class_ids] * (1 - smoothing) + smoothing / classes
    if answers is not None:
        targets = np.concatenate([targets, np.float32(answers), np.ones((count, 1), np.float32)], axis=1)
    weights = class_weights[class_ids]
    if outliers is None:
        return TrainingBatch(images, targets, weights, count)
    even = np.zeros((len(outliers), targets.shape[1]), np.float32)
    even[:, :classes] = 1 / classes
    total = count + len(outliers)  # Keras divides the sum by this; each part is to be divided by its own number
    scaled = [
        weights * np.float32(total / count),
        np.full(len(outliers), recipe.outliers_weight * total / len(outliers), np.float32),
    ]
    return TrainingBatch(
        np.concatenate([images, outliers]), np.concatenate([targets, even]), np.concatenate(scaled), count
    )


def make_loss(recipe: Recipe, classes: int) -> Callable[[Any, Any], Any]:
    """Return the loss of each row, (N,), of outputs against targets as ``make_batch`` makes them.

    The outputs are logits, (N, classes), and after them the teacher's features as the student predicts them.
    """
    ops, distillation = keras.ops, recipe.distillation

    def from_labels(targets: Any, logits: Any) -> Any:
        return -ops.sum(targets * ops.log_softmax(logits), axis=-1)

    def from_features(seen: Any, predicted: Any, taught: Any) -> Any:
        share = taught[:, None] / ops.maximum(ops.sum(taught), 1.0)
        centred = seen - ops.sum(share * seen, axis=0)
        variance = ops.sum(share * ops.square(centred), axis=0)
        return ops.mean(ops.square(centred * ops.rsqrt(variance + _LEAST_VARIANCE) - predicted), axis=-1)

    def from_teacher(targets: Any, outputs: Any) -> Any:
        logits, temperature = outputs[:, :classes], distillation.temperature
        shown, answers, taught = targets[:, :classes], targets[:, classes : 2 * classes], targets[:, -1]
        expected = ops.log_softmax(answers / temperature)
        divergence = ops.sum(ops.exp(expected) * (expected - ops.log_softmax(logits / temperature)), axis=-1)
        weight = distillation.weight * taught
        loss = (1 - weight) * from_labels(shown, logits) + weight * temperature**2 * divergence
        if outputs.shape[-1] > classes:
            seen, predicted = targets[:, 2 * classes : -1], outputs[:, classes:]
            loss = loss + distillation.features * taught * from_features(seen, predicted, taught)
        return loss

    return from_teacher if distillation.teacher else from_labels


def make_accuracy(classes: int) -> Callable[[Any, Any], Any]:
    """Return a metric: 1 for each row of outputs with the right answer, (N,); 0 for outliers, which have no label."""
    ops = keras.ops

    def accuracy(targets: Any, outputs: Any) -> Any:
        shown, logits = targets[:, :classes], outputs[:, :classes]
        has_label = ops.max(shown, axis=-1) > ops.min(shown, axis=-1)
        found = ops.equal(ops.argmax(shown, axis=-1), ops.argmax(logits, axis=-1))
        return ops.cast(ops.logical_and(has_label, found), "float32")

    return accuracy
