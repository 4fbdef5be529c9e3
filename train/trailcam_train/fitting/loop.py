"""The training loop: phases of epochs over a stream of pictures, with a checkpoint after each epoch.

    for each phase:    take the network of its picture size, freeze, compile with a new optimizer
        for each epoch:    train on every batch, validate, keep the best, write best.npz, logs, last.npz and history.csv
        interpolate the weights, if the phase has ``blend``, and continue from the best weights so far

An epoch is a function of (weights, optimizer, random state, epoch number), and all of these are in ``last.npz``. A
training that was interrupted repeats its current epoch and ends with the same result.
"""

import csv
import io
import math
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import asdict, fields, replace
from itertools import islice
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from trailcam_core.errors import TrainError
from trailcam_core.files.atomic import write_file
from trailcam_core.inference.temperature import negative_log_likelihood
from trailcam_core.jobs.progress import Progress, silent
from trailcam_train.fitting.checkpoints import (
    BEST_FILE,
    LAST_FILE,
    START_FILE,
    EpochRow,
    InterpolationRow,
    State,
    interpolate_best,
    load_last,
    load_weights,
    put_variables,
    save_last,
    save_weights,
)
from trailcam_train.fitting.frozen_features import Stream, remove_features
from trailcam_train.fitting.gather import gather_batches
from trailcam_train.fitting.losses import make_batch
from trailcam_train.fitting.phases import PhaseSetup, Task, at_size_of, averaged, prepare_phase
from trailcam_train.fitting.tensorboard_log import StepRow, log_epoch, log_interpolation
from trailcam_train.models.frozen_inference import jax_forward
from trailcam_train.models.runtime import seed_epoch
from trailcam_train.recipe.schema import Phase, Recipe

HISTORY_FILE = "history.csv"

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.int32]


