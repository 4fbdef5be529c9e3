"""A training that was killed goes on as if nothing had happened."""

import csv
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest

from trailcam_core.errors import TrainError
from trailcam_train.fitting.checkpoints import BEST_FILE, LAST_FILE, load_last
from trailcam_train.fitting.loop import HISTORY_FILE, train_model
from trailcam_train.fitting.phases import Task
from trailcam_train.fitting.tensorboard_log import LOG_FOLDER
from trailcam_train.recipe.schema import Recipe

pytestmark = pytest.mark.usefixtures("eager")

BATCHES = 3  # whole batches of an epoch of the tiny task
EPOCHS = 3


class Killed(BaseException):
    """Stands for a power cut: nothing may catch it."""


def kill_at(step: int) -> Callable[..., None]:
    """Return a progress that ends the training after so many batches in all."""

    def progress(stage: str, done: int, total: int, note: str = "") -> None:
        if stage == "training" and done == step:
            raise Killed

    return progress


def read_history(folder: Path) -> list[dict[str, str]]:
    """Return the rows without the time they took."""
    with open(folder / HISTORY_FILE, newline="") as file:
        rows = list(csv.DictReader(file))
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


def final_weights(folder: Path) -> list[npt.NDArray[Any]]:
    _, arrays = load_last(folder)
    return [arrays[name] for name in sorted(arrays)]


@pytest.fixture(scope="module")
def whole(
    eager: None,
    tmp_path_factory: pytest.TempPathFactory,
    recipe: Recipe,
    make_task: Callable[[Recipe], Task],
    make_network: Callable[[], Any],
) -> Path:
    """The folder of a training that was never stopped; not to be changed."""
    folder = tmp_path_factory.mktemp("whole")
    train_model(make_network(), make_task(recipe), folder)
    return folder


def test_a_training_killed_in_every_epoch_ends_like_one_that_was_not(
    whole: Path, tmp_path: Path, recipe: Recipe, make_task: Callable[[Recipe], Task], make_network: Callable[[], Any]
) -> None:
    folder = tmp_path / "killed"
    folder.mkdir()
    for epoch in range(EPOCHS):
        with pytest.raises(Killed):
            train_model(make_network(), make_task(recipe), folder, kill_at(epoch * BATCHES + 2))
        assert (folder / LAST_FILE).exists() == (epoch > 0)

    train_model(make_network(), make_task(recipe), folder)

    assert read_history(folder) == read_history(whole)
    assert len(read_history(folder)) == EPOCHS
    for found, expected in zip(final_weights(folder), final_weights(whole), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_a_power_cut_at_any_write_changes_nothing(
    whole: Path,
    tmp_path: Path,
    recipe: Recipe,
    make_task: Callable[[Recipe], Task],
    make_network: Callable[[], Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path / "cut"
    folder.mkdir()
    rename = os.replace
    cuts = 0
    for allowed in (0, 1, 2, 4, 3, 100):
        left = allowed

        def cut(source: Any, target: Any) -> None:
            nonlocal left
            if left == 0:
                raise Killed
            left -= 1
            rename(source, target)

        monkeypatch.setattr(os, "replace", cut)
        try:
            train_model(make_network(), make_task(recipe), folder)
        except Killed:
            cuts += 1

    assert cuts == 5
    assert read_history(folder) == read_history(whole)
    assert {path.name for path in folder.iterdir()} == {LAST_FILE, BEST_FILE, HISTORY_FILE, LOG_FOLDER}
    for found, expected in zip(final_weights(folder), final_weights(whole), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_a_power_cut_at_any_write_blends_once(
    tmp_path: Path,
    recipe: Recipe,
    make_task: Callable[[Recipe], Task],
    make_network: Callable[[], Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recipe = replace(
        recipe, phases=(replace(recipe.phases[1], epochs=1, weight_interpolation=0.5), replace(recipe.phases[0]))
    )
    for name in ("whole", "cut"):
        (tmp_path / name).mkdir()
    train_model(make_network(), make_task(recipe), tmp_path / "whole")
    rename = os.replace
    left = 0

    def cut(source: Any, target: Any) -> None:
        nonlocal left
        if left == 0:
            raise Killed
        left -= 1
        rename(source, target)

    monkeypatch.setattr(os, "replace", cut)
    cuts = 0
    for allowed in (6, 0, 1, 100):  # the sixth write is that of the blended weights
        left = allowed
        try:
            train_model(make_network(), make_task(recipe), tmp_path / "cut")
        except Killed:
            cuts += 1

    assert cuts == 3
    assert (tmp_path / "cut" / HISTORY_FILE).read_text().count("\n") == 4
    assert read_history(tmp_path / "cut") == read_history(tmp_path / "whole")
    for found, expected in zip(final_weights(tmp_path / "cut"), final_weights(tmp_path / "whole"), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_a_finished_training_is_not_trained_again(
    whole: Path, recipe: Recipe, make_task: Callable[[Recipe], Task], make_network: Callable[[], Any]
) -> None:
    model = make_network()

    def refuse(stage: str, done: int, total: int, note: str = "") -> None:
        raise AssertionError(f"{stage} went on")

    state = train_model(model, make_task(recipe), whole, refuse)

    assert state.finished
    assert state.epoch == EPOCHS


def test_a_checkpoint_of_another_network_is_refused(
    whole: Path, recipe: Recipe, make_task: Callable[[Recipe], Task]
) -> None:
    other = keras.Sequential([keras.Input((8, 8, 3), dtype="uint8"), keras.layers.Flatten(), keras.layers.Dense(3)])

    with pytest.raises(TrainError, match=rf"{LAST_FILE}.*train again"):
        train_model(other, make_task(recipe), whole)


def test_a_damaged_checkpoint_is_refused(
    whole: Path, tmp_path: Path, recipe: Recipe, make_task: Callable[[Recipe], Task], make_network: Callable[[], Any]
) -> None:
    content = (whole / LAST_FILE).read_bytes()
    (tmp_path / LAST_FILE).write_bytes(content[: len(content) // 2])

    with pytest.raises(TrainError, match=LAST_FILE):
        train_model(make_network(), make_task(recipe), tmp_path)
