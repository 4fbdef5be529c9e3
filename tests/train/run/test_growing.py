"""A training on growing pictures, through the command line."""

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import pytest

from trailcam.main import main
from trailcam_core.datasets.run_directory import read_run
from trailcam_train.fitting.loop import train_model
from trailcam_train.models.runtime import load_network
from trailcam_train.recipe.schema import Phase, Recipe
from trailcam_train.recipes import cnn
from trailcam_train.retraining.earlier import WHOLE, Earlier, retraining_recipe
from trailcam_train.run import training

pytestmark = pytest.mark.usefixtures("eager")

PHASES = (Phase("small", 2, 0.01, scale=0.5), Phase("whole", 1, 0.01))


def build(recipe: Recipe, class_count: int) -> keras.Model:
    """A network for pictures of any size, built as a recipe does."""
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((recipe.input.height, recipe.input.width, 3), dtype="uint8", name="pixels"),
            layers.Rescaling(1 / 255, name="rescaling", dtype="float32"),
            layers.Conv2D(4, 3, strides=2, name="stem"),
            layers.GlobalAveragePooling2D(name="head"),
            layers.Dense(class_count, dtype="float32", name="logits"),
        ],
        name="small",
    )


def words(data: Path, root: Path, name: str, *settings: str) -> list[str]:
    line = ["train", str(data), "--recipe", "cnn", "--runs", str(root), "--name", name]
    return line + [word for setting in settings for word in ("--set", setting)]


def test_a_student_on_growing_pictures_goes_on_after_ctrl_c(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cnn, "build", build)
    assert main(words(photos, tmp_path, "teacher", "input.height=32", "input.width=32", "phases.all.epochs=1")) == 0
    teacher = tmp_path / "teacher"
    monkeypatch.setattr(cnn, "RECIPE", replace(cnn.RECIPE, phases=PHASES))
    line = words(photos, tmp_path, "student", "input.height=64", "input.width=64", "distillation.features=2")
    sizes: list[int] = []

    def interrupted(model: Any, task: Any, folder: Path, progress: Any) -> Any:
        def at_scale(scale: float) -> Any:
            sized, smaller = task.at_scale(scale)
            sizes.append(next(iter(smaller.validation.epoch(0)))[0].shape[1])
            return sized, smaller

        def stop(stage: str, done: int, total: int, note: str = "") -> None:
            if stage == "training" and done == task.batches + 1 and len(sizes) == 1:
                raise KeyboardInterrupt

        return train_model(model, replace(task, at_scale=at_scale), folder, stop)

    monkeypatch.setattr(training, "train_model", interrupted)
    assert main([*line, "--teacher", str(teacher), "--split", str(teacher / "split.csv")]) == 130
    assert main(["train", "--resume", str(tmp_path / "student")]) == 0

    assert sizes == [32, 32]
    run = read_run(tmp_path / "student")
    assert load_network(run.model_path).input_shape == (None, 64, 64, 3)
    with open(run.path / "history.csv", newline="") as file:
        assert [row["phase"] for row in csv.DictReader(file)] == ["small", "small", "whole"]
    assert "validated on, pictures of 32x32 px" in (run.path / "report.html").read_text()


def test_a_network_that_cannot_grow_is_refused_before_a_picture_is_read(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cnn, "RECIPE", replace(cnn.RECIPE, phases=PHASES))

    assert main(words(photos, tmp_path, "growing")) == 1

    assert 'Train with "--set phases.small.scale=1"' in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_run_on_growing_pictures_is_taken_up_on_those_of_its_input(recipe: Recipe) -> None:
    how = Earlier(Path("runs/first"), learns=WHOLE)

    taken_up = retraining_recipe(recipe, (*PHASES, Phase("later", 1, 0.1)), how, "head")

    assert [phase.name for phase in taken_up.phases] == ["head", "whole", "later"]
