"""``train --negatives`` lists the negatives that the built-in bundle names, and refuses those of one scene."""

import csv
import logging
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from trailcam_core.errors import DataError, TrainError
from trailcam_train.recipe.schema import Recipe
from trailcam_train.recipes.find import find_recipe
from trailcam_train.run import field_training
from trailcam_train.run.training import TrainingRequest


def _write(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = np.random.default_rng(seed).integers(0, 256, (7, 9, 3), np.uint8)
    assert cv2.imwrite(str(path), cv2.resize(coarse, (200, 160), interpolation=cv2.INTER_CUBIC))


class _Builtin:
    """Names every second picture."""

    def __init__(self) -> None:
        self.asked = 0

    def classify(self, image: Any) -> Any:
        self.asked += 1
        return SimpleNamespace(label="sheep" if self.asked % 2 else None, confidence=0.97)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Requests that reached the training itself."""
    requests: list[Any] = []
    monkeypatch.setattr(field_training, "start_training", lambda request, progress: requests.append(request))
    monkeypatch.setattr(field_training.Classifier, "open", _Builtin)
    return requests


def _request(tmp_path: Path) -> TrainingRequest:
    for label in ("red", "blue"):
        for number in range(4):
            _write(tmp_path / "data" / label / f"{number}.png", len(label) * 100 + number)
    recipe = find_recipe("cnn")
    field = replace(recipe.field, crops=0, empty_crops=0)
    return TrainingRequest(tmp_path / "data", replace(recipe, field=field), tmp_path / "run")


def test_negatives_that_may_hold_an_animal_are_listed_before_the_training(
    tmp_path: Path, started: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(4):
        _write(tmp_path / "negatives" / f"place{number}" / "a.png", number)
        _write(tmp_path / "negatives" / "animals" / f"kind{number}" / "b.png", 50 + number)
    with caplog.at_level(logging.WARNING):
        field_training.start_field_training(_request(tmp_path), tmp_path / "negatives")
    assert len(started) == 1
    rows = list(csv.DictReader((tmp_path / "run.data" / "suspects.csv").read_text().splitlines()))
    assert [(row["label"], row["confidence"]) for row in rows] == [("sheep", "0.970")] * 2
    assert all("place" in row["file"] for row in rows)  # other animals are animals
    assert "2 negatives are named by the earlier bundle" in caplog.text
    assert "suspects.csv" in caplog.text


def test_negatives_of_one_scene_are_refused_before_anything_is_made(tmp_path: Path, started: list[Any]) -> None:
    for number in range(5):
        _write(tmp_path / "negatives" / "yard" / f"{number}.png", 7)
    with pytest.raises(DataError, match="show 1 scene"):
        field_training.start_field_training(_request(tmp_path), tmp_path / "negatives")
    assert started == []
    assert not (tmp_path / "run.data").exists()


def test_weights_that_cannot_be_fetched_end_it_before_a_picture_is_read(
    tmp_path: Path, started: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(recipe: Recipe, progress: object) -> None:
        raise TrainError("no network")

    monkeypatch.setattr(field_training, "fetch_weights", fail)
    _write(tmp_path / "negatives" / "place" / "a.png", 1)
    with pytest.raises(TrainError, match="no network"):
        field_training.start_field_training(_request(tmp_path), tmp_path / "negatives")
    assert started == []
    assert not (tmp_path / "run.data").exists()
