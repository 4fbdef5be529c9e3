"""How far a model's probabilities can be believed, and how well its scores tell other pictures apart.

Confidence is the probability of the answer, in 0..1. ``trailcam_core.inference.temperature`` fits the temperature.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["BIN_COUNT", "Bin", "auroc", "calibration_error", "place_in_bins", "reliability_bins"]

Floats = npt.NDArray[np.floating[Any]]
Flags = npt.NDArray[np.bool_]

BIN_COUNT = 15  # Source: Guo et al., "On calibration of modern neural networks", ICML 2017


@dataclass(frozen=True)
class Bin:
    """Pictures whose confidence lies in ``low..high``: how many, their mean confidence, and the share that is right."""

    low: float
    high: float
    n: int
    confidence: float
    accuracy: float


def place_in_bins(confidence: Floats) -> npt.NDArray[np.intp]:
    """Return the bin of each confidence in 0..1: (N,) floats to (N,) numbers below ``BIN_COUNT``."""
    return np.minimum((confidence * BIN_COUNT).astype(np.intp), BIN_COUNT - 1)


def reliability_bins(confidence: Floats, right: Flags) -> tuple[Bin, ...]:
    """Return the filled ones of 15 equally wide bins of confidence; both arguments are (N,)."""
    place = place_in_bins(confidence)
    bins = []
    for number in range(BIN_COUNT):
        inside = place == number
        if inside.any():
            mean, accuracy = float(confidence[inside].mean()), float(right[inside].mean())
            bins.append(Bin(number / BIN_COUNT, (number + 1) / BIN_COUNT, int(inside.sum()), mean, accuracy))
    return tuple(bins)


def calibration_error(confidence: Floats, right: Flags) -> float:
    """Return the expected calibration error: the gap between confidence and accuracy per bin, weighted by its pictures.

    Args:
        confidence: (N,), N at least 1.
        right: (N,) whether the answer was.

    Returns:
        A share in 0..1; 0 is best.

    Source: Guo et al., as for the number of bins.
    """
    gaps = np.bincount(place_in_bins(confidence), confidence - right, BIN_COUNT)
    return float(np.abs(gaps).sum() / len(confidence))


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
