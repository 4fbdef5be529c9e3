from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from trailcam_core.errors import TrainError
from trailcam_train.models.backbones import (
    FrozenBatchNormalization,
)
from trailcam_train.models.runtime import load_network
from trailcam_train.recipe.schema import Recipe
from trailcam_train.recipe.toml import override
from trailcam_train.recipes.find import build_network, find_recipe, recipe_names, save_network

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

    assert (recipe.optimizer, recipe.weights) == ("adam", "none")
    assert (recipe.augmentation.shear, recipe.augmentation.zoom, recipe.augmentation.flip) == (0.2, 0.2, 0.5)
    assert [phase.epochs for phase in recipe.phases] == [20]


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_can_be_built_and_splits_alike(name: str) -> None:
    recipe = find_recipe(name)
    assert (recipe.seed, recipe.validation, recipe.test) == (0, 0.15, 0.15)
    sides = ["input.height=71", "input.width=71"]  # the least of Xception
    from_nothing = ["weights=none", "batch_norm=train", "phases.head.epochs=0"]
    settings = [*sides, *(from_nothing if recipe.weights == "imagenet" else [])]

    assert build_network(override(recipe, settings), 3, "float32").output_shape == (None, 3)


def test_the_long_cnn_has_the_layers_of_the_article_and_new_views_in_every_epoch() -> None:
    long, article = find_recipe("cnn_long"), find_recipe("cnn")

    def shapes(recipe: Recipe) -> list[Any]:
        return [tuple(weight.shape) for weight in build_network(recipe, 10, "float32").weights]

    assert shapes(long) == shapes(article)
    assert [phase.epochs for phase in long.phases] == [150]
    assert (long.distillation.views, long.phases[0].views) == (0, 0)
    assert 0 < long.augmentation.crop_area_min <= 0.5


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


def test_a_network_with_held_statistics_is_saved_with_plain_layers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(keras.applications, "MobileNetV2", lambda **options: tiny_backbone())
    monkeypatch.setattr("trailcam_train.recipes.mobilenet_v2.load_weights", lambda *arguments: None)
    recipe = small("mobilenet_v2")
    model = build_network(recipe, 3, "float32")
    assert isinstance(model.get_layer("stem_bn"), FrozenBatchNormalization)

    save_network(model, recipe, tmp_path / "model.keras")

    loaded = load_network(tmp_path / "model.keras")
    assert type(loaded.get_layer("stem_bn")) is keras.layers.BatchNormalization
    np.testing.assert_allclose(loaded(PIXELS), model(PIXELS), atol=1e-6)


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


def test_a_size_that_the_network_cannot_take_is_refused() -> None:
    recipe = override(
        find_recipe("xception"),
        ["weights=none", "batch_norm=train", "phases.head.epochs=0", "input.height=64", "input.width=64"],
    )

    with pytest.raises(TrainError, match=r"recipe xception: the network cannot be built for 64x64 px.*71x71"):
        build_network(recipe, 3, "float32")


def test_the_recipes_of_the_design_are_there() -> None:
    assert {"cnn", "efficientnet_lite0", "mobilenet_v2", "xception", "xception_128"} <= set(recipe_names())


def test_dashes_in_a_name_count_as_underscores() -> None:
    assert find_recipe("xception-128").input.height == 128


def test_an_unknown_recipe_names_those_that_exist() -> None:
    with pytest.raises(TrainError, match=r"'resnet'.*cnn.*xception_128"):
        find_recipe("resnet")


@pytest.mark.parametrize("name", ["cnn", "cnn_long"])
def test_a_network_from_scratch_begins_with_the_body_of_a_named_file(name: str, tmp_path: Path) -> None:
    """The file has other layer numbers and another number of labels."""
    keras.utils.set_random_seed(4)
    first = build_network(small("cnn"), 3, "float32")
    save_network(first, small("cnn"), tmp_path / "first.keras")
    again = build_network(small(name, f"weights={tmp_path / 'first.keras'}"), 5, "float32")
    assert again.output_shape == (None, 5)
    for found, expected in zip(again.layers[:-1], first.layers[:-1], strict=True):
        for value, wanted in zip(found.get_weights(), expected.get_weights(), strict=True):
            np.testing.assert_array_equal(value, wanted)
    with pytest.raises(TrainError, match=r"nowhere\.keras: no such file"):
        build_network(small(name, "weights=nowhere.keras"), 5, "float32")
