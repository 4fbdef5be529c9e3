"""The training: some layers learn, and a file beside the result keeps what an interruption would lose."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from trailcam_core.errors import TrainError
from trailcam_core.jobs.progress import Progress
from trailcam_project.field_model.views import Views
from trailcam_train.fitting.checkpoints import Arrays, collect_variables, put_variables, read_arrays, write_arrays
from trailcam_train.models.frozen_inference import compile_inference

_WARMUP_STEPS = 40
_LAST_RATE = 0.02  # of the learning rate, at the end of the cosine
_AVERAGE = 0.99  # of the weights, over the last hundred steps
_LARGEST_GRADIENT = 5.0
STEPS_AT_RISK = 50  # between two checkpoints: two minutes
_DONE, _PLAN, _WEIGHTS, _OPTIMIZER, _MEAN = "done", "plan", "weights", "optimizer", "mean"

Floats = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Plan:
    """How long and how fast to train, the name of the last layer that stays, and the trained share of the result."""

    steps: int
    learning_rate: float
    frozen: str
    blend: float


def checkpoint_of(out: Path) -> Path:
    """Return the file that keeps an unfinished training of the network ``out``."""
    return out.with_suffix(".partial.npz")


def train(network: keras.Model, views: Views, plan: Plan, checkpoint: Path, progress: Progress) -> None:
    """Train the layers behind ``plan.frozen``; the network ends as a mixture of its first and its averaged weights.

    Args:
        network: (N, H, W, 3) uint8 to (N, K) logits.
        views: what it learns from.
        plan: how.
        checkpoint: written every 50 steps, and read if it is there: the training goes on behind it.
        progress: receives each step.

    Raises:
        TrainError: the checkpoint is damaged, or of another plan or network; or there is no such layer.
        OSError: the disk is full or failing; the older checkpoint stays.
    """
    front, back = _split(network, plan.frozen)
    weights = back.trainable_variables
    optimizer = keras.optimizers.AdamW(plan.learning_rate, weight_decay=0.002, global_clipnorm=_LARGEST_GRADIENT)
    optimizer.build(weights)
    step = _make_step(back, optimizer)
    first = [keras.ops.convert_to_numpy(weight) for weight in weights]
    mean = [keras.Variable(weight, trainable=False) for weight in first]
    kept = {_WEIGHTS: weights, _OPTIMIZER: optimizer.variables, _MEAN: mean}
    behind = _resume(checkpoint, plan, kept) if checkpoint.exists() else 0
    for done, (features, targets) in _drawn_ahead(views, front, range(behind + 1, plan.steps + 1)):
        optimizer.learning_rate.assign(_rate(done, plan))
        loss = float(step(features, targets))
        share = min(_AVERAGE, done / (done + 19))
        for average, weight in zip(mean, weights, strict=True):
            average.assign(share * average + (1 - share) * weight)
        progress(f"training (loss {loss:.3f})", done, plan.steps)
        if done % STEPS_AT_RISK == 0:
            write_arrays(checkpoint, _collect(done, plan, kept))
    for begun, average, weight in zip(first, mean, weights, strict=True):
        weight.assign((1 - plan.blend) * begun + plan.blend * average)


def _split(network: keras.Model, frozen: str) -> tuple[Any, keras.Model]:
    names = [layer.name for layer in network.layers]
    if frozen not in names:
        raise TrainError(f"no layer {frozen!r} in this network, expected one of {', '.join(names)}.")
    middle = network.get_layer(frozen).output
    return compile_inference(keras.Model(network.inputs, middle)), keras.Model(middle, network.outputs[0])


def _make_step(back: keras.Model, optimizer: keras.optimizers.Optimizer) -> Any:
    import tensorflow as tf

    weights = back.trainable_variables

    @tf.function  # type: ignore[untyped-decorator]
    def step(features: Any, targets: Any) -> Any:
        with tf.GradientTape() as tape:
            logits = back(features, training=True)
            loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(targets, logits))
        optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        return loss

    return lambda features, targets: step(tf.constant(features), tf.constant(targets))


def _drawn_ahead(views: Views, front: Any, steps: range) -> Iterator[tuple[int, tuple[Floats, Floats]]]:
    """Yield the number and the batch of each step; the next one is drawn while the caller trains on the last."""

    def draw(step: int) -> tuple[Floats, Floats]:
        pictures, targets = views.batch(step)
        return front(pictures), targets

    with ThreadPoolExecutor(1) as pool:
        following = [pool.submit(draw, number) for number in steps[:1]]
        for index, number in enumerate(steps):
            batch = following.pop().result()
            following += [pool.submit(draw, after) for after in steps[index + 1 : index + 2]]
            yield number, batch


def _rate(step: int, plan: Plan) -> float:
    cosine = 0.5 * (1 + np.cos(np.pi * step / plan.steps))
    return float(plan.learning_rate * min(1, step / _WARMUP_STEPS) * (_LAST_RATE + (1 - _LAST_RATE) * cosine))


def _collect(done: int, plan: Plan, kept: dict[str, list[keras.Variable]]) -> Arrays:
    arrays = {_DONE: np.array(done), _PLAN: np.array(str(plan))}
    for prefix, variables in kept.items():
        arrays |= collect_variables(prefix, variables)
    return arrays


def _resume(checkpoint: Path, plan: Plan, kept: dict[str, list[keras.Variable]]) -> int:
    """Put a checkpoint into the variables, and return how many steps it has behind it."""
    arrays = read_arrays(checkpoint)
    begun = str(arrays.get(_PLAN, "nothing of this version"))
    if begun != str(plan) or _DONE not in arrays:
        raise TrainError(
            f"{checkpoint}: was begun with {begun}, and this is {plan}. Give the settings it was begun with, or remove "
            "it to begin anew."
        )
    for prefix, variables in kept.items():
        put_variables(arrays, prefix, variables, checkpoint)
    return int(arrays[_DONE])
