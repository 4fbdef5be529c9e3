from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from trailcam_train.fitting.losses import make_accuracy, make_batch, make_loss
from trailcam_train.recipe.schema import Distillation, Recipe

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (4, 2, 2, 3), np.uint8)
STRANGE = RNG.integers(0, 256, (2, 2, 2, 3), np.uint8)
IDS = np.array([0, 1, 2, 1], np.int32)
LOGITS = RNG.normal(0, 2, (6, 3)).astype(np.float32)
ANSWERS = RNG.normal(0, 2, (4, 3)).astype(np.float32)
WEIGHTS = np.array([0.5, 1.0, 2.0], np.float32)


def log_softmax(logits: Any) -> Any:
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


def mean_loss(recipe: Recipe, answers: Any = None, outliers: Any = None) -> tuple[float, float]:
    """Return loss and accuracy as Keras' ``train_on_batch`` would report them for ``LOGITS``."""
    step = make_batch(recipe, WEIGHTS, IMAGES, IDS, answers, outliers)
    logits = LOGITS[: len(step.images)]
    rows = np.asarray(make_loss(recipe, 3)(step.targets, logits)) * step.weights
    hits = np.asarray(make_accuracy(3)(step.targets, logits)).mean() * step.accuracy_scale
    return float(rows.mean()), float(hits)


def test_the_loss_is_the_weighted_cross_entropy(recipe: Recipe) -> None:
    expected = -(log_softmax(LOGITS[:4])[np.arange(4), IDS] * WEIGHTS[IDS]).mean()

    assert mean_loss(recipe)[0] == pytest.approx(expected, rel=1e-5)


def test_smoothing_spreads_its_share_over_all_labels(recipe: Recipe) -> None:
    step = make_batch(replace(recipe, label_smoothing=0.3), WEIGHTS, IMAGES, IDS)

    np.testing.assert_allclose(step.targets[0], [0.8, 0.1, 0.1], rtol=1e-6)


@pytest.mark.parametrize("weight", [0.0, 0.4, 1.0])
def test_a_teacher_takes_its_share_of_the_loss_and_a_weight_of_one_leaves_no_label(
    weight: float, recipe: Recipe
) -> None:
    recipe = replace(recipe, distillation=Distillation("runs/big", weight, temperature=2.0))
    own, theirs = log_softmax(LOGITS[:4] / 2), log_softmax(ANSWERS / 2)
    divergence = (np.exp(theirs) * (theirs - own)).sum(axis=1)
    labels = -log_softmax(LOGITS[:4])[np.arange(4), IDS]
    expected = (((1 - weight) * labels + weight * 4 * divergence) * WEIGHTS[IDS]).mean()

    assert mean_loss(recipe, ANSWERS)[0] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("taught", [False, True])
def test_outliers_add_the_cross_entropy_with_even_shares_and_change_nothing_else(taught: bool, recipe: Recipe) -> None:
    recipe = replace(recipe, outliers_weight=0.5, distillation=Distillation("runs/big" if taught else "", 0.4, 2.0))
    answers = ANSWERS if taught else None
    uniform = -log_softmax(LOGITS[4:]).mean(axis=1)

    plain, plain_hits = mean_loss(recipe, answers)
    both, hits = mean_loss(recipe, answers, STRANGE)

    assert both == pytest.approx(plain + 0.5 * uniform.mean(), rel=1e-5)
    assert hits == pytest.approx(plain_hits)


@pytest.mark.parametrize("outliers", [None, STRANGE])
def test_features_add_the_variance_that_is_not_predicted_and_change_nothing_else(outliers: Any, recipe: Recipe) -> None:
    recipe = replace(recipe, outliers_weight=0.5, distillation=Distillation("runs/big", 0.4, 2.0, features=3.0))
    seen = RNG.normal(5, 2, (4, 7)).astype(np.float32)
    seen[:, 6] = 4.0  # the same in the whole batch
    step = make_batch(recipe, WEIGHTS, IMAGES, IDS, np.concatenate([ANSWERS, seen], axis=1), outliers)
    logits = LOGITS[: len(step.images)]
    standardized = (seen - seen.mean(axis=0)) / np.maximum(seen.std(axis=0), 1e-3)

    def mean_of(predicted: Any) -> float:
        outputs = np.concatenate([logits, predicted], axis=1).astype(np.float32)
        return float((np.asarray(make_loss(recipe, 3)(step.targets, outputs)) * step.weights).mean())

    predicted = np.zeros((len(logits), 7), np.float32)
    predicted[:4] = standardized
    plain = mean_loss(recipe, ANSWERS, outliers)[0]
    assert mean_of(predicted) == pytest.approx(plain, rel=1e-5)
    nothing = (np.square(standardized).mean(axis=1) * WEIGHTS[IDS]).mean()
    assert mean_of(0 * predicted) == pytest.approx(plain + 3 * nothing, rel=1e-4)
    assert nothing == pytest.approx(6 / 7 * WEIGHTS[IDS].mean(), rel=0.3)
