"""The last feature map as a second output: found in real graphs, taken away again, refused where there is none."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import pytest

from trailcam_core.errors import ExportError
from trailcam_core.inference.onnx import OnnxModel
from trailcam_core.inference.tflite import TFLiteModel
from trailcam_core.spec import FeatureMap
from trailcam_export.convert.onnx_feature_map import add_onnx_feature_map
from trailcam_export.convert.quantise import quantise
from trailcam_export.convert.to_onnx import convert_onnx_float32, quantise_onnx
from trailcam_export.convert.to_tflite import convert_float32
from trailcam_export.tflite.checks import check_graph
from trailcam_export.tflite.feature_map import add_feature_map, without_feature_map

MAP = FeatureMap(5, 4, 6)


@pytest.fixture(scope="module")
def network() -> keras.Model:
    """(32, 32, 3) uint8 to 3 logits; its last map is not square and negative in places."""
    keras.utils.set_random_seed(3)
    pixels = keras.Input((40, 32, 3), dtype="uint8")
    x = keras.layers.Rescaling(1 / 127.5, -1)(keras.ops.cast(pixels, "float32"))
    x = keras.layers.Conv2D(6, 3, strides=8, padding="same", activation="tanh", bias_initializer="normal")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(pixels, keras.layers.Dense(3)(x))


@pytest.fixture(scope="module")
def images() -> Any:
    random = np.random.default_rng(0)
    return random.integers(0, 256, (6, 40, 32, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def truth(network: keras.Model, images: Any) -> Any:
    """The feature map of the trained model."""
    inner = keras.Model(network.inputs[0], network.layers[-2].input)
    return np.asarray(inner(images, training=False))


def _check(path: Path, before: Any, images: Any, truth: Any, tolerance: float) -> None:
    model = (OnnxModel if path.suffix == ".onnx" else TFLiteModel)(path)
    assert model.feature_map_shape == MAP.shape
    for image, expected, old in zip(images, truth, before, strict=True):
        scores, features = model.invoke_with_features(image[None])
        assert np.array_equal(scores, old)
        assert np.abs(features - expected).max() < tolerance


@pytest.mark.parametrize(("scheme", "tolerance"), [("float32", 1e-4), ("int8", 0.06), ("int16x8", 0.06)])
def test_a_tflite_file_gives_its_map_and_the_scores_of_before(
    network: keras.Model, images: Any, truth: Any, tmp_path: Path, scheme: str, tolerance: float
) -> None:
    content = convert_float32(network) if scheme == "float32" else quantise(network, scheme, images)
    plain, path = tmp_path / "plain.tflite", tmp_path / "map.tflite"
    plain.write_bytes(content)
    changed, found = add_feature_map(content, scheme)
    path.write_bytes(changed)
    assert found == MAP
    model = TFLiteModel(plain)
    _check(path, [model.invoke(image[None]) for image in images], images, truth, tolerance)
    check_graph(changed, scheme, (40, 32, 3), 3, MAP)
    with pytest.raises(ExportError, match="further outputs"):
        check_graph(changed, scheme, (40, 32, 3), 3)
    plain.write_bytes(without_feature_map(changed))
    assert TFLiteModel(plain).feature_map_shape is None


@pytest.mark.parametrize(("scheme", "tolerance"), [("float32", 1e-4), ("int8", 0.06)])
def test_an_onnx_file_gives_its_map_rows_first(
    network: keras.Model, images: Any, truth: Any, tmp_path: Path, scheme: str, tolerance: float
) -> None:
    content = convert_onnx_float32(network)
    content = content if scheme == "float32" else quantise_onnx(content, images)
    plain, path = tmp_path / "plain.onnx", tmp_path / "map.onnx"
    onnx.save(content, plain)
    changed, found = add_onnx_feature_map(content, f"onnx-{scheme}")
    onnx.save(changed, path)
    assert found == MAP
    model = OnnxModel(plain)
    _check(path, [model.invoke(image[None]) for image in images], images, truth, tolerance)


def test_a_network_without_places_is_refused_with_the_variant() -> None:
    pixels = keras.Input((32, 32, 3), dtype="uint8")
    x = keras.layers.Rescaling(1 / 255)(keras.ops.cast(pixels[:, 0, 0], "float32"))
    dense = keras.Model(pixels, keras.layers.Dense(3)(x))
    with pytest.raises(ExportError, match="float32: the network has no feature map"):
        add_feature_map(convert_float32(dense), "float32")
