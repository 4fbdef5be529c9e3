"""The picture streams and class weights of a training, as its recipe defines them."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from trailcam_core.datasets.run_directory import SplitRow
from trailcam_core.spec import InputSpec
from trailcam_train.fitting.gather import local_share
from trailcam_train.input.epoch_order import IN_ORDER, EpochOrder
from trailcam_train.input.pipeline import DecodedCache, PictureReader, PictureStream
from trailcam_train.recipe.schema import Recipe

OUTLIER_LABEL = "other"  # of the rows of outliers; no label of the network
_CACHE_BYTES = 500_000_000  # outliers occur many times in an epoch


def training_stream(
    recipe: Recipe, rows: Sequence[SplitRow], labels: Sequence[str], data: Path, spec: InputSpec | None = None
) -> PictureStream:
    """Return the training pictures, shuffled and augmented.

    A student takes the recipe's own input, and the views that its teacher answers. A teacher takes its ``spec``, with
    the order and random changes of the student.
    """
    distillation = recipe.distillation
    views = distillation.views if distillation.teacher and spec is None else 0
    order = EpochOrder(recipe.seed, shuffle=True, sampling=recipe.sampling, views=views)
    reader = PictureReader(data, spec or recipe.input.spec, recipe.augmentation)
    return PictureStream(rows, labels, recipe.batch_size, order, reader, local_share())


def plain_stream(recipe: Recipe, rows: Sequence[SplitRow], labels: Sequence[str], data: Path) -> PictureStream:
    """Return pictures with the device's own preprocessing, in the order of ``rows``."""
    reader = PictureReader(data, recipe.input.spec)
    return PictureStream(rows, labels, recipe.batch_size, IN_ORDER, reader, local_share())


def outlier_stream(recipe: Recipe, rows: Sequence[SplitRow], root: Path) -> PictureStream:
    """Return outliers, shuffled and augmented like the training pictures.

    A batch holds ``recipe.outliers_per_batch`` pictures for each step. Fewer pictures are repeated, each time with
    other changes.
    """
    times = -(-recipe.outliers_per_batch // len(rows))
    reader = PictureReader(root, recipe.input.spec, recipe.augmentation, cache=DecodedCache(_CACHE_BYTES))
    order = EpochOrder(recipe.seed, shuffle=True)
    repeated = [*rows] * times
    return PictureStream(repeated, (OUTLIER_LABEL,), recipe.outliers_per_batch, order, reader, local_share())


def class_weights(recipe: Recipe, rows: Sequence[SplitRow], labels: Sequence[str]) -> npt.NDArray[np.float32]:
    """Return the weight of each class in the loss, (K,): 1, or the same sum of weights for every class."""
    if recipe.class_weights == "none":
        return np.ones(len(labels), np.float32)
    counts = Counter(row.label for row in rows)
    mean = sum(counts.values()) / len(labels)
    return np.array([mean / counts[label] for label in labels], np.float32)
