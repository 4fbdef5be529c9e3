from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from trailcam_core.errors import TrainError
from trailcam_train.fitting.feature_distillation import predict_features, show_features
from trailcam_train.fitting.loop import train_model
from trailcam_train.fitting.phases import Task
from trailcam_train.recipe.schema import Distillation, Phase, Recipe
from trailcam_train.recipes.find import build_network, find_recipe

pytestmark = pytest.mark.usefixtures("eager")

LABELS = 3


class Bright:
    """A teacher whose answers are even and whose features are the brightness of each channel."""

    def __init__(self, task: Task) -> None:
        self.stream = task.training

    def epoch(self, number: int) -> Iterator[Any]:
        return self._answer(self.stream.epoch(number))

    def view(self, number: int) -> Iterator[Any]:
        return self._answer(self.stream.view(number))

    def _answer(self, batches: Iterator[Any]) -> Iterator[Any]:
        for images, ids in batches:
            yield np.concatenate([np.zeros((len(ids), LABELS)), images.mean(axis=(1, 2))], axis=1).astype(np.float32)


def test_a_teacher_shows_its_logits_and_the_inputs_of_its_last_layer(recipe: Recipe) -> None:
    recipe = replace(find_recipe("cnn"), input=recipe.input)
    model = build_network(recipe, LABELS, "float32")
    images = np.random.default_rng(0).integers(0, 256, (4, *model.input_shape[1:]), np.uint8)

    shown = np.asarray(show_features(model)(images))

    logits, features = shown[:, :LABELS], shown[:, LABELS:]
    np.testing.assert_allclose(logits, np.asarray(model(images)), rtol=1e-5, atol=1e-6)
    last = model.layers[-1]
    np.testing.assert_allclose(features @ last.kernel + last.bias, logits, rtol=1e-4, atol=1e-5)


def test_a_network_that_ends_in_another_layer_is_refused() -> None:
    pixels = keras.Input((8, 8, 3), dtype="uint8")
    model = keras.Model(pixels, keras.layers.Softmax()(keras.layers.Dense(3)(keras.layers.Flatten()(pixels))))

    with pytest.raises(TrainError, match=r"last layer of the student .* is Softmax.*distillation\.features=0"):
        predict_features(model, 7)


@pytest.mark.parametrize("views", [0, 2])
def test_a_student_learns_to_predict_what_its_teacher_sees(
    views: int, tmp_path: Path, recipe: Recipe, make_task: Callable[[Recipe], Task], make_network: Callable[[], Any]
) -> None:
    """The answers say nothing, so what it learns it learns from features; the new layer stays out of the network."""
    lesson = Distillation("runs/bright", weight=1.0, temperature=1.0, features=1.0, views=views)
    recipe = replace(recipe, phases=(Phase("all", 8, 0.02),), ema=0.0, distillation=lesson)
    task = make_task(recipe)
    model = make_network()
    learner = predict_features(model, 3)

    train_model(learner, replace(task, teacher=Bright(task)), tmp_path)

    losses = [float(line.split(",")[4]) for line in (tmp_path / "history.csv").read_text().splitlines()[1:]]
    assert losses[-1] < 0.5 * losses[0]
    assert model.output_shape == (None, LABELS)
    assert "teacher_features" not in [layer.name for layer in model.layers]


def test_features_are_learned_where_frozen_layers_run_once(
    tmp_path: Path, recipe: Recipe, make_task: Callable[[Recipe], Task], make_network: Callable[[], Any]
) -> None:
    lesson = Distillation("runs/bright", weight=1.0, temperature=1.0, features=1.0)
    recipe = replace(recipe, phases=(Phase("all", 6, 0.02, first_layer="hidden", views=2),), distillation=lesson)
    task = make_task(recipe)
    learner = predict_features(make_network(), 3)

    train_model(learner, replace(task, teacher=Bright(task)), tmp_path)

    losses = [float(line.split(",")[4]) for line in (tmp_path / "history.csv").read_text().splitlines()[1:]]
    assert losses[-1] < losses[0]
