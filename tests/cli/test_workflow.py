"""The stages as functions of the public interface."""

import inspect
from dataclasses import fields
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import trailcam
from trailcam import workflow
from trailcam_core.classifier import BUILTIN_BUNDLE
from trailcam_core.errors import TrainError

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def test_the_stages_are_public_and_documented() -> None:
    for name in ("train", "resume", "export", "benchmark"):
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


def test_train_from_an_earlier_run_asks_for_what_the_command_would(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trailcam_train.run import retraining

    asked: list[Any] = []
    monkeypatch.setattr(retraining, "start_retraining", lambda request, progress: asked.append(request))

    trailcam.train("new", tmp_path / "second", earlier="runs/first", settings=["seed=3"], others="others")
    trailcam.train("new", tmp_path / "second", earlier=trailcam.Earlier(Path("runs/first"), learns="whole", replay=7))

    first, second = asked
    assert (first.data, first.run, first.recipe_name) == (Path("new"), tmp_path / "second", None)
    assert first.earlier == trailcam.Earlier(Path("runs/first"))
    assert (first.settings, first.ood) == (("seed=3",), Path("others"))
    assert (second.earlier.learns, second.earlier.replay) == ("whole", 7)


def test_an_earlier_run_beside_a_split_is_a_mistake_of_the_caller(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="leave out split"):
        trailcam.train("new", tmp_path / "second", earlier="runs/first", split="split.csv")


def test_train_takes_what_describes_the_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from trailcam_train.run import field_training, training

    asked: list[Any] = []
    monkeypatch.setattr(training, "start_training", lambda request, progress: asked.append((request, None)))
    monkeypatch.setattr(
        field_training, "start_field_training", lambda request, negatives, progress: asked.append((request, negatives))
    )

    trailcam.train("photos", tmp_path / "run", "cnn", label_map="none", group_by="folder", others="others")
    trailcam.train("photos", tmp_path / "run", "cnn", negatives="negatives")

    (plain, _), (field, negatives) = asked
    assert (plain.label_map, plain.group_by, plain.ood) == ("none", "folder", Path("others"))
    assert (field.data, negatives) == (Path("photos"), Path("negatives"))


@pytest.mark.parametrize("stage", [trailcam.train, trailcam.export])
def test_an_unknown_option_is_refused_with_the_valid_ones(stage: Any) -> None:
    with pytest.raises(TypeError, match=r"no option 'otters', expected one of .*others"):
        stage("photos", "run", otters="others")


def test_resume_asks_for_what_the_command_would(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from trailcam_train.run import training

    asked: list[Any] = []
    monkeypatch.setattr(training, "resume_training", lambda *given: asked.append(given))

    trailcam.resume("runs/mine", data=str(tmp_path))
    trailcam.resume("runs/mine", others="others")

    (run, _, data, others), (_, _, _, moved) = asked
    assert (run, data, others) == (Path("runs/mine"), tmp_path, None)
    assert moved == Path("others")


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

    foreign = {} if labels is None else {"labels": labels}
    trailcam.export(model, data="photos", **foreign, name="b", version="2.1.0", gate="strict", earlier="a.bundle")

    (request,) = asked
    assert (request.name, request.version, request.gate.name) == ("b", "2.1.0", "strict")
    assert request.earlier == Path("a.bundle")
    assert (request.run is None) == (labels is not None)
    assert (request.foreign is None) == (labels is None)
    assert [variant.name for variant in request.variants] == variants


def test_export_of_an_onnx_model_takes_mean_deviation_and_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    from trailcam_export.run import export

    asked: list[Any] = []
    monkeypatch.setattr(export, "export_run", lambda request, progress: asked.append(request.foreign))
    mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]

    trailcam.export("a.onnx", data="photos", labels="l.txt", mean=mean, std=std, fit="crop")
    trailcam.export("a.keras", data="photos", labels="l.txt", input_range=(-1.0, 1.0))

    onnx, plain = asked
    assert (onnx.statistics, onnx.fit, onnx.value_range) == ((tuple(mean), tuple(std)), "crop", None)
    assert (plain.statistics, plain.fit, plain.value_range) == (None, "stretch", (-1.0, 1.0))


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        ("a.onnx", {"labels": "l.txt", "mean": (0.5,) * 3}, "mean and std go together"),
        ("a.keras", {"labels": "l.txt", "mean": (0.5,) * 3, "std": (0.5,) * 3}, "are for an ONNX model"),
        (
            "a.onnx",
            {"labels": "l.txt", "mean": (0.5,) * 3, "std": (0.5,) * 3, "input_range": (0.0, 1.0)},
            "either mean and std, or input_range",
        ),
        (
            "a.onnx",
            {"labels": "l.txt", "mean": (0.5,), "std": (0.5,) * 3},
            r"mean is \(0\.5,\), expected three numbers",
        ),
        ("a.onnx", {"labels": "l.txt", "fit": "squeeze"}, "fit is 'squeeze', expected one of crop, letterbox, stretch"),
        ("runs/a", {"fit": "crop"}, "fit: belongs to a foreign model"),
        ("runs/a", {"input_range": (0.0, 1.0)}, "input_range: belongs to a foreign model"),
    ],
)
def test_contradicting_options_of_a_foreign_model_are_a_mistake_of_the_caller(
    model: str, options: Any, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        trailcam.export(model, data="photos", **options)


def test_none_is_an_option_that_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    from trailcam.workflow_options import ExportOptions, TrainOptions
    from trailcam_export.run import export
    from trailcam_train.run import training

    asked: list[Any] = []
    monkeypatch.setattr(training, "start_training", lambda request, progress: asked.append(request))
    monkeypatch.setattr(export, "export_run", lambda request, progress: asked.append(request))
    no_train: Any = dict.fromkeys(TrainOptions.__annotations__)
    no_export: Any = dict.fromkeys(ExportOptions.__annotations__)

    for given in ({}, no_train):
        trailcam.train("photos", "run", "cnn", **given)
    for given in ({}, no_export):
        trailcam.export("runs/a", **given)

    assert asked[0] == asked[1]
    assert asked[2] == asked[3]


def test_an_earlier_run_takes_none_as_not_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from trailcam_train.run import retraining

    asked: list[Any] = []
    monkeypatch.setattr(retraining, "start_retraining", lambda request, progress: asked.append(request))

    trailcam.train("new", tmp_path / "second", earlier="runs/first", split=None, negatives=None)

    assert asked[0].negatives is None


def test_benchmark_measures_a_bundle() -> None:
    result = trailcam.benchmark([BUILTIN_BUNDLE], frames=2, min_time_s=0.0, rounds=1)

    (row,) = [row for row in result.rows if row.kind == "model"]
    assert row.latency is not None
    assert "rows" in [item.name for item in fields(result)]


def test_benchmark_measures_accuracy_on_named_pictures(tmp_path: Path) -> None:
    from trailcam_core.bundle.folder import open_bundle

    label = open_bundle(BUILTIN_BUNDLE).manifest.output.labels[0]
    (tmp_path / label).mkdir()
    cv2.imwrite(str(tmp_path / label / "a.png"), np.zeros((64, 64, 3), np.uint8))

    result = trailcam.benchmark([BUILTIN_BUNDLE], frames=2, min_time_s=0.0, rounds=1, data=tmp_path)

    (row,) = [row for row in result.rows if row.kind == "model"]
    assert row.accuracy is not None
    assert row.accuracy.n == 1


def test_benchmark_of_nothing_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="at least one bundle"):
        trailcam.benchmark([])
