"""Keras models that were trained elsewhere become raw pixels in, logits out, or are refused with what to do."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest

from trailcam_core.errors import ExportError
from trailcam_export.convert.onnx_check import check_onnx
from trailcam_export.convert.to_onnx import convert_onnx_float32
from trailcam_export.convert.to_tflite import with_float_input
from trailcam_export.keras_model.load_foreign_model import open_foreign_model
from trailcam_export.tflite.inspect import kernel_size

from .conftest import LABELS, Layers, network, opened_model, preprocessed, rescaling


def _softmax(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(exponents / exponents.sum(axis=1, keepdims=True), np.float32)


def test_a_rescaling_layer_says_that_the_input_is_raw_levels(save: Any, pictures: Any) -> None:
    model = network(rescaling())
    opened = opened_model(save(model))
    assert opened.inputs[0].dtype == "uint8"
    assert np.allclose(opened(pictures), model(pictures.astype(np.float32)), atol=1e-4)


def test_a_rescaling_layer_for_zero_to_one_is_told_from_it(save: Any, pictures: Any) -> None:
    model = network(keras.layers.Rescaling(2.0, offset=-1))
    assert np.allclose(opened_model(save(model))(pictures), model(pictures / np.float32(255)), atol=1e-4)


@pytest.mark.parametrize("low_high", [(0.0, 1.0), (-1.0, 1.0), (0.0, 255.0)])
def test_a_stated_range_is_put_inside(save: Any, pictures: Any, low_high: tuple[float, float]) -> None:
    model = network()
    low, high = low_high
    expected = model((pictures * ((high - low) / 255) + low).astype(np.float32))
    assert np.allclose(opened_model(save(model), low_high)(pictures), expected, atol=1e-3)


def test_a_stated_range_wins_over_what_a_layer_seems_to_say_and_is_noted(save: Any, pictures: Any) -> None:
    model = network(rescaling())
    opened, notes = open_foreign_model(save(model), LABELS, (0.0, 1.0))
    assert np.allclose(opened(pictures), model(pictures / np.float32(255)), atol=1e-4)
    assert "was used, although the first layer" in notes[0]
    assert "0 to 255" in notes[0]
    assert open_foreign_model(save(model), LABELS, (0.0, 255.0))[1] == ()


@pytest.mark.parametrize(
    ("scale", "offset"),
    [
        ([1 / (255 * 0.229), 1 / (255 * 0.224), 1 / (255 * 0.225)], [-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225]),
        (1.0, -127.5),
        (1.0, [-103.939, -116.779, -123.68]),
    ],
    ids=["mean and deviation", "centred levels", "mean of each channel"],
)
def test_every_usual_scaling_of_levels_is_known(save: Any, pictures: Any, scale: Any, offset: Any) -> None:
    model = network(keras.layers.Rescaling(scale, offset=offset))
    assert np.allclose(opened_model(save(model))(pictures), model(pictures.astype(np.float32)), rtol=1e-4, atol=1e-3)


def test_mean_and_deviation_of_shares_are_told_from_those_of_levels(save: Any, pictures: Any) -> None:
    scale = [1 / 0.229, 1 / 0.224, 1 / 0.225]
    model = network(keras.layers.Rescaling(scale, offset=[-0.45 * factor for factor in scale]))
    assert np.allclose(opened_model(save(model))(pictures), model(pictures / np.float32(255)), atol=1e-3)


def test_a_rescaling_layer_that_does_not_read_the_input_itself_says_nothing(save: Any) -> None:
    inner = network(rescaling())
    inputs = keras.Input((32, 32, 3))
    with pytest.raises(ExportError, match="does not state its range"):
        open_foreign_model(save(keras.Model(inputs, inner(inputs * 255))), LABELS)


def test_a_rescaling_layer_inside_a_nested_model_behind_augmentation_says_the_range(save: Any, pictures: Any) -> None:
    inner = network(keras.Sequential([keras.layers.RandomFlip()]), rescaling())
    inputs = keras.Input((32, 32, 3))
    model = keras.Model(inputs, inner(keras.layers.GaussianNoise(0.1)(inputs)))
    assert np.allclose(opened_model(save(model))(pictures), model(pictures.astype(np.float32)), atol=1e-4)


@pytest.mark.parametrize(
    "last",
    [
        lambda: [keras.layers.Dense(3, activation="softmax")],
        lambda: [keras.layers.Dense(3), keras.layers.Softmax()],
        lambda: [keras.layers.Dense(3), keras.layers.Activation("softmax")],
        lambda: [keras.layers.Dense(3), keras.ops.softmax],
        lambda: [keras.Sequential([keras.layers.Dense(4), keras.layers.Dense(3, activation="softmax")])],
    ],
    ids=["activation", "layer", "activation layer", "operation", "nested"],
)
def test_a_softmax_at_the_end_is_taken_off_once(save: Any, pictures: Any, last: Callable[[], Layers]) -> None:
    model = network(rescaling(), last=last())
    logits = np.asarray(opened_model(save(model))(pictures))
    assert np.abs(logits.sum(axis=1) - 1).max() > 1e-3
    assert np.allclose(_softmax(logits), model(pictures.astype(np.float32)), atol=1e-4)


def test_logits_stay_logits(save: Any, pictures: Any) -> None:
    model = network(rescaling())
    assert np.allclose(opened_model(save(model))(pictures), model(pictures.astype(np.float32)), atol=1e-4)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_a_mixed_precision_model_is_rebuilt_in_float32(save: Any, pictures: Any, policy: str) -> None:
    keras.config.set_dtype_policy(policy)
    try:
        model = network(rescaling())
    finally:
        keras.config.set_dtype_policy("float32")
    opened = opened_model(save(model))
    assert opened.outputs[0].dtype == "float32"
    assert {layer.compute_dtype for layer in opened.layers} <= {"float32", "uint8"}
    expected = np.asarray(keras.ops.cast(model(pictures.astype(np.float32)), "float32"))
    assert np.allclose(opened(pictures), expected, atol=0.05)


def test_augmentation_and_noise_inside_the_graph_are_taken_out(save: Any, pictures: Any) -> None:
    augment = keras.Sequential([keras.layers.RandomFlip(), keras.layers.RandomRotation(0.1)])
    model = network(augment, rescaling(), keras.layers.GaussianNoise(0.3))
    opened = opened_model(save(model))
    expected = np.asarray(model(pictures.astype(np.float32), training=False))
    for training in (False, True):
        assert np.allclose(opened(pictures, training=training), expected, atol=1e-4)


def test_a_sequential_model_with_batch_normalisation_keeps_its_statistics(save: Any, pictures: Any) -> None:
    model = keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            rescaling(),
            keras.layers.Conv2D(4, 3),
            keras.layers.BatchNormalization(),
            keras.layers.Flatten(),
            keras.layers.Dense(3),
        ]
    )
    mean = model.layers[2].moving_mean
    mean.assign(np.full(mean.shape, 0.3, np.float32))
    opened = opened_model(save(model))
    assert np.allclose(opened(pictures), model(pictures.astype(np.float32)), atol=1e-4)
    copy = with_float_input(opened)
    assert np.allclose(copy(pictures[:1].astype(np.float32)), opened(pictures[:1]), atol=1e-4)


@pytest.mark.parametrize("settings", [{}, {"mean": [0.4, 0.5, 0.6], "variance": [0.04, 0.05, 0.06]}])
def test_a_normalisation_keeps_its_mean_and_variance(save: Any, pictures: Any, settings: dict[str, Any]) -> None:
    layer = keras.layers.Normalization(**settings)
    if not settings:
        layer.adapt(pictures.astype(np.float32) / np.float32(255))
    model = network(keras.layers.Rescaling(1 / 255), layer)
    opened = opened_model(save(model))
    assert np.allclose(opened(pictures), model(pictures.astype(np.float32)), atol=1e-4)
    assert np.allclose(with_float_input(opened)(pictures[:1].astype(np.float32)), opened(pictures[:1]), atol=1e-4)
    check_onnx(convert_onnx_float32(opened), "float32", (32, 32, 3), 3, kernel_size(opened))


@pytest.mark.parametrize("softmax", [keras.layers.Softmax, lambda: keras.layers.Activation("softmax", dtype="float32")])
def test_a_softmax_layer_at_the_end_of_a_nested_functional_model_is_taken_off(
    save: Any, pictures: Any, softmax: Callable[[], Any]
) -> None:
    core = network(keras.layers.Identity(), last=[keras.layers.Dense(3), softmax()])
    inputs = keras.Input((32, 32, 3))
    model = keras.Model(inputs, core(rescaling()(inputs)))
    logits = np.asarray(opened_model(save(model))(pictures))
    assert np.abs(logits.sum(axis=1) - 1).max() > 1e-3
    assert np.allclose(_softmax(logits), model(pictures.astype(np.float32)), atol=1e-4)


def test_a_sequential_model_that_was_built_by_its_first_batch_is_taken(save: Any, pictures: Any) -> None:
    model = keras.Sequential([rescaling(), keras.layers.Flatten(), keras.layers.Dense(3)])
    model(np.zeros((7, 32, 32, 3), np.float32))
    assert model.outputs[0].shape == (7, 3)
    expected = np.concatenate([model(pictures.astype(np.float32))])
    assert np.allclose(opened_model(save(model))(pictures), expected, atol=1e-4)


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        (lambda x: x / 127.5 - 1.0, (0, 255)),
        (lambda x: (x - 127.5) / 127.5, (0, 255)),
        (lambda x: x / 255.0, (0, 255)),
        (lambda x: x * (1 / 255), (0, 255)),
        (lambda x: (x - 0.5) * 2.0, (0, 1)),
        (lambda x: x[..., ::-1] - np.array([103.939, 116.779, 123.68], np.float32), (0, 255)),
        (keras.applications.mobilenet_v2.preprocess_input, (0, 255)),
    ],
)
def test_the_operations_of_a_preprocess_input_state_the_range(save: Any, steps: Any, expected: tuple[int, int]) -> None:
    path = save(preprocessed(steps))
    model, notes = open_foreign_model(path, LABELS)
    white = np.full((1, 32, 32, 3), 255, np.uint8)
    theirs = keras.models.load_model(path, compile=False)(np.full((1, 32, 32, 3), float(expected[1]), np.float32))
    assert np.allclose(model(white), theirs, atol=1e-4)
    assert notes == ()
    other = (-1.0, 1.0)
    assert "was used, although the first layer" in open_foreign_model(path, LABELS, other)[1][0]
