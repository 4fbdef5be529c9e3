"""Prepare a phase of a recipe: choose the size of the pictures, freeze layers, cache features, create the optimizer.

Task, network ──at_size_of──> both for the size of the pictures of the phase
              ──prepare_phase──> PhaseSetup: the trainable network or its end, its pictures or features, an optimizer
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from trailcam_core.errors import TrainError
from trailcam_core.jobs.progress import Progress
from trailcam_train.fitting.frozen_features import Stream, cache_features, split_network
from trailcam_train.fitting.losses import make_accuracy, make_loss
from trailcam_train.fitting.teacher import Teacher, cache_teacher_answers
from trailcam_train.models.fused_batch_norm import fuse_batch_norm
from trailcam_train.models.runtime import jit_setting
from trailcam_train.recipe.schema import Phase, Recipe

_LEAST_MOMENTUM = 0.5  # of a phase of fewer than 20 steps
_BEGINNINGS_FORGOTTEN = 10  # time constants of the weight average in a phase: exp(-10) of its beginning is left


@dataclass(frozen=True)
class Task:
    """The inputs of a training.

    ``class_weights`` is (K,). ``teacher``, if any, answers the pictures of ``training``. ``outliers`` yields
    out-of-distribution images, ``batch_size`` of them for each step. ``at_scale`` is needed for phases on smaller
    pictures: it returns the network for a ``scale``, with any weights, and its task.
    """

    recipe: Recipe
    training: Stream
    validation: Stream
    class_weights: npt.NDArray[np.float32]
    teacher: Teacher | None = None
    outliers: Stream | None = None
    at_scale: "Callable[[float], tuple[keras.Model, Task]] | None" = None

    @property
    def classes(self) -> int:
        """K, the number of labels; outputs of the network after these are features, see ``feature_distillation.py``."""
        return len(self.class_weights)

    @property
    def batches(self) -> int:
        """Training batches of an epoch: full ones only, because a small rest would distort BatchNorm."""
        return max(1, len(self.training.order(0)) // self.recipe.batch_size)


@dataclass(frozen=True)
class PhaseSetup:
    """One phase: ``learner`` is the network or its end, ``task`` has its inputs; layers are shared."""

    phase: Phase
    learner: keras.Model
    optimizer: keras.optimizers.Optimizer
    task: Task


def at_size_of(phase: Phase, model: keras.Model, task: Task) -> tuple[keras.Model, Task]:
    """Return network and task for the size of the pictures of a phase; a network of another size has a copy of weights.

    Raises:
        TrainError: the weights depend on the size of the pictures.
    """
    if phase.scale == 1:
        return model, task
    if task.at_scale is None:
        raise ValueError(f"phase {phase.name!r} has a scale of {phase.scale:g}, and its task has no at_scale")
    sized, sized_task = task.at_scale(phase.scale)
    check_same_weights(phase, model, sized)
    for copy, variable in zip(sized.variables, model.variables, strict=True):
        copy.assign(variable)
    return sized, sized_task


def check_same_weights(phase: Phase, model: keras.Model, sized: keras.Model) -> None:
    """Check that a network for smaller pictures, ``sized``, has weights of the same shapes.

    Raises:
        TrainError: it has others.
    """
    for one, other in zip(model.variables, sized.variables, strict=True):
        if one.shape != other.shape:
            raise TrainError(
                f"phase {phase.name!r}: scale is {phase.scale:g}, but the weights of {one.path} depend on the size of "
                f"the pictures: {tuple(other.shape)}, expected {tuple(one.shape)}. Train with "
                f'"--set phases.{phase.name}.scale=1".'
            )


def prepare_phase(model: keras.Model, task: Task, phase: Phase, folder: Path, progress: Progress) -> PhaseSetup:
    """Freeze layers, cache features and answers of a teacher, and compile the rest with a new optimizer.

    Raises:
        TrainError: the phase names a layer that is not there.
        DataError: a picture cannot be read.
        OSError: the disk is full or failing.
    """
    names = [layer.name for layer in model.layers]
    if phase.first_layer and phase.first_layer not in names:
        raise TrainError(
            f"phase {phase.name!r}: no layer {phase.first_layer!r} in this network, expected one of {', '.join(names)}."
        )
    learns = not phase.first_layer
    for layer in model.layers:
        learns = learns or layer.name == phase.first_layer
        layer.trainable = learns
    views = phase.views or task.recipe.distillation.views
    if task.teacher is not None and views:
        stored = cache_teacher_answers(task.teacher, task.training, views, task.classes, folder, progress)
        task = replace(task, teacher=stored)
    learner = model
    if phase.views:
        learner, task = _cut(model, task, phase, folder, progress)
    optimizer = _make_optimizer(task.recipe, phase, task.batches * phase.epochs)
    optimizer.build(learner.trainable_variables)
    fuse_batch_norm(learner)
    loss, accuracy = make_loss(task.recipe, task.classes), make_accuracy(task.classes)
    learner.compile(optimizer, loss=loss, metrics=[accuracy], jit_compile=jit_setting())
    return PhaseSetup(phase, learner, optimizer, task)


@contextmanager
def averaged(setup: PhaseSetup) -> Iterator[None]:
    """Put the averaged weights into the network inside the block, if the recipe averages."""
    if not setup.task.recipe.ema:
        yield
        return
    model = setup.learner
    trained = _copy_values(model)
    setup.optimizer.finalize_variable_values(model.trainable_variables)
    _put_values(
        model, _copy_values(model)
    )  # JAX frees what a step was given: the optimizer must not share its averages
    try:
        yield
    finally:
        _put_values(model, trained)


def _cut(model: keras.Model, task: Task, phase: Phase, folder: Path, progress: Progress) -> tuple[keras.Model, Task]:
    """Return the trainable layers as a separate network, and the task with features in place of pictures."""
    frozen, rest = split_network(model, phase.first_layer)

    def cache(pictures: Stream, count: int, name: str) -> Stream:
        return cache_features(frozen, pictures, count, folder, f"{phase.name}-{name}", progress)

    cut = replace(
        task,
        training=cache(task.training, phase.views, "training"),
        validation=cache(task.validation, 1, "validation"),
    )
    if task.outliers is not None:
        cut = replace(cut, outliers=cache(task.outliers, phase.views, "outliers"))
    return rest, cut


def averaging_momentum(ema: float, steps: int) -> float:
    """Return the momentum of the weight average in a phase of ``steps`` steps: ``ema``, or less in a short phase.

    An average begins at the first weights of a phase. With 0.99 and 75 steps almost half of it is still that beginning,
    for a new head random numbers. The momentum is bounded so that from 20 steps on the beginning counts for less than
    exp(-10).
    """
    return min(ema, max(_LEAST_MOMENTUM, 1 - _BEGINNINGS_FORGOTTEN / max(1, steps)))


def _make_optimizer(recipe: Recipe, phase: Phase, steps: int) -> keras.optimizers.Optimizer:
    average = {"use_ema": True, "ema_momentum": averaging_momentum(recipe.ema, steps)} if recipe.ema else {}
    if recipe.optimizer == "adam":
        return keras.optimizers.Adam(phase.learning_rate, **average)
    optimizer = keras.optimizers.AdamW(phase.learning_rate, weight_decay=recipe.weight_decay, **average)
    # Decay pulls weights towards zero; for biases and BatchNorm zero means nothing. Source: He et al., "Bag of tricks
    # for image classification", CVPR 2019, section 3.1.
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


def _copy_values(model: keras.Model) -> list[npt.NDArray[Any]]:
    return [np.array(keras.ops.convert_to_numpy(variable)) for variable in model.trainable_variables]


def _put_values(model: keras.Model, arrays: list[npt.NDArray[Any]]) -> None:
    for variable, array in zip(model.trainable_variables, arrays, strict=True):
        variable.assign(array)
