"""The training loop: phases of epochs over a stream of pictures, with a checkpoint after each epoch.

    for each phase:    freeze, compile with a new optimizer
        for each epoch:    train on every batch, validate, keep the best, write best.npz, last.npz and history.csv
        go on from the best weights so far

An epoch is a function of (weights, optimizer, random state, epoch number), and all of these are in ``last.npz``. A
training that was killed redoes the epoch it was in and ends as if nothing had happened.
"""

import csv
import io
import math
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, fields, replace
from itertools import islice
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from trailcam_edge.disk import write_file
from trailcam_edge.errors import TrainError
from trailcam_edge.progress import Progress, silent
from trailcam_edge.temperature import negative_log_likelihood
from trailcam_train.checkpoints import (
    LAST_FILE,
    EpochRow,
    State,
    load_best,
    load_last,
    put_variables,
    save_best,
    save_last,
)
from trailcam_train.networks import jit_setting
from trailcam_train.recipe import Phase, Recipe
from trailcam_train.trunk import Stream, cut_network, read_views, remove_views

__all__ = ["HISTORY_FILE", "Task", "fit", "history_to_bytes", "learning_rate", "predict_logits"]

HISTORY_FILE = "history.csv"

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.int32]
Teacher = Callable[[int], Iterator[Floats]]  # epoch number to the teacher's logits (N, K), batch by batch


