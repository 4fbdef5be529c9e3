"""The frozen part of a network, run once per view."""

import os
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from trailcam_core.datasets.run_directory import SplitRow
from trailcam_core.errors import TrainError
from trailcam_train.fitting.frozen_features import cache_features, remove_features, split_network
from trailcam_train.input.share import WHOLE

# Keras 3.15 passes numpy's copy keyword on to TensorFlow tensors, which do not know it yet.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
)

_PICTURES = np.random.default_rng(0).integers(0, 256, (7, 16, 16, 3), np.uint8)
_CLASS_IDS = np.array([0, 1, 1, 0, 1, 0, 0], np.int32)


class Pictures:
    """Seven pictures in an order that changes with the epoch; every view is a little brighter than the one before."""

    batch_size = 3
    share = WHOLE

    def __init__(self) -> None:
        self.views: list[int] = []
        self.rows = tuple(SplitRow(f"{number}.jpg", "0" * 64, "train", "x") for number in range(7))

    def __len__(self) -> int:
        return 3

    def order(self, number: int) -> Any:
        return np.random.default_rng(number).permutation(7)

    def pixels(self, number: int) -> Any:
        return np.minimum(_PICTURES.astype(np.int32) + 10 * number, 255).astype(np.uint8)

    def view(self, number: int) -> Any:
        self.views.append(number)
        for start in range(0, 7, 3):
            yield self.pixels(number)[start : start + 3], _CLASS_IDS[start : start + 3]

    def epoch(self, number: int, start_batch: int = 0) -> Any:
        raise AssertionError("a trunk takes views, in which no picture is missing")


@pytest.fixture(scope="module")
def model() -> keras.Model:
    layers = keras.layers
    pixels = keras.Input((16, 16, 3), dtype="uint8")
    x = layers.Rescaling(1 / 255)(pixels)
    x = layers.Conv2D(4, 3, strides=2, name="first")(x)
    shortcut = x
    x = layers.Conv2D(4, 3, padding="same", name="second")(x)
    x = layers.Conv2D(4, 3, padding="same", name="third")(x)
    x = layers.Add(name="add")([shortcut, x])
    x = layers.GlobalAveragePooling2D(name="head")(x)
    return keras.Model(pixels, layers.Dense(2, name="logits")(x))


@pytest.mark.parametrize("first_layer", ["second", "head", "logits"])
def test_trunk_and_rest_together_are_the_network(model: keras.Model, first_layer: str) -> None:
    frozen, rest = split_network(model, first_layer)
    apart = rest.predict_on_batch(frozen.predict_on_batch(_PICTURES))
    assert np.allclose(apart, model.predict_on_batch(_PICTURES), atol=1e-6)


def test_the_rest_shares_its_weights_with_the_network(model: keras.Model) -> None:
    _, rest = split_network(model, "head")
    kernel = model.get_layer("logits").kernel
    before = kernel.numpy().copy()
    rest.get_layer("logits").kernel.assign(before + 1)
    assert np.allclose(kernel.numpy(), before + 1)
    kernel.assign(before)


def test_a_cut_through_a_shortcut_is_refused(model: keras.Model) -> None:
    with pytest.raises(TrainError, match="a connection leads around it"):
        split_network(model, "third")


def test_an_unknown_layer_lists_those_there_are(model: keras.Model) -> None:
    with pytest.raises(TrainError, match=r"expected one of .*second"):
        split_network(model, "block99")


def test_every_epoch_gives_the_trunk_s_output_for_its_view_and_order(model: keras.Model, tmp_path: Path) -> None:
    frozen, _ = split_network(model, "second")
    pictures = Pictures()
    stream = cache_features(frozen, pictures, 2, tmp_path, "top-training")
    for epoch in range(4):
        features, class_ids = (np.concatenate(parts) for parts in zip(*stream.epoch(epoch), strict=True))
        order = pictures.order(epoch)
        expected = frozen.predict_on_batch(pictures.pixels(epoch % 2))[order]
        assert np.array_equal(class_ids, _CLASS_IDS[order])
        assert np.allclose(features, expected, rtol=1e-3, atol=1e-3)  # float16 keeps eleven bits


def test_an_epoch_can_be_taken_up_in_the_middle(model: keras.Model, tmp_path: Path) -> None:
    stream = cache_features(split_network(model, "second")[0], Pictures(), 1, tmp_path, "top-training")
    whole, rest = list(stream.epoch(5)), list(stream.epoch(5, start_batch=2))
    assert len(whole) == len(stream) == 3
    assert np.array_equal(whole[2][0], rest[0][0])


def test_finished_views_are_taken_up_after_a_stop_and_unfinished_ones_are_not(
    model: keras.Model, tmp_path: Path
) -> None:
    frozen, _ = split_network(model, "second")
    cache_features(frozen, Pictures(), 2, tmp_path, "top-training")
    kept = tmp_path / "trunk-top-training-1.npy"
    kept.rename(kept.with_suffix(".unfinished"))  # as a kill in the second view leaves it
    pictures = Pictures()
    cache_features(frozen, pictures, 2, tmp_path, "top-training")
    assert pictures.views == [1]
    remove_features(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_an_error_before_the_first_picture_and_leaves_nothing(
    model: keras.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int, offset: int, length: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    pictures = Pictures()

    with pytest.raises(OSError, match="No space left") as caught:
        cache_features(split_network(model, "second")[0], pictures, 1, tmp_path, "top-training")

    assert str(tmp_path) in str(caught.value.filename)
    assert pictures.views == []
    assert not list(tmp_path.iterdir())
