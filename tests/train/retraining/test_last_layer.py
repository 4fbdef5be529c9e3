"""The last layer of a network that gets new labels."""

from pathlib import Path

import keras
import numpy as np
import pytest

from trailcam_core.errors import TrainError
from trailcam_train.recipes.find import find_recipe
from trailcam_train.retraining.earlier_answers import widen_answers
from trailcam_train.retraining.last_layer import Pictures, begin_outputs, find_head, has_same_trunk, take_over


def test_a_new_output_begins_with_its_own_pictures_and_old_outputs_stay() -> None:
    rng = np.random.default_rng(0)
    centres = np.array([[4.0, 0, 0, 0], [0, 4, 0, 0], [0, 0, 4, 0]])
    class_ids = np.repeat(np.arange(3), 30).astype(np.int32)
    features = centres[class_ids] + rng.normal(0, 0.5, (90, 4))
    kernel, bias = centres[:2].T, np.zeros(2)

    wide, shift = begin_outputs(features, class_ids, kernel, bias, 3)

    assert np.array_equal(wide[:, :2], np.float32(kernel))
    assert np.array_equal(shift[:2], np.float32(bias))
    logits = features @ wide + shift
    old, new = logits[class_ids < 2], logits[class_ids == 2]
    assert (old.argmax(axis=1) == class_ids[class_ids < 2]).all()
    assert new[:, 2].mean() == pytest.approx(new[:, :2].max(axis=1).mean(), abs=1e-4)


def test_earlier_answers_know_no_new_label_and_give_its_own_pictures_to_it() -> None:
    logits = np.array([[2.0, -1.0], [2.0, -1.0]])

    wide = widen_answers(logits, np.array([0, 2], np.int32), 3)

    share = np.exp(wide) / np.exp(wide).sum(axis=1, keepdims=True)
    assert share[0, 2] < 1e-4
    assert share[1, 2] == pytest.approx(0.9)
    assert wide[1, 0] - wide[1, 1] == pytest.approx(3.0)


def test_the_head_is_the_last_dense_layer_with_the_dropout_before_it() -> None:
    layers = keras.layers
    network = keras.Sequential(
        [keras.Input((4,)), layers.Dense(3), layers.Dropout(0.1, name="drop"), layers.Dense(2, name="logits")]
    )

    assert find_head(network, "x") == "drop"
    assert find_head(keras.Sequential([keras.Input((4,)), layers.Dense(2, name="logits")]), "x") == "logits"
    with pytest.raises(TrainError, match="does not end in a dense layer"):
        find_head(keras.Sequential([keras.Input((4,)), layers.Dense(2), layers.Softmax()]), "x")


def test_weights_of_another_network_are_refused() -> None:
    def network(width: int) -> keras.Model:
        return keras.Sequential([keras.Input((4,)), keras.layers.Dense(width), keras.layers.Dense(2)])

    with pytest.raises(TrainError, match="another backbone"):
        take_over(network(3), network(5), find_recipe("cnn"), Pictures((), Path(), ("fox", "hare")))


def test_the_trunk_is_all_but_the_last_layer() -> None:
    def network(count: int) -> keras.Model:
        keras.utils.set_random_seed(1)
        return keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), keras.layers.Dense(count)])

    first, second = network(2), network(5)
    assert has_same_trunk(first, second)
    second.layers[0].bias.assign(np.ones(3))
    assert not has_same_trunk(first, second)
