"""The stages as functions of the public interface."""

import inspect
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

import trailcam
from trailcam import workflow
from trailcam_core.classifier import BUILTIN_BUNDLE
from trailcam_core.errors import TrainError

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def test_the_stages_are_public_and_documented() -> None:
    for name in ("train", "export", "benchmark"):
        function = getattr(trailcam, name)
        assert function is getattr(workflow, name)
        described = inspect.getdoc(function) or ""
        for parameter in inspect.signature(function).parameters:
            assert f"    {parameter}: " in described


def test_train_asks_for_what_the_command_would(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from trailcam_train.run import training

    asked: list[Any] = []
    monkeypatch.setattr(training, "start_training", lambda request, progress: asked.append(request))

    trailcam.train("photos", tmp_path / "run", recipe="cnn", settings=["batch_size=4"], split="split.csv")

    (request,) = asked
    assert (request.data, request.run, request.split) == (Path("photos"), tmp_path / "run", Path("split.csv"))
    assert (request.recipe.name, request.recipe.batch_size) == ("cnn", 4)


def test_train_without_a_recipe_takes_the_proposal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from trailcam_train.run import training

    for label in ("fox", "hare"):
        (tmp_path / label).mkdir()
        (tmp_path / label / "a.jpg").write_bytes(b"")
    asked: list[Any] = []
    monkeypatch.setattr(training, "start_training", lambda request, progress: asked.append(request))

    trailcam.train(tmp_path, tmp_path / "run")

    assert asked[0].recipe.weights == "imagenet"


def test_an_unknown_recipe_is_the_error_of_the_command(tmp_path: Path) -> None:
    with pytest.raises(TrainError, match="recipe 'elephant': unknown"):
        trailcam.train("photos", tmp_path / "run", recipe="elephant")


@pytest.mark.parametrize(
    ("model", "labels", "variants"),
    [("runs/a", None, ["float32", "int8"]), ("a.onnx", "labels.txt", ["onnx-float32", "onnx-int8"])],
)
def test_export_takes_a_run_or_a_foreign_model(
    model: str, labels: str | None, variants: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from trailcam_export.run import export

    asked: list[Any] = []
    monkeypatch.setattr(export, "export_run", lambda request, progress: asked.append(request))

    trailcam.export(model, data="photos", labels=labels)

    (request,) = asked
    assert (request.run is None) == (labels is not None)
    assert (request.foreign is None) == (labels is None)
    assert [variant.name for variant in request.variants] == variants


def test_benchmark_measures_a_bundle() -> None:
    result = trailcam.benchmark([BUILTIN_BUNDLE], frames=2, min_time_s=0.0, rounds=1)

    (row,) = [row for row in result.rows if row.kind == "model"]
    assert row.latency is not None
    assert "rows" in [item.name for item in fields(result)]


def test_benchmark_of_nothing_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="at least one bundle"):
        trailcam.benchmark([])
