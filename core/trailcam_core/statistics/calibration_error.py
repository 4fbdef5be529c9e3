"""Calibration of a model's probabilities: reliability bins and expected calibration error.

Confidence is the probability of the answer, in 0..1. ``trailcam_core.inference.temperature`` fits the temperature.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
Flags = npt.NDArray[np.bool_]

BIN_COUNT = 15  # Source: Guo et al., "On calibration of modern neural networks", ICML 2017


@dataclass(frozen=True)
class Bin:
    """Pictures with a confidence in ``low..high``: their number, mean confidence and accuracy."""

    low: float
    high: float
    n: int
    confidence: float
    accuracy: float


def bin_indices(confidence: Floats) -> npt.NDArray[np.intp]:
    """Return the bin of each confidence in 0..1: (N,) floats to (N,) numbers below ``BIN_COUNT``."""
    return np.minimum((confidence * BIN_COUNT).astype(np.intp), BIN_COUNT - 1)


def reliability_bins(confidence: Floats, right: Flags) -> tuple[Bin, ...]:
    """Return the non-empty bins of 15 equally wide ones; ``right`` (N,) is whether each answer was correct."""
    place = bin_indices(confidence)
    bins = []
    for number in range(BIN_COUNT):
        inside = place == number
        if inside.any():
            mean, accuracy = float(confidence[inside].mean()), float(right[inside].mean())
            bins.append(Bin(number / BIN_COUNT, (number + 1) / BIN_COUNT, int(inside.sum()), mean, accuracy))
    return tuple(bins)


def calibration_error(confidence: Floats, right: Flags) -> float:
    """Return the expected calibration error: the mean gap between confidence and accuracy of the bins, weighted by n.

    Args:
        confidence: (N,), N at least 1.
        right: (N,) whether each answer was correct.

    Returns:
        0..1; 0 is best.

    Source: Guo et al., as for the number of bins.
    """
    gaps = np.bincount(bin_indices(confidence), confidence - right, BIN_COUNT)
    return float(np.abs(gaps).sum() / len(confidence))
