import http.client
import urllib.error
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from trailcam_core.errors import TrainError
from trailcam_train.models import backbones
from trailcam_train.models.backbones import (
    HeldBatchNormalization,
    ImageNetFile,
    behind_pixels,
    load_weights,
)
from trailcam_train.models.build import build_network, load_network, save_network
from trailcam_train.recipe.schema import Recipe, find_recipe
from trailcam_train.recipe.toml import override

PIXELS = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
SMALL = ("input.height=32", "input.width=32")


def small(name: str, *settings: str) -> Recipe:
    return override(find_recipe(name), [*SMALL, *settings])


def tiny_backbone(width: int = 8) -> keras.Model:
    layers = keras.layers
    pictures = keras.Input((32, 32, 3))
    x = layers.Conv2D(width, 3, strides=2, padding="same", use_bias=False, name="stem_conv")(pictures)
    x = layers.BatchNormalization(name="stem_bn")(x)
    x = layers.ReLU(6.0, name="stem_act")(x)
    shortcut = x
    x = layers.DepthwiseConv2D(3, padding="same", name="dw")(x)
    return keras.Model(pictures, layers.Add(name="add")([shortcut, x]), name="tiny")


def test_the_cnn_is_the_article_s_layer_by_layer() -> None:
    model = build_network(find_recipe("cnn"), 10, "float32")

    def say(layer: Any) -> tuple[Any, ...]:
        kind = type(layer).__name__
        if kind == "Conv2D":
            return kind, layer.filters, layer.kernel_size, layer.strides, layer.padding, layer.activation.__name__
        if kind == "MaxPooling2D":
            return kind, layer.pool_size, layer.strides
        if kind == "Dense":
            return kind, layer.units, layer.activation.__name__
        return (kind, layer.rate) if kind == "Dropout" else (kind,)

    assert model.input_shape == (None, 128, 128, 3)
    assert [say(layer) for layer in model.layers] == [
        ("Rescaling",),
        ("Conv2D", 64, (3, 3), (1, 1), "same", "relu"),
        ("BatchNormalization",),
        ("Conv2D", 32, (5, 5), (2, 2), "same", "relu"),
        ("MaxPooling2D", (2, 2), (2, 2)),
        ("Dropout", 0.4),
        ("Conv2D", 64, (5, 5), (2, 2), "same", "relu"),
        ("MaxPooling2D", (2, 2), (2, 2)),
        ("BatchNormalization",),
        ("Dropout", 0.4),
        ("Flatten",),
        ("Dropout", 0.4),
        ("Dense", 64, "relu"),
        ("BatchNormalization",),
        ("Dense", 10, "linear"),
    ]


def test_the_cnn_trains_as_the_article_does() -> None:
    recipe = find_recipe("cnn")

    assert (recipe.optimizer, recipe.validation, recipe.weights) == ("adam", 0.2, "none")
    assert (recipe.augmentation.shear, recipe.augmentation.zoom, recipe.augmentation.flip) == (0.2, 0.2, 0.5)
    assert [phase.epochs for phase in recipe.phases] == [20]


def test_a_saved_network_takes_raw_pixels_and_answers_as_before(tmp_path: Path) -> None:
    recipe = small("cnn")
    model = build_network(recipe, 3, "float32")
    before = model.predict_on_batch(PIXELS)

    save_network(model, recipe, tmp_path / "model.keras")
    loaded = load_network(tmp_path / "model.keras")

    assert loaded.inputs[0].dtype == "uint8"
    np.testing.assert_array_equal(loaded.predict_on_batch(PIXELS), before)
    assert [path.name for path in tmp_path.iterdir()] == ["model.keras"]


def test_a_network_trained_in_mixed_precision_is_saved_in_float32(tmp_path: Path) -> None:
    recipe = small("cnn")
    model = build_network(recipe, 3, "mixed_bfloat16")
    assert model.layers[1].compute_dtype == "bfloat16"

    save_network(model, recipe, tmp_path / "model.keras")

    loaded = load_network(tmp_path / "model.keras")
    assert {layer.dtype_policy.name for layer in loaded.layers} == {"float32"}
    assert keras.config.dtype_policy().name == "float32"


def test_a_backbone_gives_the_same_features_behind_pixels() -> None:
    backbone = tiny_backbone()
    model = keras.Model(*behind_pixels(backbone, 32, 32, 1 / 128, -127 / 128, trains_statistics=False))

    expected = backbone((PIXELS.astype(np.float32) - 127) / 128, training=False)

    assert model.input.dtype == "uint8"
    np.testing.assert_allclose(model(PIXELS), expected, atol=1e-5)  # float32 rounding


def test_the_graph_behind_pixels_is_flat_and_takes_another_size() -> None:
    model = keras.Model(*behind_pixels(tiny_backbone(), 48, 64, 1.0, 0.0, trains_statistics=False))

    assert [type(layer).__name__ for layer in model.layers] == [
        "InputLayer",
        "Rescaling",
        "Conv2D",
        "HeldBatchNormalization",
        "ReLU",
        "DepthwiseConv2D",
        "Add",
    ]
    assert model.output_shape == (None, 24, 32, 8)


