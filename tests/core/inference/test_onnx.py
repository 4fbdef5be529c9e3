"""Real ONNX files on ONNX Runtime: the tiny ones of ``fixtures/``."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from trailcam_core.bundle.folder import describe_file, write_bundle
from trailcam_core.bundle.golden_file import GoldenVectors, golden_to_bytes
from trailcam_core.classifier import Classifier
from trailcam_core.errors import BundleError, DeviceError
from trailcam_core.inference import runtimes
from trailcam_core.inference.onnx import OnnxModel
from trailcam_core.inference.open_model import open_model
from trailcam_core.inference.tflite import TFLiteModel
from trailcam_core.spec import ModelEntry

Image = npt.NDArray[np.uint8]


def _write_onnx_bundle(write_tiny_bundle: Any, models: Path, path: Path, name: str) -> Path:
    """A bundle of an ONNX file with the golden vectors of its TFLite twin."""
    tflite = write_tiny_bundle(path.with_suffix(".tflite-bundle"), "float_bundle")
    model = models / f"{name}.onnx"
    entry = ModelEntry(**vars(describe_file(model, "model.onnx")), format="onnx", scheme="float32")
    manifest = replace(tflite.manifest, model=entry)
    write_bundle(path, manifest, model, (tflite.path / "golden.npz").read_bytes())
    return path


def test_onnx_gives_the_scores_of_its_tflite_twin(models: Path) -> None:
    random = np.random.default_rng(0)
    twin, model = TFLiteModel(models / "float_bundle.tflite"), OnnxModel(models / "float_bundle.onnx", num_threads=2)
    assert (model.input_size, model.class_count) == (twin.input_size, twin.class_count)
    assert (model.input.dtype, model.output.dtype, model.output.scale) == ("uint8", "float32", 0.0)
    for _ in range(3):
        image = random.integers(0, 256, (1, 32, 32, 3), dtype=np.uint8)
        scores = model.invoke(image)
        assert scores.dtype == np.float32
        assert scores.shape == (4,)
        assert np.abs(scores - twin.invoke(image)).max() < 1e-4


def test_an_onnx_bundle_classifies_and_replays_unchanged(
    models: Path, tmp_path: Path, write_tiny_bundle: Any, colours: dict[str, Image]
) -> None:
    classifier = Classifier.open(_write_onnx_bundle(write_tiny_bundle, models, tmp_path / "o.bundle", "float_bundle"))
    assert classifier.replay_golden().passed
    assert {label: classifier.classify(image).label for label, image in colours.items()} == {
        label: label for label in colours
    }


def test_an_onnx_bundle_that_ends_with_a_softmax_is_refused(
    models: Path, tmp_path: Path, write_tiny_bundle: Any
) -> None:
    assert OnnxModel(models / "softmax.onnx").gives_probabilities
    assert not OnnxModel(models / "float_bundle.onnx").gives_probabilities
    path = _write_onnx_bundle(write_tiny_bundle, models, tmp_path / "o.bundle", "softmax")
    with pytest.raises(BundleError, match="ends with a softmax"):
        Classifier.open(path)


def test_another_onnx_model_fails_the_replay(
    models: Path, tmp_path: Path, write_tiny_bundle: Any, golden: GoldenVectors
) -> None:
    path = _write_onnx_bundle(write_tiny_bundle, models, tmp_path / "o.bundle", "float_bundle")
    swapped = golden_to_bytes(replace(golden, images=np.ascontiguousarray(golden.images[..., ::-1])))
    (tmp_path / "golden.npz").write_bytes(swapped)
    manifest = Classifier.open(path).bundle.manifest
    entry = replace(manifest.golden, **vars(describe_file(tmp_path / "golden.npz", "golden.npz")))
    write_bundle(tmp_path / "s.bundle", replace(manifest, golden=entry), models / "float_bundle.onnx", swapped)
    assert "colour order" in str(Classifier.open(tmp_path / "s.bundle").replay_golden().culprit)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("float_in", "the model's input is float32, expected uint8"),
        ("one_channel", r"the model's input is \(1, 32, 32, 1\), expected \(1, height, width, 3\)"),
        ("any_batch", r"the model's input is \('batch', 32, 32, 3\), expected fixed sizes"),
        ("two_outputs", "the model has 2 outputs, expected 1"),
    ],
)
def test_an_onnx_model_that_is_no_image_classifier_is_refused_by_name(models: Path, name: str, message: str) -> None:
    with pytest.raises(BundleError, match=message):
        OnnxModel(models / f"{name}.onnx")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04" + bytes(100), bytes(1_000)])
def test_what_is_no_onnx_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(BundleError, match="ONNX Runtime cannot load this model"):
        OnnxModel(path)


def test_a_missing_file_and_an_unknown_suffix_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="No such file"):
        open_model(tmp_path / "model.onnx")
    with pytest.raises(BundleError, match=r"expected \.tflite or \.onnx"):
        open_model(tmp_path / "model.pb")


def test_an_input_of_another_shape_is_a_wrong_call(models: Path) -> None:
    with pytest.raises(ValueError, match=r"input_tensor must be \(1, 32, 32, 3\) uint8"):
        OnnxModel(models / "float_bundle.onnx").invoke(np.zeros((1, 64, 64, 3), np.uint8))


def test_without_onnx_runtime_the_message_says_what_to_install(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found: Callable[[str], Any] = runtimes.importlib.import_module

    def hide(name: str) -> Any:
        if name == "onnxruntime":
            raise ModuleNotFoundError("No module named 'onnxruntime'", name="onnxruntime")
        return found(name)

    monkeypatch.setattr(runtimes.importlib, "import_module", hide)
    with pytest.raises(DeviceError, match=r"pip install .*\[onnx\]"):
        OnnxModel(models / "float_bundle.onnx")
    assert open_model(models / "float_bundle.tflite").class_count == 4


def test_a_tflite_bundle_loads_no_onnx_runtime() -> None:
    code = (
        "import sys; from trailcam import Classifier; Classifier.open(); "
        "assert 'ai_edge_litert' in sys.modules; assert 'onnxruntime' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
