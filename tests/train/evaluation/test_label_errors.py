"""Likely label errors by confident learning."""

import numpy as np

from trailcam_train.evaluation.label_errors import LabelError, find_label_errors


def test_a_confident_answer_against_the_label_is_suspected_and_an_unsure_one_is_not() -> None:
    shares = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.2, 0.8], [0.95, 0.05], [0.52, 0.48]])
    labels = np.array([0, 0, 1, 1, 1, 1])  # thresholds 0.85 and 0.5575

    assert find_label_errors(shares, labels) == (LabelError(4, 0, 0.05, 0.95),)


def test_a_hard_class_has_a_lower_threshold_of_its_own() -> None:
    """0.6 is a confident answer for class 1, whose own pictures get 0.5 and 0.6, and a weak one for class 0."""
    shares = np.array([[0.99, 0.01], [0.97, 0.03], [0.4, 0.6], [0.5, 0.5], [0.4, 0.6], [0.6, 0.4]])
    labels = np.array([0, 0, 1, 1, 0, 1])

    assert [(error.position, error.suggested) for error in find_label_errors(shares, labels)] == [(4, 1)]


def test_the_likeliest_comes_first() -> None:
    shares = np.array([[0.9, 0.1], [0.9, 0.1], [0.9, 0.1], [0.1, 0.9], [0.9, 0.1], [0.04, 0.96], [0.05, 0.95]])
    labels = np.array([0, 0, 0, 1, 0, 0, 0])

    assert [error.position for error in find_label_errors(shares, labels)] == [5, 6]


def test_nothing_is_counted_to_a_class_without_pictures() -> None:
    shares = np.array([[0.1, 0.1, 0.8], [0.6, 0.3, 0.1], [0.1, 0.9, 0.0]])

    assert find_label_errors(shares, np.array([0, 0, 1])) == ()


def test_labels_that_agree_are_not_suspected() -> None:
    assert find_label_errors(np.eye(4), np.arange(4)) == ()
