"""How far a model's probabilities can be believed, and how well its scores tell other pictures apart.

Logits are (N, K) floats, class ids (N,) integers. The temperature is fitted in ``trailcam_edge.temperature``.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from trailcam_edge.decision import probabilities

__all__ = ["Bin", "auroc", "expected_calibration_error", "reliability_bins"]

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.integer[Any]]

_BINS = 15  # Source: Guo et al., "On calibration of modern neural networks", ICML 2017


@dataclass(frozen=True)
class Bin:
    """Pictures whose confidence lies in ``low..high``: how many, their mean confidence, and the share that is right."""

    low: float
    high: float
    n: int
    confidence: float
    accuracy: float


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
