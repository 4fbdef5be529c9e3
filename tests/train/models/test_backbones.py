from pathlib import Path

import keras
import numpy as np
import pytest

from trailcam_core.errors import TrainError
from trailcam_train.models.backbones import (
    load_weights,
    with_pixel_input,
)

PIXELS = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
SMALL = ("input.height=32", "input.width=32")


def tiny_backbone(width: int = 8) -> keras.Model:
    layers = keras.layers
    pictures = keras.Input((32, 32, 3))
    x = layers.Conv2D(width, 3, strides=2, padding="same", use_bias=False, name="stem_conv")(pictures)
    x = layers.BatchNormalization(name="stem_bn")(x)
    x = layers.ReLU(6.0, name="stem_act")(x)
    shortcut = x
    x = layers.DepthwiseConv2D(3, padding="same", name="dw")(x)
    return keras.Model(pictures, layers.Add(name="add")([shortcut, x]), name="tiny")


def test_a_backbone_gives_the_same_features_behind_pixels() -> None:
    backbone = tiny_backbone()
    model = keras.Model(*with_pixel_input(backbone, 32, 32, 1 / 128, -127 / 128, trains_statistics=False))

    expected = backbone((PIXELS.astype(np.float32) - 127) / 128, training=False)

    assert model.input.dtype == "uint8"
    np.testing.assert_allclose(model(PIXELS), expected, atol=1e-5)  # float32 rounding


def test_the_graph_behind_pixels_is_flat_and_takes_another_size() -> None:
    model = keras.Model(*with_pixel_input(tiny_backbone(), 48, 64, 1.0, 0.0, trains_statistics=False))

    assert [type(layer).__name__ for layer in model.layers] == [
        "InputLayer",
        "Rescaling",
        "Conv2D",
        "FrozenBatchNormalization",
        "ReLU",
        "DepthwiseConv2D",
        "Add",
    ]
    assert model.output_shape == (None, 24, 32, 8)


@pytest.mark.parametrize("trains_statistics", [False, True])
def test_batch_norm_keeps_its_statistics_in_training_where_asked(trains_statistics: bool) -> None:
    model = keras.Model(*with_pixel_input(tiny_backbone(), 32, 32, 1 / 128, -1.0, trains_statistics))
    layer = model.get_layer("stem_bn")
    model.compile(keras.optimizers.SGD(0.1), loss="mse")

    model.train_on_batch(PIXELS, np.ones((2, 16, 16, 8), np.float32))

    assert np.any(keras.ops.convert_to_numpy(layer.moving_mean.value)) == trains_statistics  # it starts at zero
    assert np.any(keras.ops.convert_to_numpy(layer.beta.value))  # so does this, and it learns either way


def test_a_keras_file_gives_its_weights_by_layer_name_and_another_is_refused(tmp_path: Path) -> None:
    model, source = tiny_backbone(), tiny_backbone()
    source.save(tmp_path / "tiny.keras")
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]).save(tmp_path / "other.keras")

    load_weights(model, str(tmp_path / "tiny.keras"), imagenet=None)

    for found, expected in zip(model.get_weights(), source.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)
    with pytest.raises(TrainError, match=r"stem_conv.*missing"):
        load_weights(model, str(tmp_path / "other.keras"), imagenet=None)


def test_layers_that_keras_numbered_itself_are_found_by_their_place(tmp_path: Path) -> None:
    """As in Xception, where a trained network and a fresh backbone of one process do not have the same names."""

    def build(px: int) -> keras.Model:
        pixels = keras.Input((px, px, 3))
        x = keras.layers.Conv2D(4, 3, name="block1")(pixels)
        x = keras.layers.BatchNormalization()(x)
        return keras.Model(pixels, keras.layers.Conv2D(4, 1)(x))

    trained, fresh = build(8), build(16)
    assert trained.layers[-1].name != fresh.layers[-1].name
    trained.save(tmp_path / "trained.keras")
    load_weights(fresh, str(tmp_path / "trained.keras"), imagenet=None)
    for given, taken in zip(trained.get_weights(), fresh.get_weights(), strict=True):
        np.testing.assert_array_equal(given, taken)


def test_a_weights_file_of_another_network_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "wide.weights.h5"
    tiny_backbone(16).save_weights(path)

    with pytest.raises(TrainError, match=r"wide\.weights\.h5.*tiny"):
        load_weights(tiny_backbone(), str(path), imagenet=None)


@pytest.mark.parametrize("name", ["broken.keras", "broken.weights.h5", "broken.h5"])
def test_a_file_that_is_no_model_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"not a model")

    with pytest.raises(TrainError, match=name):
        load_weights(tiny_backbone(), str(tmp_path / name), imagenet=None)


def test_a_file_whose_reader_aborts_costs_a_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "damaged.weights.h5"
    tiny_backbone().save_weights(path)
    read: list[Path] = []
    monkeypatch.setattr(
        "trailcam_core.files.keras_weights.read_in_child", lambda _, place: read.append(place) or "abort (SIGABRT)"
    )
    with pytest.raises(TrainError, match=r"made its reader abort \(SIGABRT\)"):
        load_weights(tiny_backbone(), str(path), imagenet=None)
    assert read == [path]


def test_missing_weights_say_what_to_name() -> None:
    with pytest.raises(TrainError, match=r"nowhere\.keras.*--weights PATH"):
        load_weights(tiny_backbone(), "nowhere.keras", imagenet=None)


def test_a_backbone_without_published_weights_says_so() -> None:
    with pytest.raises(TrainError, match=r"no published Keras file.*--weights PATH"):
        load_weights(tiny_backbone(), "imagenet", imagenet=None)


@pytest.mark.parametrize("name", ["xception.pth", "model.safetensors"])
def test_weights_of_pytorch_are_refused_with_the_recipes_that_take_them(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"PK")
    with pytest.raises(TrainError, match=rf"{name}: tiny takes .* Keras .* EfficientNet-Lite alone"):
        load_weights(tiny_backbone(), str(tmp_path / name), imagenet=None)