def train_model(model: keras.Model, task: Task, folder: Path, progress: Progress = silent) -> State:
    """Train ``model`` until every phase of the recipe is done; resumes from a checkpoint in ``folder``.

    Args:
        model: (N, H, W, 3) uint8 to (N, K) float32 logits, or (N, K + D) with predicted features of a teacher; holds
            the best weights afterwards.
        task: pictures, class weights and teacher.
        folder: where checkpoints and ``history.csv`` are written after each epoch.
        progress: receives each batch.

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
        if phases[state.phase].epochs:
            state = _run_phase(model, task, state, arrays or {}, folder, progress)
        arrays = None
        if state.best is not None:
            load_weights(folder / BEST_FILE, model)
        state = replace(state, phase=state.phase + 1, phase_epoch=0, stale=0)
        state = replace(state, finished=state.phase == len(phases))
        write_file(folder / HISTORY_FILE, history_to_bytes(state))
        save_last(folder, state, model, None)
        remove_features(folder)
    load_weights(folder / BEST_FILE, model)
    return state


def learning_rate(phase: Phase, step: int, steps_per_epoch: int) -> float:
    """Return the rate of one step of a phase, ``step`` counting from 0."""
    warmup_steps = phase.warmup_epochs * steps_per_epoch
    if step < warmup_steps:
        return phase.learning_rate * (step + 1) / (warmup_steps + 1)
    if phase.schedule == "constant":
        return phase.learning_rate
    fraction = (step - warmup_steps) / max(1.0, phase.epochs * steps_per_epoch - warmup_steps)
    return phase.learning_rate * (1 + math.cos(math.pi * min(1.0, fraction))) / 2


def predict_logits(model: keras.Model, stream: Stream, progress: Progress = silent) -> tuple[Floats, Ints]:
    """Return the logits, (N, K) float32, and class ids, (N,) int32, of every picture of a stream, in its order.

    Each of several hosts answers its part of every batch, and all of them get all answers.
    """
    shared = stream.share.count > 1
    forward = jax_forward(model) if shared else model.predict_on_batch
    logits: list[Floats] = []
    class_ids: list[Ints] = []
    with closing(stream.epoch(0)) as batches:  # type: ignore[type-var]
        for done, (images, ids) in enumerate(batches, start=1):
            logits.append(np.asarray(forward(images), np.float32))
            class_ids.append(ids)
            progress("evaluating", done, len(stream))
    if shared:
        return gather_batches(logits, class_ids, stream.share.size(stream.batch_size))
    return np.concatenate(logits), np.concatenate(class_ids)


def history_to_bytes(state: State) -> bytes:
    """Return the bytes of ``history.csv``: a row per epoch, and one after each phase with weight interpolation.

    The column ``blend`` is the fraction of trained weights, 1 in an epoch. In the row of an interpolation the columns
    of an epoch are empty, and ``epoch`` is that of its best weights.
    """
    names = [item.name for item in fields(EpochRow)]
    names.insert(names.index("phase") + 1, "blend")
    rows: list[dict[str, Any]] = [{**asdict(row), "blend": 1.0} for row in state.history]
    for done, blend in enumerate(state.blends):
        rows.insert(blend.after + done, {key: value for key, value in asdict(blend).items() if key in names})
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: f"{v:.7g}" if isinstance(v, float) else v for key, v in row.items()} for row in rows)
    return buffer.getvalue().encode("utf-8")


def _run_phase(
    model: keras.Model,
    task: Task,
    state: State,
    arrays: dict[str, npt.NDArray[Any]],
    folder: Path,
    progress: Progress,
) -> State:
    """Run the remaining epochs of a phase; ``arrays`` hold its optimizer if it is resumed."""
    phase = task.recipe.phases[state.phase]
    model, task = at_size_of(phase, model, task)
    if state.phase_epoch == 0 and _last_scale(task.recipe, state) not in (None, phase.scale):
        state = replace(state, best_epoch=0)  # validations on pictures of two sizes do not compare
    setup = prepare_phase(model, task, phase, folder, progress)
    if any(name.startswith("optimizer-") for name in arrays):
        put_variables(arrays, "optimizer", setup.optimizer.variables, folder / LAST_FILE)
    if phase.weight_interpolation < 1 and state.phase_epoch == 0:
        save_weights(folder / START_FILE, model)
    while state.phase_epoch < phase.epochs and not (phase.patience and state.stale >= phase.patience):
        epoch, steps = _run_epoch(setup, state, progress)
        state = state.with_epoch(epoch)
        with averaged(setup):
            if state.best_epoch == epoch.epoch:
                save_weights(folder / BEST_FILE, model)
        log_epoch(folder, epoch, steps)
        save_last(folder, state, model, setup.optimizer)
        write_file(folder / HISTORY_FILE, history_to_bytes(state))
    if phase.weight_interpolation < 1 and state.improved:
        interpolate_best(folder, model, phase.weight_interpolation, state.phase)
        loss, accuracy = _validate(setup, state)
        row = InterpolationRow(state.best_epoch, state.epoch, phase.name, phase.weight_interpolation, loss, accuracy)
        log_interpolation(folder, row)
        state = replace(state, blends=(*state.blends, row))
    return state


def _last_scale(recipe: Recipe, state: State) -> float | None:
    """Return the scale of the last finished epoch, None before the first."""
    if not state.history:
        return None
    return next(phase.scale for phase in recipe.phases if phase.name == state.history[-1].phase)


def _run_epoch(setup: PhaseSetup, state: State, progress: Progress) -> tuple[EpochRow, list[StepRow]]:
    started = time.monotonic()
    trained = _train_epoch(setup, state, progress)
    with averaged(setup):
        validation_loss, validation_accuracy = _validate(setup, state)
    row = EpochRow(
        epoch=state.epoch + 1,
        phase=setup.phase.name,
        learning_rate=trained[-1].learning_rate,
        loss=float(np.mean([step.loss for step in trained])),
        accuracy=float(np.mean([step.accuracy for step in trained])),
        validation_loss=validation_loss,
        validation_accuracy=validation_accuracy,
        seconds=time.monotonic() - started,
    )
    return row, trained


def _validate(setup: PhaseSetup, state: State) -> tuple[float, float]:
    outputs, class_ids = predict_logits(setup.learner, setup.task.validation)
    logits = outputs[:, : setup.task.classes]
    loss = negative_log_likelihood(logits, class_ids, temperature=1.0)
    if not np.isfinite(logits).all() or not math.isfinite(loss):
        raise _not_finite(state, setup.phase, "in validation")
    return loss, float((logits.argmax(axis=1) == class_ids).mean())


def _train_epoch(setup: PhaseSetup, state: State, progress: Progress) -> list[StepRow]:
    """Train one epoch; return loss and accuracy of each step."""
    phase, task, recipe = setup.phase, setup.task, setup.task.recipe
    count = task.batches
    remaining = sum(later.epochs for later in recipe.phases[state.phase + 1 :]) + phase.epochs - state.phase_epoch
    done, total = state.epoch * count, (state.epoch + remaining) * count
    rows: list[StepRow] = []
    seed_epoch(recipe.seed, state.epoch)
    with ExitStack() as stack:
        batches = stack.enter_context(closing(task.training.epoch(state.epoch)))  # type: ignore[type-var]
        teacher = stack.enter_context(closing(task.teacher.epoch(state.epoch))) if task.teacher else None  # type: ignore[type-var]
        outliers = stack.enter_context(closing(_endless(task.outliers, done))) if task.outliers else None  # type: ignore[type-var]
        for number, (images, class_ids) in enumerate(islice(batches, count)):
            rate = learning_rate(phase, state.phase_epoch * count + number, count)
            setup.optimizer.learning_rate = rate
            answers = None if teacher is None else next(teacher)
            ood = None if outliers is None else next(outliers)
            step = make_batch(recipe, task.class_weights, images, class_ids, answers, ood)
            found = setup.learner.train_on_batch(step.images, step.targets, step.weights, return_dict=True)
            loss, accuracy = float(found["loss"]), float(found["accuracy"]) * step.accuracy_scale
            if not math.isfinite(loss):
                raise _not_finite(state, phase, f"in batch {number + 1} of {count}")
            rows.append(StepRow(done + number + 1, time.time(), loss, accuracy, rate))
            progress("training", done + number + 1, total, _note(state, phase, rows))
    return rows


def _endless(stream: Stream, first_batch: int) -> Iterator[npt.NDArray[Any]]:
    """Yield the full batches of a stream, epoch after epoch, without the first ones."""
    whole = max(1, len(stream.order(0)) // stream.batch_size)
    number, start = divmod(first_batch, whole)
    while True:
        with closing(stream.epoch(number, start)) as batches:  # type: ignore[type-var]
            for images, _ in islice(batches, whole - start):
                yield images
        number, start = number + 1, 0


def _note(state: State, phase: Phase, rows: list[StepRow]) -> str:
    loss = np.mean([row.loss for row in rows[-50:]])
    best = f", best validation {state.best.validation_accuracy:.1%}" if state.best else ""
    return f"{phase.name} epoch {state.phase_epoch + 1} of {phase.epochs}, loss {loss:.3f}{best}"


def _not_finite(state: State, phase: Phase, where: str) -> TrainError:
    kept = f"the checkpoints of epoch {state.epoch} are kept" if state.epoch else "no epoch was finished"
    return TrainError(
        f"the loss is no longer a finite number: phase {phase.name!r}, epoch {state.epoch + 1}, {where}; {kept}. "
        f"Train again with a lower rate, for example "
        f'"--set phases.{phase.name}.learning_rate={phase.learning_rate / 3:.1g}".'
    )
