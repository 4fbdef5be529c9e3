from pathlib import Path

import keras
import numpy as np
import pytest

from trailcam_train.models.backbones import FrozenBatchNormalization
from trailcam_train.models.fused_batch_norm import fuse_batch_norm

_CHANCE = np.random.default_rng(0)
_IMAGES = _CHANCE.normal(1, 3, (6, 9, 7, 3)).astype(np.float32)
_TARGETS = np.eye(4)[[0, 1, 2, 3, 0, 1]]


def _network(precision: str = "float32") -> keras.Model:
    """Return a network with a map to normalize in a network inside it, one outside, and a vector."""
    layers = keras.layers
    keras.utils.set_random_seed(1)
    inner = keras.Sequential([keras.Input((9, 7, 3)), layers.Conv2D(8, 3), layers.BatchNormalization()], name="inner")
    network = keras.Sequential(
        [
            keras.Input((9, 7, 3)),
            inner,
            layers.ReLU(),
            layers.Conv2D(6, 3),
            layers.BatchNormalization(momentum=0.7, epsilon=0.01, name="outer"),
            layers.GlobalAveragePooling2D(),
            layers.BatchNormalization(),
            layers.Dense(4, dtype="float32"),
        ]
    )
    for layer in (*inner.layers, *network.layers):
        if not isinstance(layer, keras.Model) and layer.name != "dense":
            layer.dtype_policy = precision
    return network


def _train(network: keras.Model, steps: int = 5) -> list[float]:
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    network.compile(keras.optimizers.SGD(0.1), loss=loss, jit_compile=False)
    return [float(network.train_on_batch(_IMAGES, _TARGETS)) for _ in range(steps)]


def _operations(network: keras.Model) -> set[str]:
    import tensorflow as tf

    step = tf.function(lambda images: network(images, training=True)).get_concrete_function(_IMAGES)
    return {operation.type for operation in step.graph.get_operations()}


@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-5), ("mixed_bfloat16", 0.03)])
def test_a_network_with_fused_normalization_learns_the_same(precision: str, tolerance: float) -> None:
    plain, fused = _network(precision), _network(precision)
    fuse_batch_norm(fused)
    np.testing.assert_allclose(_train(fused), _train(plain), rtol=tolerance)
    for found, expected in zip(fused.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)
    answers = (network.predict(_IMAGES, verbose=0) for network in (fused, plain))
    np.testing.assert_allclose(*answers, rtol=tolerance, atol=tolerance)


def test_feature_maps_alone_are_normalized_by_the_fused_operation() -> None:
    network = _network()
    assert "FusedBatchNormV3" not in _operations(network)
    fuse_batch_norm(network)
    assert "FusedBatchNormV3" in _operations(network)


def test_a_frozen_layer_keeps_its_statistics() -> None:
    network = _network()
    fuse_batch_norm(network)
    outer = network.get_layer("outer")
    outer.trainable = False
    before = [np.array(value) for value in outer.get_weights()]
    _train(network)
    for found, expected in zip(outer.get_weights(), before, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_a_layer_that_keeps_the_statistics_of_its_weights_goes_on_keeping_them() -> None:
    network = keras.Sequential([keras.Input((9, 7, 3)), FrozenBatchNormalization(), keras.layers.ReLU()])
    fuse_batch_norm(network)
    images = np.asarray(network(_IMAGES, training=True))
    np.testing.assert_array_equal(images, np.asarray(network(_IMAGES, training=False)))


def test_the_saved_network_needs_nothing_of_it(tmp_path: Path) -> None:
    network = _network()
    fuse_batch_norm(network)
    _train(network)
    network.save(tmp_path / "network.keras")
    loaded = keras.models.load_model(tmp_path / "network.keras")
    assert type(loaded.get_layer("outer")) is keras.layers.BatchNormalization
    np.testing.assert_array_equal(loaded.predict(_IMAGES, verbose=0), network.predict(_IMAGES, verbose=0))
