"""How far a model's probabilities can be believed: temperature, calibration error, and telling others apart.

Logits are (N, K) floats, class ids (N,) integers.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from trailcam_edge.decision import probabilities

__all__ = ["Bin", "auroc", "cross_entropy", "expected_calibration_error", "fit_temperature", "reliability_bins"]

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.integer[Any]]

_BINS = 15  # Source: Guo et al., "On calibration of modern neural networks", ICML 2017
_TEMPERATURES = (0.05, 20.0)
_GOLDEN = 0.6180339887498949  # (sqrt(5) - 1) / 2
_SEARCH_STEPS = 60  # narrows the range of log(temperature) from 6 to below 1e-11


@dataclass(frozen=True)
class Bin:
    """Pictures whose confidence lies in ``low..high``: how many, their mean confidence, and the share that is right."""

    low: float
    high: float
    n: int
    confidence: float
    accuracy: float


def cross_entropy(logits: Floats, class_ids: Ints, temperature: float = 1.0) -> float:
    """Return the mean cross-entropy in nats."""
    shares = probabilities(logits, temperature)[np.arange(len(class_ids)), class_ids]
    return float(-np.log(np.maximum(shares, np.finfo(np.float64).tiny)).mean())


def fit_temperature(logits: Floats, class_ids: Ints) -> float:
    """Return the temperature that makes these logits least surprised, by golden-section search on its logarithm.

    The answer stays within 0.05 to 20: with all pictures right the best temperature would be 0.

    Source: Guo et al., "On calibration of modern neural networks", ICML 2017.
    """
    low, high = np.log(_TEMPERATURES)
    for _ in range(_SEARCH_STEPS):
        left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
        if cross_entropy(logits, class_ids, float(np.exp(left))) < cross_entropy(
            logits, class_ids, float(np.exp(right))
        ):
            high = right
        else:
            low = left
    return float(np.exp((low + high) / 2))


def reliability_bins(logits: Floats, class_ids: Ints, temperature: float = 1.0) -> tuple[Bin, ...]:
    """Return the filled ones of 15 equally wide bins of confidence."""
    shares = probabilities(logits, temperature)
    confidence = shares.max(axis=1)
    right = shares.argmax(axis=1) == class_ids
    place = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    bins = []
    for number in range(_BINS):
        inside = place == number
        if inside.any():
            mean, accuracy = float(confidence[inside].mean()), float(right[inside].mean())
            bins.append(Bin(number / _BINS, (number + 1) / _BINS, int(inside.sum()), mean, accuracy))
    return tuple(bins)


def expected_calibration_error(logits: Floats, class_ids: Ints, temperature: float = 1.0) -> float:
    """Return the mean gap between confidence and accuracy over the bins, weighted by their pictures; 0 is best."""
    bins = reliability_bins(logits, class_ids, temperature)
    return sum(item.n * abs(item.confidence - item.accuracy) for item in bins) / len(class_ids)


def auroc(familiar: Floats, strange: Floats) -> float:
    """Return the probability that a familiar picture scores above a strange one, ties half: 0.5 is chance.

    Args:
        familiar: (N,) scores of pictures of known labels, N at least 1.
        strange: (M,) scores of others, M at least 1.
    """
    ordered = np.sort(strange)
    below = np.searchsorted(ordered, familiar, side="left")
    not_above = np.searchsorted(ordered, familiar, side="right")
    return float((below + not_above).sum() / 2 / (len(familiar) * len(strange)))
