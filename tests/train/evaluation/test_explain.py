"""Grad-CAM and feature maps of small networks, of the recipes, and on another backend."""

import importlib.util
import os
import subprocess
import sys
from dataclasses import replace
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest

from trailcam_train.evaluation.explain import feature_maps, grad_cam
from trailcam_train.recipes.find import build_network, find_recipe

pytestmark = pytest.mark.usefixtures("eager")

layers = keras.layers
IMAGES = np.random.default_rng(0).integers(0, 256, (3, 16, 12, 3)).astype(np.uint8)
CLASS_IDS = np.array([0, 1, 1])


def body() -> list[Any]:
    return [
        layers.Rescaling(1 / 255),
        layers.Conv2D(5, 3, strides=2, activation="relu", name="first_conv"),
        layers.MaxPooling2D(2, name="first_pool"),
        layers.Conv2D(6, 2, activation="relu", name="last_conv"),
    ]


def network(*rest: Any) -> keras.Model:
    keras.utils.set_random_seed(1)
    return keras.Sequential([keras.Input((16, 12, 3), dtype="uint8"), *rest])


def run_until(model: keras.Model, name: str) -> npt.NDArray[np.float32]:
    return np.asarray(keras.Model(model.inputs[0], model.get_layer(name).output)(IMAGES))


def normalised(maps: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.floating[Any]]:
    maps = np.maximum(maps, 0)
    return np.asarray(maps / np.maximum(maps.max(axis=(1, 2), keepdims=True), 1e-12))


def test_with_pooling_and_one_dense_layer_it_is_the_class_activation_map() -> None:
    """Features times dense weights: Zhou et al., "Learning deep features for discriminative localization", 2016."""
    model = network(*body(), layers.GlobalAveragePooling2D(), layers.Dropout(0.99), layers.Dense(2, name="logits"))
    weights = np.asarray(model.get_layer("logits").kernel)[:, CLASS_IDS]  # (C, N)

    expected = np.einsum("nhwc,cn->nhw", run_until(model, "last_conv"), weights)
    np.testing.assert_allclose(grad_cam(model, IMAGES, CLASS_IDS), normalised(expected), atol=1e-4)


def test_behind_a_flatten_the_gradient_is_what_small_steps_measure() -> None:
    model = network(
        *body(), layers.Flatten(name="flat"), layers.Dense(7, activation="tanh"), layers.BatchNormalization(),
        layers.Dense(2),
    )  # fmt: skip
    features = run_until(model, "last_conv")
    head = keras.Model(model.get_layer("flat").input, model.outputs[0])
    step, slopes = 1e-2, np.zeros((3, features.shape[-1]))
    for channel in range(features.shape[-1]):  # a step of a whole channel sums the gradient over its places
        shift = np.zeros(features.shape, np.float32)
        shift[..., channel] = step
        rise = np.asarray(head(features + shift)) - np.asarray(head(features - shift))
        slopes[:, channel] = rise[np.arange(3), CLASS_IDS] / (2 * step)

    expected = normalised(np.einsum("nhwc,nc->nhw", features, slopes))
    np.testing.assert_allclose(grad_cam(model, IMAGES, CLASS_IDS), expected, atol=1e-2)


def test_the_map_lies_where_the_picture_speaks_for_the_class() -> None:
    """A network that measures red: a red corner lights up for the class that wants red and not for the other."""
    model = network(
        layers.Rescaling(1 / 255), layers.Conv2D(1, 1, use_bias=False), layers.AveragePooling2D(2),
        layers.GlobalAveragePooling2D(), layers.Dense(2, use_bias=False),
    )  # fmt: skip
    model.set_weights([np.array([1.0, 0, 0]).reshape(1, 1, 3, 1), np.array([[1.0, -1.0]])])
    image = np.zeros((16, 12, 3), np.uint8)
    image[:4, 8:, 0] = 255

    maps = grad_cam(model, np.stack([image, image]), np.array([0, 1]))
    assert maps.shape == (2, 8, 6)
    assert (maps[0] == 1).sum() == (maps[0] > 0).sum() == 4
    assert maps[0, :2, 4:].min() == 1
    assert maps[1].max() == 0


def test_compiled_it_gives_the_same() -> None:
    model = network(*body(), layers.Flatten(), layers.Dense(2))
    one_by_one = grad_cam(model, IMAGES, CLASS_IDS)
    if keras.backend.backend() == "tensorflow":
        import tensorflow

        tensorflow.config.run_functions_eagerly(False)
    try:
        compiled = grad_cam(model, IMAGES, CLASS_IDS)
    finally:
        if keras.backend.backend() == "tensorflow":
            tensorflow.config.run_functions_eagerly(True)

    np.testing.assert_allclose(compiled, one_by_one, atol=1e-5)


