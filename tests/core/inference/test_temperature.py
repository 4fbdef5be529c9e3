"""Temperature scaling."""

import numpy as np
import numpy.typing as npt
import pytest

from trailcam_core.inference.decision import probabilities
from trailcam_core.inference.temperature import (
    HIGHEST_TEMPERATURE,
    LOWEST_TEMPERATURE,
    fit_temperature,
    negative_log_likelihood,
)


def _pictures(temperature: float, n: int = 20_000) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Logits whose true classes are drawn from softmax(logits / temperature), so that this is the right answer."""
    random = np.random.default_rng(7)
    logits = random.normal(0, 3, (n, 5)).astype(np.float32)
    shares = probabilities(logits, temperature).cumsum(axis=1)
    return logits, np.minimum((random.random((n, 1)) > shares).sum(axis=1), 4)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_that_made_the_pictures_is_found(temperature: float) -> None:
    logits, class_ids = _pictures(temperature)
    assert fit_temperature(logits, class_ids) == pytest.approx(temperature, rel=0.05)


def test_no_other_temperature_has_a_smaller_loss() -> None:
    logits, class_ids = _pictures(1.7, n=500)
    best = fit_temperature(logits, class_ids)
    loss = negative_log_likelihood(logits, class_ids, best)
    assert all(negative_log_likelihood(logits, class_ids, best * factor) >= loss for factor in (0.5, 0.99, 1.01, 2))


def test_a_model_that_is_always_right_stops_at_the_lower_end() -> None:
    logits = np.eye(4, dtype=np.float32) * 9
    assert fit_temperature(logits, np.arange(4)) == pytest.approx(LOWEST_TEMPERATURE)


def test_a_model_that_is_always_wrong_stops_at_the_upper_end() -> None:
    logits = np.eye(4, dtype=np.float32) * 9
    assert fit_temperature(logits, (np.arange(4) + 1) % 4) == pytest.approx(HIGHEST_TEMPERATURE)


def test_huge_logits_do_not_overflow() -> None:
    logits = np.array([[1e30, 0.0], [0.0, 1e30]], np.float64)
    assert LOWEST_TEMPERATURE <= fit_temperature(logits, np.array([0, 0])) <= HIGHEST_TEMPERATURE


@pytest.mark.parametrize(
    ("logits", "class_ids"),
    [
        (np.zeros((0, 3)), np.zeros(0, np.int64)),
        (np.zeros((2, 3)), np.zeros(3, np.int64)),
        (np.zeros((2, 3)), np.array([0, 3])),
        (np.full((1, 3), np.nan), np.array([0])),
    ],
)
def test_wrong_arrays_are_refused(logits: npt.NDArray[np.float64], class_ids: npt.NDArray[np.int64]) -> None:
    with pytest.raises(ValueError, match=r"logits|class_ids"):
        fit_temperature(logits, class_ids)
