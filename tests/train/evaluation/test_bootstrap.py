"""Intervals of macro-F1 and of the calibration error."""

import numpy as np
import pytest

from trailcam_core.statistics.calibration_error import calibration_error
from trailcam_train.evaluation.bootstrap import calibration_error_interval, macro_f1_interval


def test_the_macro_f1_interval_holds_the_figure_and_narrows_with_the_pictures() -> None:
    confusion = np.array([[8, 1, 1], [0, 10, 0], [2, 1, 7]])
    f1 = np.mean([16 / 20, 20 / 22, 14 / 18])

    low, high = macro_f1_interval(confusion)
    more_low, more_high = macro_f1_interval(confusion * 50)
    assert low < f1 < high
    assert more_low < f1 < more_high
    # Fifty times the pictures, so about a seventh of the width.
    assert (more_high - more_low) == pytest.approx((high - low) / 50**0.5, rel=0.25)


def test_two_equal_classes_give_the_interval_of_a_share() -> None:
    """With symmetric errors macro-F1 moves like accuracy, whose standard error is sqrt(p q / n)."""
    low, high = macro_f1_interval(np.array([[800, 200], [200, 800]]))

    assert (high - low) / 2 == pytest.approx(1.96 * (0.8 * 0.2 / 2000) ** 0.5, rel=0.1)


def test_a_class_without_pictures_is_left_out_and_one_without_answers_counts_as_nought() -> None:
    assert macro_f1_interval(np.array([[5, 0], [0, 0]])) == (1.0, 1.0)
    assert macro_f1_interval(np.array([[5, 0], [5, 0]])) == pytest.approx((1 / 3, 1 / 3))


def test_the_interval_of_true_confidences_reaches_down_to_nought() -> None:
    rng = np.random.default_rng(5)  # chance made the mirrored interval begin above nought
    confidence = rng.beta(8, 0.6, 1500)
    right = rng.random(1500) < confidence

    low, high = calibration_error_interval(confidence, right)
    assert low == 0.0
    assert calibration_error(confidence, right) <= high < 0.05


def test_the_interval_of_an_overconfident_model_lies_around_its_fault() -> None:
    rng = np.random.default_rng(4)
    confidence = rng.uniform(0.7, 1.0, 3000)
    right = rng.random(3000) < confidence - 0.15

    low, high = calibration_error_interval(confidence, right)
    assert 0.12 < low < 0.15 < high < 0.18
    assert calibration_error_interval(confidence, right) == (low, high)