def test_the_model_stays_as_it_was() -> None:
    model = network(*body(), layers.BatchNormalization(), layers.Flatten(), layers.Dense(2))
    before = [np.array(array) for array in model.get_weights()]

    grad_cam(model, IMAGES, CLASS_IDS)

    assert all(layer.trainable for layer in model.layers)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_layers_of_a_model_inside_the_model_are_found() -> None:
    flat = network(*body(), layers.GlobalAveragePooling2D(), layers.Dense(2))
    inside = keras.Sequential([keras.Input((16, 12, 3)), *body()[1:]])
    nested = network(layers.Rescaling(1 / 255), inside, layers.GlobalAveragePooling2D(), layers.Dense(2))
    nested.set_weights(flat.get_weights())

    np.testing.assert_allclose(grad_cam(nested, IMAGES, CLASS_IDS), grad_cam(flat, IMAGES, CLASS_IDS), atol=1e-5)
    assert [maps.layer for maps in feature_maps(nested, IMAGES[0])] == ["first_conv", "first_pool"]


def test_feature_maps_are_the_outputs_of_the_first_layers() -> None:
    model = network(*body(), layers.Flatten(), layers.Dense(2))

    convolution, pooling = feature_maps(model, IMAGES[0])

    assert (convolution.kind, convolution.layer, convolution.maps.shape) == ("convolution", "first_conv", (7, 5, 5))
    assert (pooling.kind, pooling.layer, pooling.maps.shape) == ("pooling", "first_pool", (3, 2, 5))
    np.testing.assert_allclose(convolution.maps, run_until(model, "first_conv")[0], rtol=1e-5)
    np.testing.assert_allclose(pooling.maps, run_until(model, "first_pool")[0], rtol=1e-5)


def test_a_network_without_convolution_has_neither() -> None:
    model = network(layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(2))

    assert grad_cam(model, IMAGES, CLASS_IDS).shape == (3, 0, 0)
    assert feature_maps(model, IMAGES[0]) == ()


def test_a_head_that_starts_in_two_places_has_no_grad_cam() -> None:
    pixels = keras.Input((16, 12, 3), dtype="uint8")
    x = layers.Conv2D(4, 3)(layers.Rescaling(1 / 255)(pixels))
    later = layers.Conv2D(4, 3)(x)
    both = layers.Concatenate()([layers.GlobalAveragePooling2D()(x), layers.GlobalAveragePooling2D()(later)])
    model = keras.Model(pixels, layers.Dense(2)(both))

    assert grad_cam(model, IMAGES, CLASS_IDS).shape == (3, 0, 0)
    assert [maps.kind for maps in feature_maps(model, IMAGES[0])] == ["convolution"]


def test_a_gate_inside_the_network_is_not_taken_for_its_head() -> None:
    """Squeeze-and-excitation loses its places and regains them in the middle of the network."""
    pixels = keras.Input((16, 12, 3), dtype="uint8")
    x = layers.Conv2D(4, 3, activation="relu")(layers.Rescaling(1 / 255)(pixels))
    gate = layers.Reshape((1, 1, 4))(layers.Dense(4, activation="sigmoid")(layers.GlobalAveragePooling2D()(x)))
    x = layers.Conv2D(5, 3, name="behind")(layers.Multiply()([x, gate]))
    model = keras.Model(pixels, layers.Dense(2)(layers.Flatten()(layers.GlobalMaxPooling2D(keepdims=True)(x))))

    assert grad_cam(model, IMAGES, CLASS_IDS).shape == (3, 12, 8)


ON_JAX = """
import keras, numpy as np
from trailcam_train.evaluation.explain import grad_cam
pixels = keras.Input((4, 4, 3), dtype="uint8")
x = keras.layers.Conv2D(2, 1, name="conv")(keras.layers.Rescaling(1 / 255)(pixels))
model = keras.Model(pixels, keras.layers.Dense(2, name="out")(keras.layers.GlobalAveragePooling2D()(x)))
image = np.random.default_rng(0).integers(0, 256, (1, 4, 4, 3)).astype(np.uint8)
features = image / 255 @ np.asarray(model.get_layer("conv").kernel)[0, 0]
expected = np.maximum(features @ np.asarray(model.get_layer("out").kernel)[:, 1], 0)
expected /= max(expected.max(), 1e-12)
assert keras.backend.backend() == "jax"
np.testing.assert_allclose(grad_cam(model, image, np.array([1])), expected, atol=1e-4)
"""


@pytest.mark.skipif(not importlib.util.find_spec("jax"), reason="JAX is not installed")
def test_another_backend_gives_the_same_maps() -> None:
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    subprocess.run([sys.executable, "-c", ON_JAX], env=environment, check=True, timeout=300)


@pytest.mark.parametrize(
    ("name", "size_px", "kinds", "places"),
    [
        ("cnn", 64, ["convolution", "pooling"], 4),
        ("efficientnet_lite0", 64, ["convolution"], 2),
        ("xception", 96, ["convolution", "pooling"], 3),
    ],
)
def test_networks_of_recipes_can_be_looked_into(name: str, size_px: int, kinds: list[str], places: int) -> None:
    recipe = find_recipe(name)
    recipe = replace(recipe, weights="none", batch_norm="train")
    recipe = replace(recipe, input=replace(recipe.input, height=size_px, width=size_px))
    model = build_network(recipe, 2, "float32")
    images = np.random.default_rng(0).integers(0, 256, (1, size_px, size_px, 3)).astype(np.uint8)

    assert grad_cam(model, images, np.array([1])).shape == (1, places, places)
    assert [maps.kind for maps in feature_maps(model, images[0])] == kinds
