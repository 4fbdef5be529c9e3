"""A foreign ONNX model through the command line: two bundles, the drift gate, and the check of its pixel range."""

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from trailcam.main import main
from trailcam_core.bundle.folder import open_bundle
from trailcam_core.classifier import Classifier


def _colour_model() -> Callable[..., onnx.ModelProto]:
    spec = importlib.util.spec_from_file_location("open_onnx_tests", Path(__file__).with_name("test_open_onnx.py"))
    assert spec is not None
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.colour_model


@pytest.fixture
def words(tmp_path: Path, tiny: Any) -> list[str]:
    onnx.save(_colour_model()(), tmp_path / "theirs.onnx")
    (tmp_path / "labels.txt").write_text("0 blue\n1 green\n2 red\n")
    model = ["--model", str(tmp_path / "theirs.onnx"), "--labels", str(tmp_path / "labels.txt")]
    return ["export", *model, "--data", str(tiny.data), "--out", str(tmp_path / "out")]


def test_an_onnx_model_becomes_a_float_and_an_int8_bundle(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "--input-range", "0", "1", "--json"]) == 0

    record = json.loads(capsys.readouterr().out)
    assert [item["variant"] for item in record["variants"]] == ["onnx-float32", "onnx-int8"]
    for name in ("onnx-float32", "onnx-int8"):
        bundle = open_bundle(tmp_path / "out" / "theirs" / f"{name}.bundle")
        assert bundle.manifest.output.labels == ("blue", "green", "red")
        picture = np.full((32, 32, 3), (200, 40, 40), np.uint8)
        assert Classifier.open(bundle).classify(picture).top[0].label == "red"


def test_tflite_variants_of_an_onnx_model_are_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words, "--input-range", "0", "1", "--variants", "int8"]) == 1

    assert "an ONNX model becomes ONNX bundles alone, not int8" in capsys.readouterr().err


def test_a_file_that_is_missing_or_converted_already_is_named(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = words.index("--model") + 1
    words[model] = str(tmp_path / "nowhere.onnx")
    assert main(words) == 1
    assert "nowhere.onnx: no such file" in capsys.readouterr().err

    (tmp_path / "theirs.tflite").write_bytes(b"TFL3")
    words[model] = str(tmp_path / "theirs.tflite")
    assert main(words) == 1
    assert '"trailcam classify --model FILE --labels FILE"' in capsys.readouterr().err


@pytest.mark.parametrize(
    "options",
    [
        ["--mean", "0.5", "0.5", "0.5"],
        ["--mean", "0", "0", "0", "--std", "1", "1", "1", "--input-range", "0", "1"],
    ],
)
def test_contradictory_ranges_are_usage_errors(options: list[str], words: list[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([*words, *options])

    assert stopped.value.code == 2
