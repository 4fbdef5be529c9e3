"""The loop: rates, phases, frozen layers, checkpoints, early stopping."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from trailcam_core.errors import TrainError
from trailcam_train.fitting.checkpoints import BEST_FILE, LAST_FILE, EpochRow, State
from trailcam_train.fitting.loop import HISTORY_FILE, learning_rate, predict_logits, train_model
from trailcam_train.fitting.phases import Task, averaging_momentum
from trailcam_train.fitting.tensorboard_log import LOG_FOLDER
from trailcam_train.recipe.schema import Phase, Recipe

pytestmark = pytest.mark.usefixtures("eager")

MakeTask = Callable[[Recipe], Task]
MakeNetwork = Callable[[], keras.Model]


def weights_of(model: keras.Model, layer: str) -> list[Any]:
    return [np.array(array) for array in model.get_layer(layer).get_weights()]


def row(epoch: int, accuracy: float, loss: float = 1.0) -> EpochRow:
    return EpochRow(epoch, "all", 0.1, 1.0, 0.5, loss, accuracy, 1.0)


def test_a_constant_rate_climbs_in_the_warmup_and_stays() -> None:
    phase = Phase("all", 3, 0.5, warmup_epochs=0.4)

    rates = [learning_rate(phase, step, steps_per_epoch=10) for step in range(30)]

    np.testing.assert_allclose(rates[:5], [0.1, 0.2, 0.3, 0.4, 0.5])
    assert set(rates[4:]) == {0.5}


def test_a_cosine_rate_ends_near_zero() -> None:
    phase = Phase("all", 2, 0.5, schedule="cosine")

    rates = [learning_rate(phase, step, steps_per_epoch=10) for step in range(20)]

    assert rates[0] == 0.5
    assert rates[10] == pytest.approx(0.25)
    assert 0 < rates[-1] < 0.01
    assert rates == sorted(rates, reverse=True)


def test_the_better_epoch_has_more_right_and_among_equals_the_lower_loss() -> None:
    state = State().with_epoch(row(1, 0.8)).with_epoch(row(2, 0.9, 2.0)).with_epoch(row(3, 0.9, 1.5))
    state = state.with_epoch(row(4, 0.9, 1.5)).with_epoch(row(5, 0.7, 0.1))

    assert state.best_epoch == 3
    assert state.stale == 2


def test_a_training_learns_and_ends_with_the_best_weights(
    tmp_path: Path, recipe: Recipe, make_task: MakeTask, make_network: MakeNetwork
) -> None:
    recipe = replace(recipe, phases=(Phase("all", 6, 0.03),), ema=0.0)
    model, task = make_network(), make_task(recipe)

    state = train_model(model, task, tmp_path)

    logits, class_ids = predict_logits(model, task.validation)
    accuracy = float((logits.argmax(axis=1) == class_ids).mean())
    assert state.best is not None
    assert accuracy == state.best.validation_accuracy == max(item.validation_accuracy for item in state.history)
    assert accuracy > 0.6
    assert (tmp_path / HISTORY_FILE).read_text().count("\n") == 7


def test_a_phase_starts_from_the_best_weights_of_the_one_before(
    tmp_path: Path, recipe: Recipe, make_task: MakeTask, make_network: MakeNetwork
) -> None:
    ruined = Phase("ruined", 4, 20.0, warmup_epochs=4)  # a rate that climbs until nothing is left of what was learned
    idle = Phase("idle", 1, 1e-12, first_layer="logits")
    recipe = replace(recipe, phases=(ruined, idle), optimizer="adam", ema=0.0)

    history = train_model(make_network(), make_task(recipe), tmp_path).history

    best = max(history[:4], key=lambda item: item.score)
    assert best.epoch < 4
    assert history[4].validation_loss == pytest.approx(best.validation_loss, rel=1e-4)


def test_frozen_layers_stay_as_they_are(
    tmp_path: Path, recipe: Recipe, make_task: MakeTask, make_network: MakeNetwork
) -> None:
    recipe = replace(recipe, phases=(Phase("head", 1, 0.01, first_layer="hidden"),))
    model = make_network()
    before = {name: weights_of(model, name) for name in ("stem", "stem_bn", "hidden")}

    train_model(model, make_task(recipe), tmp_path)

    for name in ("stem", "stem_bn"):
        for found, expected in zip(weights_of(model, name), before[name], strict=True):
            np.testing.assert_array_equal(found, expected)
    assert np.any(weights_of(model, "hidden")[0] != before["hidden"][0])


def test_an_unknown_first_layer_lists_the_layers(
    tmp_path: Path, recipe: Recipe, make_task: MakeTask, make_network: MakeNetwork
) -> None:
    recipe = replace(recipe, phases=(Phase("head", 1, 0.01, first_layer="neck"),))

    with pytest.raises(TrainError, match=r"'neck'.*stem, stem_bn.*logits"):
        train_model(make_network(), make_task(recipe), tmp_path)


def test_a_loss_that_is_not_finite_stops_says_where_and_keeps_the_last_good_epoch(
    tmp_path: Path, recipe: Recipe, make_task: MakeTask, make_network: MakeNetwork
) -> None:
    phases = (Phase("calm", 1, 0.01), Phase("wild", 1, 1e30))
    recipe = replace(recipe, optimizer="adam", phases=phases, ema=0.0)

    with pytest.raises(TrainError, match=r"'wild', epoch 2, in batch \d of 3; the checkpoints of epoch 1 are kept"):
        train_model(make_network(), make_task(recipe), tmp_path)

    good = np.load(tmp_path / BEST_FILE)
    assert all(np.isfinite(good[name]).all() for name in good.files)
    good.close()
    assert (tmp_path / LAST_FILE).exists()
    assert (tmp_path / HISTORY_FILE).read_text().count("\n") == 2


def test_early_stopping_ends_a_phase_after_its_patience(
    tmp_path: Path, recipe: Recipe, make_task: MakeTask, make_network: MakeNetwork
) -> None:
    recipe = replace(recipe, phases=(Phase("all", 50, 1e-12, patience=2),), optimizer="adam", ema=0.0)
    model = make_network()
    model.get_layer("stem_bn").momentum = 1.0  # nothing changes at all: no epoch is better than the first

    state = train_model(model, make_task(recipe), tmp_path)

    assert state.epoch == 3
    assert state.finished


def test_a_full_disk_leaves_the_older_checkpoint_and_nothing_half_written(
    tmp_path: Path, recipe: Recipe, make_task: MakeTask, make_network: MakeNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    import trailcam_core.files.atomic as disk

    train_model(make_network(), make_task(replace(recipe, phases=(Phase("all", 1, 0.01),))), tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    (tmp_path / LAST_FILE).unlink()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(disk.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        train_model(make_network(), make_task(recipe), tmp_path)

    assert {path.name for path in tmp_path.iterdir()} == {BEST_FILE, HISTORY_FILE, LOG_FOLDER}
    assert (tmp_path / BEST_FILE).read_bytes() == before[BEST_FILE]


@pytest.mark.parametrize(
    ("ema", "steps", "expected"),
    [(0.99, 10_000, 0.99), (0.99, 1000, 0.99), (0.99, 75, 1 - 10 / 75), (0.99, 3, 0.5), (0.3, 3, 0.3)],
)
def test_a_short_phase_is_averaged_over_fewer_steps(ema: float, steps: int, expected: float) -> None:
    momentum = averaging_momentum(ema, steps)

    assert momentum == pytest.approx(expected)
    assert steps < 20 or momentum**steps < math.exp(-9.9)


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_averaged_weights_are_what_is_kept_and_training_goes_on_from_its_own(
    ema: float, tmp_path: Path, recipe: Recipe, make_task: MakeTask, make_network: MakeNetwork
) -> None:
    recipe = replace(recipe, phases=(Phase("all", 1, 0.01),), ema=ema)

    def catch(stage: str, done: int, total: int, note: str = "") -> None:
        if done == 3:
            trained.extend(weights_of(model, "hidden"))

    trained: list[Any] = []
    model = make_network()
    train_model(model, make_task(recipe), tmp_path, catch)

    same = np.array_equal(weights_of(model, "hidden")[0], trained[0])
    assert same == (ema == 0.0)
