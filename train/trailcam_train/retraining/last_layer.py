"""Take over the weights of an earlier network, with new outputs for new labels.

A new output begins as the direction from the mean feature of all pictures to that of its pictures, as long as the old
outputs are. Its bias makes it equal to the best old answer on its pictures. Training then starts from a network that
separates the new label already.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from trailcam_core.datasets.run_directory import Run, SplitRow
from trailcam_core.errors import TrainError, reason_of
from trailcam_core.files.digest import file_sha256
from trailcam_core.files.keras_weights import prove_weights
from trailcam_core.jobs.progress import Progress, silent
from trailcam_train.fitting.streams import plain_stream
from trailcam_train.models.frozen_inference import compile_inference
from trailcam_train.models.runtime import load_network
from trailcam_train.recipe.schema import Recipe

_MOST_PER_LABEL = 40  # pictures whose features give the mean of a label

Floats = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Pictures:
    """Training pictures: ``rows`` below ``data``, and the labels of the training."""

    rows: tuple[SplitRow, ...]
    data: Path
    labels: tuple[str, ...]


def load_earlier(run: Run, sha256: str) -> keras.Model:
    """Load the network of an earlier run.

    Raises:
        TrainError: it is another file than the one with this digest, or cannot be read.
    """
    prove_weights(run.model_path, TrainError)
    try:
        if file_sha256(run.model_path) != sha256:
            raise TrainError(
                f"{run.model_path}: changed since this training began. Put the earlier run back, or train again."
            )
        return load_network(run.model_path)
    except (OSError, ValueError) as error:
        raise TrainError(f"{run.model_path}: cannot be read ({reason_of(error)}). Copy the whole run again.") from error


def find_head(model: keras.Model, name: str) -> str:
    """Return the name of the first layer of the head: the last dense layer, or the dropout right before it.

    Args:
        model: its last layer gives the logits.
        name: of the network, for the message.

    Raises:
        TrainError: the network ends in something else.
    """
    layers = [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]
    if not layers or not isinstance(layers[-1], keras.layers.Dense):
        raise TrainError(
            f"recipe {name}: the network does not end in a dense layer, so no last layer can be trained. Train on all "
            "pictures, without --from."
        )
    first = len(layers) - 1
    while first > 1 and isinstance(layers[first - 1], keras.layers.Dropout):
        first -= 1
    return str(layers[first].name)


def take_over(
    model: keras.Model, earlier: keras.Model, recipe: Recipe, pictures: Pictures, progress: Progress = silent
) -> None:
    """Put the weights of an earlier network into ``model``, and begin the outputs of new labels.

    Args:
        model: new, with an output for each label; the old labels come first.
        earlier: the network of the earlier run.
        recipe: of the training.
        pictures: the training pictures.
        progress: receives each batch of pictures.

    Raises:
        TrainError: the two are not of one network.
        DataError: a picture cannot be read.
    """
    ours, theirs = model.get_weights(), earlier.get_weights()
    kernel, bias = theirs[-2:] if len(theirs) > 1 else (np.empty(0), np.empty(0))
    fits = [array.shape for array in ours[:-2]] == [array.shape for array in theirs[:-2]]
    if not fits or kernel.shape[:-1] != ours[-2].shape[:-1] or bias.shape[-1:] != kernel.shape[-1:]:
        raise TrainError(
            f"the earlier run holds another network than the one that its recipe {recipe.name} builds here "
            f"({len(theirs)} arrays of weights, expected {len(ours)} of the same shapes). It is of another backbone or "
            "of another version: train on all pictures, without --from."
        )
    known = bias.shape[0]
    model.set_weights([*theirs[:-2], _widen(kernel, len(pictures.labels)), _widen(bias, len(pictures.labels))])
    if known == len(pictures.labels):
        return
    features, class_ids = _features(model, recipe, pictures, progress)
    new_kernel, new_bias = begin_outputs(features, class_ids, kernel, bias, len(pictures.labels))
    model.set_weights([*theirs[:-2], new_kernel, new_bias])


def has_same_trunk(model: keras.Model, earlier: keras.Model) -> bool:
    """Return whether two networks have the same weights but for those of their last layer."""
    ours, theirs = model.get_weights()[:-2], earlier.get_weights()[:-2]
    return len(ours) == len(theirs) and all(np.array_equal(one, other) for one, other in zip(ours, theirs, strict=True))


def begin_outputs(
    features: Floats, class_ids: npt.NDArray[np.int32], kernel: Floats, bias: Floats, count: int
) -> tuple[Floats, Floats]:
    """Return the weights of a last layer with ``count`` outputs: the old ones as they are, and new ones.

    Args:
        features: (N, F) of training pictures, some of each new label.
        class_ids: (N,).
        kernel: (F, K) of the old labels.
        bias: (K,).
        count: of outputs, at least K.

    Returns:
        Kernel, (F, count), and bias, (count,), float32.
    """
    known = kernel.shape[1]
    wide, shift = np.array(_widen(kernel, count), np.float32), np.array(_widen(bias, count), np.float32)
    centre = np.mean([features[class_ids == each].mean(axis=0) for each in np.unique(class_ids)], axis=0)
    length = float(np.median(np.linalg.norm(kernel, axis=0)))
    for number in range(known, count):
        own = features[class_ids == number]
        if not len(own):
            continue
        direction = own.mean(axis=0) - centre
        wide[:, number] = direction * (length / max(float(np.linalg.norm(direction)), 1e-12))
        best = (own @ kernel + bias).max(axis=1).mean()
        shift[number] = best - float((own @ wide[:, number]).mean())
    return wide, shift


def _widen(array: Floats, count: int) -> Floats:
    padding = [(0, 0)] * (array.ndim - 1) + [(0, count - array.shape[-1])]
    return np.pad(array, padding)


def _features(
    model: keras.Model, recipe: Recipe, pictures: Pictures, progress: Progress
) -> tuple[Floats, npt.NDArray[np.int32]]:
    """Return what the last layer sees of some pictures of each label, (N, F), and their class ids, (N,)."""
    rows: list[SplitRow] = []
    taken: dict[str, int] = {}
    for row in pictures.rows:
        taken[row.label] = taken.get(row.label, 0) + 1
        if taken[row.label] <= _MOST_PER_LABEL:
            rows.append(row)
    forward = compile_inference(keras.Model(model.inputs[0], model.layers[-1].input))
    stream = plain_stream(recipe, rows, pictures.labels, pictures.data)
    found, ids = [], []
    for images, class_ids in stream.view(0):
        found.append(forward(images))
        ids.append(class_ids)
        progress("features of each label", sum(map(len, ids)), len(rows))
    return np.concatenate(found), np.concatenate(ids)


def spread(rows: Sequence[SplitRow]) -> tuple[SplitRow, ...]:
    """Return rows in the order of their digests, so that the first few are of many groups."""
    return tuple(sorted(rows, key=lambda row: row.sha256))