@dataclass(frozen=True)
class Task:
    """What is learned: the pictures, the weight of each class, shape (K,), and a teacher if there is one."""

    recipe: Recipe
    training: Stream
    validation: Stream
    class_weights: npt.NDArray[np.float32]
    teacher: Teacher | None = None

    @property
    def batches(self) -> int:
        """Training batches of an epoch: whole ones only, because BatchNorm learns nothing good from a small rest."""
        return max(1, len(self.training.rows) // self.recipe.batch_size)


def fit(model: keras.Model, task: Task, folder: Path, progress: Progress = silent) -> State:
    """Train ``model`` until every phase of the recipe is done; goes on from a checkpoint in ``folder`` if one is there.

    Args:
        model: (N, H, W, 3) uint8 to (N, K) float32 logits; holds the best weights afterwards.
        task: what to learn.
        folder: where checkpoints and ``history.csv`` are written after each epoch.
        progress: told of each batch.

    Raises:
        TrainError: the loss is not finite, or the checkpoint is damaged. The last good checkpoints stay.
        OSError: the disk is full or failing; the last good checkpoints stay.
    """
    state, arrays = State(), None
    if (folder / LAST_FILE).exists():
        state, arrays = load_last(folder)
        put_variables(arrays, "model", model.variables, folder / LAST_FILE)
    phases = task.recipe.phases
    while not state.finished:
        phase = phases[state.phase]
        learner, lesson = _cut(model, task, phase, folder, progress) if phase.views else (model, task)
        optimizer = _prepare(model, learner, task.recipe, phase)
        if arrays is not None and any(name.startswith("optimizer-") for name in arrays):
            put_variables(arrays, "optimizer", optimizer.variables, folder / LAST_FILE)
        arrays = None
        while state.phase_epoch < phase.epochs and not (phase.patience and state.stale >= phase.patience):
            row = _run_epoch(learner, optimizer, lesson, state, progress)
            state = state.with_epoch(row)
            with _averaged(learner, optimizer, task.recipe):
                if state.best_epoch == row.epoch:
                    save_best(folder, model)
            save_last(folder, state, model, optimizer)
            write_file(folder / HISTORY_FILE, history_to_bytes(state.history))
        if state.best is not None:
            load_best(folder, model)
        state = replace(state, phase=state.phase + 1, phase_epoch=0, stale=0)
        state = replace(state, finished=state.phase == len(phases))
        save_last(folder, state, model, None)
        remove_views(folder)
    load_best(folder, model)
    return state


def learning_rate(phase: Phase, step: int, steps_per_epoch: int) -> float:
    """Return the rate of one step of a phase, ``step`` counting from 0."""
    warmup_steps = phase.warmup_epochs * steps_per_epoch
    if step < warmup_steps:
        return phase.learning_rate * (step + 1) / (warmup_steps + 1)
    if phase.schedule == "constant":
        return phase.learning_rate
    share = (step - warmup_steps) / max(1.0, phase.epochs * steps_per_epoch - warmup_steps)
    return phase.learning_rate * (1 + math.cos(math.pi * min(1.0, share))) / 2


def predict_logits(model: keras.Model, stream: Stream, progress: Progress = silent) -> tuple[Floats, Ints]:
    """Return the logits, (N, K) float32, and class ids, (N,) int32, of every picture of a stream, in its order."""
    logits, class_ids = [], []
    with closing(stream.epoch(0)) as batches:  # type: ignore[type-var]
        for done, (images, ids) in enumerate(batches, start=1):
            logits.append(np.asarray(model.predict_on_batch(images), np.float32))
            class_ids.append(ids)
            progress("evaluating", done, len(stream))
    return np.concatenate(logits), np.concatenate(class_ids)


def history_to_bytes(history: tuple[EpochRow, ...]) -> bytes:
    """Return the bytes of ``history.csv``."""
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, [item.name for item in fields(EpochRow)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(
        {key: f"{v:.7g}" if isinstance(v, float) else v for key, v in asdict(row).items()} for row in history
    )
    return buffer.getvalue().encode("utf-8")


def _run_epoch(
    model: keras.Model, optimizer: keras.optimizers.Optimizer, task: Task, state: State, progress: Progress
) -> EpochRow:
    started = time.monotonic()
    phase = task.recipe.phases[state.phase]
    loss, accuracy, rate = _train_epoch(model, optimizer, task, state, progress)
    with _averaged(model, optimizer, task.recipe):
        logits, class_ids = predict_logits(model, task.validation)
    validation_loss = negative_log_likelihood(logits, class_ids, temperature=1.0)
    if not np.isfinite(logits).all() or not math.isfinite(validation_loss):
        raise _not_finite(state, phase, "in validation")
    return EpochRow(
        epoch=state.epoch + 1,
        phase=phase.name,
        learning_rate=rate,
        loss=loss,
        accuracy=accuracy,
        validation_loss=validation_loss,
        validation_accuracy=float((logits.argmax(axis=1) == class_ids).mean()),
        seconds=time.monotonic() - started,
    )


def _train_epoch(
    model: keras.Model, optimizer: keras.optimizers.Optimizer, task: Task, state: State, progress: Progress
) -> tuple[float, float, float]:
    """Train one epoch; return mean loss, mean accuracy and the last learning rate."""
    recipe = task.recipe
    phase = recipe.phases[state.phase]
    losses, hits = [], []
    rate = phase.learning_rate
    to_come = sum(later.epochs for later in recipe.phases[state.phase + 1 :]) + phase.epochs - state.phase_epoch
    done, total = state.epoch * task.batches, (state.epoch + to_come) * task.batches
    teacher = task.teacher(state.epoch) if task.teacher else None
    with closing(task.training.epoch(state.epoch)) as batches:  # type: ignore[type-var]
        for number, (images, class_ids) in enumerate(islice(batches, task.batches)):
            rate = learning_rate(phase, state.phase_epoch * task.batches + number, task.batches)
            optimizer.learning_rate = rate
            targets = _targets(class_ids, recipe.label_smoothing, len(task.class_weights))
            if teacher is not None:
                targets = np.concatenate([targets, next(teacher)], axis=1)
            found = model.train_on_batch(images, targets, task.class_weights[class_ids], return_dict=True)
            losses.append(float(found["loss"]))
            hits.append(float(found["accuracy"]))
            if not math.isfinite(losses[-1]):
                raise _not_finite(state, phase, f"in batch {number + 1} of {task.batches}")
            progress("training", done + number + 1, total, _note(state, phase, float(np.mean(losses[-50:]))))
    return float(np.mean(losses)), float(np.mean(hits)), rate


def _targets(class_ids: Ints, smoothing: float, class_count: int) -> npt.NDArray[np.float32]:
    """Return target shares, (N, K) float32: one-hot, with ``smoothing`` spread evenly over all classes."""
    one_hot = np.eye(class_count, dtype=np.float32)[class_ids]
    return one_hot * np.float32(1 - smoothing) + np.float32(smoothing / class_count)


def _note(state: State, phase: Phase, loss: float) -> str:
    best = f", best validation {state.best.validation_accuracy:.1%}" if state.best else ""
    return f"{phase.name} epoch {state.phase_epoch + 1} of {phase.epochs}, loss {loss:.3f}{best}"


def _not_finite(state: State, phase: Phase, where: str) -> TrainError:
    kept = f"the checkpoints of epoch {state.epoch} are kept" if state.epoch else "no epoch was finished"
    return TrainError(
        f"the loss is no longer a finite number: phase {phase.name!r}, epoch {state.epoch + 1}, {where}; {kept}. "
        f"Train again with a lower rate, for example "
        f'"--set phases.{phase.name}.learning_rate={phase.learning_rate / 3:.1g}".'
    )


def _cut(model: keras.Model, task: Task, phase: Phase, folder: Path, progress: Progress) -> tuple[keras.Model, Task]:
    """Return the layers that learn as a network of their own, and the task with the trunk's outputs for pictures."""
    trunk, rest = cut_network(model, phase.first_layer)
    training = read_views(trunk, task.training, phase.views, folder, f"{phase.name}-training", progress)
    validation = read_views(trunk, task.validation, 1, folder, f"{phase.name}-validation", progress)
    return rest, replace(task, training=training, validation=validation)


def _prepare(model: keras.Model, learner: keras.Model, recipe: Recipe, phase: Phase) -> keras.optimizers.Optimizer:
    """Freeze what the phase does not train; compile ``learner``, the model or its end, with a new optimizer."""
    names = [layer.name for layer in model.layers]
    if phase.first_layer and phase.first_layer not in names:
        raise TrainError(
            f"phase {phase.name!r}: no layer {phase.first_layer!r} in this network, expected one of {', '.join(names)}."
        )
    learns = not phase.first_layer
    for layer in model.layers:
        learns = learns or layer.name == phase.first_layer
        layer.trainable = learns
    average = {"use_ema": True, "ema_momentum": recipe.ema} if recipe.ema else {}
    if recipe.optimizer == "adamw":
        optimizer = keras.optimizers.AdamW(phase.learning_rate, weight_decay=recipe.weight_decay, **average)
        # Decay pulls weights towards zero; for biases and BatchNorm zero means nothing. Source: He et al., "Bag of
        # tricks for image classification", CVPR 2019, section 3.1.
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    else:
        optimizer = keras.optimizers.Adam(phase.learning_rate, **average)
    optimizer.build(learner.trainable_variables)
    learner.compile(optimizer, loss=_loss(recipe), metrics=[_accuracy], jit_compile=jit_setting())
    return optimizer


def _loss(recipe: Recipe) -> Callable[[Any, Any], Any]:
    """Return the loss of (N, K) logits against (N, K) target shares, or (N, 2 K) with the teacher's logits behind."""
    ops, distillation = keras.ops, recipe.distillation

    def from_labels(targets: Any, logits: Any) -> Any:
        return -ops.sum(targets * ops.log_softmax(logits), axis=-1)

    def from_teacher(targets: Any, logits: Any) -> Any:
        shares, teacher = ops.split(targets, 2, axis=-1)
        warmth = distillation.temperature
        expected = ops.log_softmax(teacher / warmth)
        divergence = ops.sum(ops.exp(expected) * (expected - ops.log_softmax(logits / warmth)), axis=-1)
        return (1 - distillation.weight) * from_labels(shares, logits) + distillation.weight * warmth**2 * divergence

    return from_teacher if distillation.teacher else from_labels


def _accuracy(targets: Any, logits: Any) -> Any:
    ops = keras.ops
    wanted = ops.argmax(targets[:, : logits.shape[-1]], axis=-1)
    return ops.cast(ops.equal(wanted, ops.argmax(logits, axis=-1)), "float32")


_accuracy.__name__ = "accuracy"  # the key that Keras reports it under


@contextmanager
def _averaged(model: keras.Model, optimizer: keras.optimizers.Optimizer, recipe: Recipe) -> Iterator[None]:
    """Inside the block the model has the averaged weights, if the recipe averages."""
    if not recipe.ema:
        yield
        return
    trained = _copy_values(model)
    optimizer.finalize_variable_values(model.trainable_variables)
    _put_values(
        model, _copy_values(model)
    )  # JAX frees what a step was given: the optimizer must not share its averages
    try:
        yield
    finally:
        _put_values(model, trained)


def _copy_values(model: keras.Model) -> list[npt.NDArray[Any]]:
    return [np.array(keras.ops.convert_to_numpy(variable)) for variable in model.trainable_variables]


def _put_values(model: keras.Model, arrays: list[npt.NDArray[Any]]) -> None:
    for variable, array in zip(model.trainable_variables, arrays, strict=True):
        variable.assign(array)