@pytest.mark.parametrize("trains_statistics", [False, True])
def test_batch_norm_keeps_its_statistics_in_training_where_asked(trains_statistics: bool) -> None:
    model = keras.Model(*behind_pixels(tiny_backbone(), 32, 32, 1 / 128, -1.0, trains_statistics))
    layer = model.get_layer("stem_bn")
    model.compile(keras.optimizers.SGD(0.1), loss="mse")

    model.train_on_batch(PIXELS, np.ones((2, 16, 16, 8), np.float32))

    assert np.any(keras.ops.convert_to_numpy(layer.moving_mean.value)) == trains_statistics  # it starts at zero
    assert np.any(keras.ops.convert_to_numpy(layer.beta.value))  # so does this, and it learns either way


def test_a_network_with_held_statistics_is_saved_with_plain_layers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(keras.applications, "MobileNetV2", lambda **options: tiny_backbone())
    monkeypatch.setattr("trailcam_train.recipes.mobilenet_v2.load_weights", lambda *arguments: None)
    recipe = small("mobilenet_v2")
    model = build_network(recipe, 3, "float32")
    assert isinstance(model.get_layer("stem_bn"), HeldBatchNormalization)

    save_network(model, recipe, tmp_path / "model.keras")

    loaded = load_network(tmp_path / "model.keras")
    assert type(loaded.get_layer("stem_bn")) is keras.layers.BatchNormalization
    np.testing.assert_allclose(loaded(PIXELS), model(PIXELS), atol=1e-6)


def test_a_keras_file_gives_its_weights_by_layer_name_and_another_is_refused(tmp_path: Path) -> None:
    model, source = tiny_backbone(), tiny_backbone()
    source.save(tmp_path / "tiny.keras")
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]).save(tmp_path / "other.keras")

    load_weights(model, str(tmp_path / "tiny.keras"), imagenet=None)

    for found, expected in zip(model.get_weights(), source.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)
    with pytest.raises(TrainError, match=r"stem_conv.*missing"):
        load_weights(model, str(tmp_path / "other.keras"), imagenet=None)


@pytest.mark.parametrize(("recipe", "network"), [("xception", "Xception"), ("mobilenet_v2", "MobileNetV2")])
def test_recipes_put_their_head_on_a_backbone_of_keras(
    recipe: str, network: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stand_in(**options: Any) -> keras.Model:
        assert options["include_top"] is False
        assert options["input_shape"] == (32, 32, 3)
        return tiny_backbone()

    monkeypatch.setattr(keras.applications, network, stand_in)

    model = build_network(small(recipe, "weights=none", "batch_norm=train", "phases.head.epochs=0"), 10, "float32")

    assert model.get_layer("rescaling").scale * 255 + model.get_layer("rescaling").offset == 1
    head = [type(layer).__name__ for layer in model.layers][7:]
    between = ["Dense"] if recipe == "xception" else []
    assert head == ["GlobalAveragePooling2D", *between, "Dropout", "Dense"]
    assert model.layers[7].name == "head"
    assert (model.layers[-1].name, model.output_shape) == ("logits", (None, 10))
    if recipe == "xception":
        assert (model.layers[8].units, model.layers[8].activation.__name__) == (516, "relu")


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


def test_a_size_that_the_network_cannot_take_is_refused() -> None:
    recipe = override(
        find_recipe("xception"),
        ["weights=none", "batch_norm=train", "phases.head.epochs=0", "input.height=64", "input.width=64"],
    )

    with pytest.raises(TrainError, match=r"recipe xception: the network cannot be built for 64x64 px.*71x71"):
        build_network(recipe, 3, "float32")


def test_missing_weights_say_what_to_name() -> None:
    with pytest.raises(TrainError, match=r"nowhere\.keras.*--weights PATH"):
        load_weights(tiny_backbone(), "nowhere.keras", imagenet=None)


def test_a_backbone_without_published_weights_says_so() -> None:
    with pytest.raises(TrainError, match=r"no published Keras file.*--weights PATH"):
        load_weights(tiny_backbone(), "imagenet", imagenet=None)


@pytest.mark.parametrize("error", [urllib.error.URLError("no route to host"), http.client.IncompleteRead(b"half", 9)])
def test_no_network_names_the_file_and_where_to_put_it(
    error: Exception, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(*arguments: Any, **options: Any) -> None:
        raise error

    monkeypatch.setattr(backbones.urllib.request, "urlopen", refuse)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    published = ImageNetFile("some_weights.h5", "https://example.org/weights")

    with pytest.raises(TrainError, match=r"https://example\.org/weights/some_weights\.h5") as caught:
        load_weights(tiny_backbone(), "imagenet", published)

    assert str(tmp_path / ".keras" / "models" / "some_weights.h5") in str(caught.value)
    assert not list(tmp_path.rglob("*.h5"))
