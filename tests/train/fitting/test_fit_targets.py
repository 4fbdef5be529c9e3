"""What the loop learns towards: classes of unequal size, teachers, outliers, averages and blends."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from trailcam_train.fitting.checkpoints import State
from trailcam_train.fitting.loop import HISTORY_FILE, predict_logits, train_model
from trailcam_train.fitting.phases import Task
from trailcam_train.input.share import WHOLE
from trailcam_train.recipe.schema import Distillation, Phase, Recipe

pytestmark = pytest.mark.usefixtures("eager")

MakeTask = Callable[[Recipe], Task]
MakeNetwork = Callable[[], keras.Model]


def weights_of(model: keras.Model, layer: str) -> list[Any]:
    return [np.array(array) for array in model.get_layer(layer).get_weights()]


class Stubborn:
    """A teacher who says "red" whatever it sees; counts the batches it is asked for."""

    def __init__(self) -> None:
        self.asked = 0

    def epoch(self, number: int) -> Iterator[Any]:
        return self.view(number)

    def view(self, number: int) -> Iterator[Any]:
        for size in (8, 8, 8, 6):
            self.asked += 1
            yield np.tile(np.array([[0.0, 0.0, 8.0]], np.float32), (size, 1))


def test_class_weights_change_what_is_learned(
    tmp_path: Path, recipe: Recipe, make_task: MakeTask, make_network: MakeNetwork
) -> None:
    recipe = replace(recipe, phases=(Phase("all", 4, 0.03),), ema=0.0)
    model = make_network()
    task = replace(make_task(recipe), class_weights=np.array([0, 0, 1], np.float32))

    train_model(model, task, tmp_path)

    logits, _ = predict_logits(model, task.validation)
    assert set(logits.argmax(axis=1)) == {2}


def test_a_student_follows_its_teacher_rather_than_the_labels(
    tmp_path: Path, recipe: Recipe, make_task: MakeTask, make_network: MakeNetwork
) -> None:
    """With all the weight on a teacher who says "red" whatever it sees, so does the student."""
    distillation = Distillation(teacher="runs/stubborn", weight=1.0, temperature=2.0)
    recipe = replace(recipe, phases=(Phase("all", 4, 0.03),), ema=0.0, distillation=distillation)

    model = make_network()
    task = replace(make_task(recipe), teacher=Stubborn())
    train_model(model, task, tmp_path)

    logits, _ = predict_logits(model, task.validation)
    assert set(logits.argmax(axis=1)) == {2}


@pytest.mark.parametrize("cut", [False, True])
def test_a_teacher_with_views_answers_each_picture_once_per_view(
    cut: bool, tmp_path: Path, recipe: Recipe, make_task: MakeTask, make_network: MakeNetwork
) -> None:
    distillation = Distillation(teacher="runs/stubborn", weight=1.0, temperature=2.0, views=0 if cut else 2)
    phase = Phase("all", 4, 0.05, first_layer="hidden", views=2) if cut else Phase("all", 4, 0.05)
    recipe = replace(recipe, phases=(phase,), ema=0.0, distillation=distillation)
    teacher, model = Stubborn(), make_network()
    task = replace(make_task(recipe), teacher=teacher)

    train_model(model, task, tmp_path)

    assert teacher.asked == 2 * 4
    logits, _ = predict_logits(model, task.validation)
    assert set(logits.argmax(axis=1)) == {2}


@pytest.mark.parametrize("cut", [False, True])
def test_outliers_make_the_network_undecided_about_them(
    cut: bool, tmp_path: Path, recipe: Recipe, make_task: MakeTask, make_network: MakeNetwork
) -> None:
    """The outliers are white; without them it would answer white with one of its labels."""

    class Strange:
        rows, batch_size = make_task(recipe).training.rows[:5], 4
        share = WHOLE

        def __len__(self) -> int:
            return 2

        def order(self, number: int) -> Any:
            return np.random.default_rng(number).permutation(5)

        def epoch(self, number: int, start_batch: int = 0) -> Any:
            order = self.order(number)
            for start in range(4 * start_batch, 5, 4):
                yield np.full((len(order[start : start + 4]), 8, 8, 3), 255, np.uint8), order[start : start + 4] * 0

        def view(self, number: int) -> Any:
            for size in (4, 1):
                yield np.full((size, 8, 8, 3), 255, np.uint8), np.zeros(size, np.int32)

    def spread(weight: float) -> float:
        phase = Phase("all", 4, 0.05, first_layer="hidden" if cut else "", views=2 if cut else 0)
        changed = replace(recipe, phases=(phase,), ema=0.0, outliers_weight=weight)
        folder = tmp_path / str(weight)
        folder.mkdir()
        model, task = make_network(), make_task(changed)
        train_model(model, replace(task, outliers=Strange() if weight else None), folder)
        return float(np.ptp(model.predict_on_batch(np.full((1, 8, 8, 3), 255, np.uint8))))

    assert spread(3.0) < 0.6 * spread(0.0)


@pytest.mark.parametrize("cut", [False, True])
def test_a_blend_lies_between_the_start_of_the_phase_and_its_best(
    cut: bool, tmp_path: Path, recipe: Recipe, make_task: MakeTask, make_network: MakeNetwork
) -> None:
    def train(blend: float) -> tuple[State, keras.Model]:
        phase = Phase("all", 2, 0.03, first_layer="hidden", views=1 if cut else 0, weight_interpolation=blend)
        changed = replace(recipe, phases=(phase,), ema=0.8)
        folder = tmp_path / str(blend)
        folder.mkdir()
        model = make_network()
        return train_model(model, make_task(changed), folder), model

    (plain, trained), (state, blended), start = train(1.0), train(0.25), make_network()

    for layer in ("stem", "stem_bn", "hidden", "logits"):
        sets = zip(weights_of(start, layer), weights_of(trained, layer), weights_of(blended, layer), strict=True)
        for first, last, found in sets:
            np.testing.assert_allclose(found, first + 0.25 * (last - first), rtol=1e-5, atol=1e-6)
    assert [item.validation_loss for item in state.history] == [item.validation_loss for item in plain.history]
    logits, class_ids = predict_logits(blended, make_task(recipe).validation)
    assert state.best == state.blends[0]
    assert state.blends[0].validation_accuracy == pytest.approx(float((logits.argmax(axis=1) == class_ids).mean()))
    rows = [line.split(",") for line in (tmp_path / "0.25" / HISTORY_FILE).read_text().splitlines()]
    assert rows[0][:6] == ["epoch", "phase", "blend", "learning_rate", "loss", "accuracy"]
    assert [row[2] for row in rows[1:]] == ["1", "1", "0.25"]
    assert rows[3][3:6] == ["", "", ""]


def test_a_phase_without_a_better_epoch_is_not_blended(
    tmp_path: Path, recipe: Recipe, make_task: MakeTask, make_network: MakeNetwork
) -> None:
    phases = (Phase("all", 3, 0.03), Phase("ruin", 1, 50.0, weight_interpolation=0.5))
    recipe = replace(recipe, phases=phases, optimizer="adam", ema=0.0)

    state = train_model(make_network(), make_task(recipe), tmp_path)

    assert state.best_epoch <= 3
    assert state.blends == ()


@pytest.mark.parametrize("ema", [0.0, 0.9])
@pytest.mark.parametrize("views", [0, 2])
def test_mixed_precision_frozen_layers_averages_and_a_blend_go_together(
    views: int, ema: float, tmp_path: Path, recipe: Recipe, make_task: MakeTask, make_network: MakeNetwork
) -> None:
    phases = (
        Phase("head", 2, 0.03, first_layer="hidden", views=views, weight_interpolation=0.6),
        Phase("whole", 1, 0.003, weight_interpolation=0.5),
    )
    recipe = replace(recipe, phases=phases, ema=ema, label_smoothing=0.1, sampling="balanced")
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = make_network()
    finally:
        keras.config.set_dtype_policy("float32")
    assert model.get_layer("hidden").compute_dtype == "bfloat16"
    task = make_task(recipe)

    state = train_model(model, task, tmp_path)

    assert state.epoch == 3
    assert all(np.isfinite([row.loss, row.validation_loss]).all() for row in state.history)
    assert state.blends
    assert state.best is not None
    logits, class_ids = predict_logits(model, task.validation)
    assert logits.dtype == np.float32
    assert float((logits.argmax(axis=1) == class_ids).mean()) == pytest.approx(state.best.validation_accuracy)
    assert {variable.dtype for variable in model.trainable_variables} == {"float32"}
