"""Phases on smaller pictures: another network with the same weights, and validations that are not compared."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from trailcam_core.errors import TrainError
from trailcam_train.fitting.checkpoints import LAST_FILE, load_last
from trailcam_train.fitting.loop import predict_logits, train_model
from trailcam_train.fitting.phases import Task
from trailcam_train.recipe.cost import Cost, training_seconds
from trailcam_train.recipe.schema import ModelInput, Phase, Recipe
from trailcam_train.recipe.toml import override
from trailcam_train.recipes.find import find_recipe

pytestmark = pytest.mark.usefixtures("eager")

MakeTask = Callable[[Recipe], Task]

SMALL = Phase("small", 2, 0.03, scale=0.5)
BATCHES = 3  # whole batches of an epoch of the tiny task


class Killed(BaseException):
    """Stands for a power cut."""


class Halved:
    """A stream of every second pixel of another."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __len__(self) -> int:
        return len(self._stream)

    def epoch(self, number: int, start_batch: int = 0) -> Iterator[Any]:
        for images, class_ids in self._stream.epoch(number, start_batch):
            yield images[:, ::2, ::2], class_ids


def network(size: int, flat: bool = False) -> keras.Model:
    keras.utils.set_random_seed(size)
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((size, size, 3), dtype="uint8"),
            layers.Rescaling(1 / 255, dtype="float32"),
            layers.Conv2D(6, 3, padding="same", activation="relu", name="stem"),
            layers.BatchNormalization(name="stem_bn"),
            layers.Flatten(name="flat") if flat else layers.GlobalAveragePooling2D(name="mean"),
            layers.Dropout(0.1, name="dropout"),
            layers.Dense(3, name="logits", dtype="float32"),
        ]
    )


def growing(task: Task, scales: list[float], flat: bool = False) -> Task:
    """Return the task with networks of other sizes; ``scales`` gets those that were asked for."""

    def at_scale(scale: float) -> tuple[keras.Model, Task]:
        scales.append(scale)
        smaller = replace(task, training=Halved(task.training), validation=Halved(task.validation))
        return network(round(8 * scale), flat), smaller

    return replace(task, at_scale=at_scale)


def test_a_phase_on_small_pictures_gives_its_weights_to_the_next(
    tmp_path: Path, recipe: Recipe, make_task: MakeTask
) -> None:
    idle = Phase("whole", 1, 1e-12, first_layer="logits")
    recipe = replace(recipe, phases=(SMALL, idle), ema=0.0, optimizer="adam")
    scales: list[float] = []
    task, model = growing(make_task(recipe), scales), network(8)
    first = [np.array(weight) for weight in model.get_weights()]

    state = train_model(model, task, tmp_path)

    assert scales == [0.5]
    assert [row.phase for row in state.history] == ["small", "small", "whole"]
    assert any(np.any(one != other) for one, other in zip(first, model.get_weights(), strict=True))
    logits, class_ids = predict_logits(model, task.validation)
    assert float((logits.argmax(axis=1) == class_ids).mean()) == state.history[2].validation_accuracy


def test_validations_on_pictures_of_two_sizes_are_not_compared(
    tmp_path: Path, recipe: Recipe, make_task: MakeTask
) -> None:
    """The phase on whole pictures ruins the network, and its best epoch counts all the same."""
    ruin = Phase("whole", 2, 20.0)
    recipe = replace(recipe, phases=(replace(SMALL, epochs=6), ruin), ema=0.0, optimizer="adam")

    state = train_model(network(8), growing(make_task(recipe), []), tmp_path)

    assert max(state.history, key=lambda row: row.score).epoch <= 6
    assert state.best is not None
    assert state.best.phase == "whole"


@pytest.mark.parametrize("step", [BATCHES + 2, 2 * BATCHES + 2])
def test_a_training_that_is_killed_in_either_phase_goes_on_alike(
    step: int, tmp_path: Path, recipe: Recipe, make_task: MakeTask
) -> None:
    recipe = replace(recipe, phases=(SMALL, Phase("whole", 1, 0.01)))
    (tmp_path / "whole").mkdir()
    (tmp_path / "cut").mkdir()
    train_model(network(8), growing(make_task(recipe), []), tmp_path / "whole")

    def kill(stage: str, done: int, total: int, note: str = "") -> None:
        if stage == "training" and done == step:
            raise Killed

    with pytest.raises(Killed):
        train_model(network(8), growing(make_task(recipe), []), tmp_path / "cut", kill)
    keras.utils.set_random_seed(99)
    train_model(network(8), growing(make_task(recipe), []), tmp_path / "cut")

    states, arrays = zip(*(load_last(tmp_path / name) for name in ("whole", "cut")), strict=True)
    assert [row.loss for row in states[0].history] == [row.loss for row in states[1].history]
    for name, array in arrays[0].items():
        np.testing.assert_array_equal(array, arrays[1][name])


def test_a_network_whose_weights_depend_on_the_size_is_refused(
    tmp_path: Path, recipe: Recipe, make_task: MakeTask
) -> None:
    recipe = replace(recipe, phases=(SMALL, Phase("whole", 1, 0.01)))

    with pytest.raises(TrainError, match=r"'small'.*logits/kernel.*\(96, 3\), expected \(384, 3\)"):
        train_model(network(8, flat=True), growing(make_task(recipe), [], flat=True), tmp_path)

    assert not (tmp_path / LAST_FILE).exists()


def test_the_last_phase_learns_from_pictures_of_the_input_s_size() -> None:
    with pytest.raises(TrainError, match=r"phases\.whole\.scale is 0\.5.*Set it to 1"):
        override(find_recipe("xception_growing"), ["phases.whole.scale=0.5"])
    with pytest.raises(TrainError, match=r"phases\.again\.scale is 0\.8"):
        override(find_recipe("xception_growing"), ["phases.whole.epochs=0"])


def test_the_input_of_a_phase_keeps_its_shape_and_is_not_too_small(recipe: Recipe) -> None:
    wide = replace(recipe, input=ModelInput(100, 200, "crop"))

    assert wide.at_scale(0.5).input == ModelInput(50, 100, "crop")
    assert wide.at_scale(0.1).input == ModelInput(32, 32, "crop")
    xception = find_recipe("xception_growing")
    assert [xception.at_scale(phase.scale).input.width for phase in xception.phases] == [71, 128, 128, 160]


def test_small_pictures_take_their_square_of_the_time(recipe: Recipe) -> None:
    cost = Cost(10.0, 100, {"all": 40.0})

    def seconds(scale: float, epochs: int) -> float:
        return training_seconds(replace(recipe, phases=(Phase("all", epochs, 0.1, scale=scale),)), cost, 1000, 1)

    start_s = seconds(1.0, 0)
    assert seconds(0.5, 4) - start_s == pytest.approx((seconds(1.0, 4) - start_s) / 4)
