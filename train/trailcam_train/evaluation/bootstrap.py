"""Bootstrap intervals of macro-F1 and calibration error, which are no plain proportions.

Each is a 95 % interval from seeded resamples, so that the same answers always give the same interval.

Source: B. Efron and R. Tibshirani, "An Introduction to the Bootstrap", 1993.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from trailcam_core.statistics.calibration_error import BIN_COUNT, bin_indices, calibration_error

_RESAMPLES = 1000
_ENDS = (0.025, 0.975)


def macro_f1_interval(confusion: npt.NDArray[np.integer[Any]], seed: int = 0) -> tuple[float, float]:
    """Return the percentile interval of macro-F1, both ends in 0..1.

    Pictures are drawn within their class, as the split was, so no class drops out of a resample; a class without
    pictures is left out. Without a mistake every resample gives 1, and so do both ends however few the pictures.

    Args:
        confusion: (K, K) counts, at least one; rows: what it is, columns: what was answered.
        seed: of the draws.
    """
    class_count = len(confusion)
    rng = np.random.default_rng(seed)
    hits = np.zeros((_RESAMPLES, class_count))
    answered = np.zeros((_RESAMPLES, class_count))
    for class_id, row in enumerate(confusion):
        if row.sum():
            drawn = rng.multinomial(row.sum(), row / row.sum(), size=_RESAMPLES)  # (resamples, K)
            hits[:, class_id] = drawn[:, class_id]
            answered += drawn
    counts = confusion.sum(axis=1)
    shown = counts > 0
    f1 = 2 * hits[:, shown] / (answered + counts)[:, shown]  # (resamples, classes with pictures)
    low, high = np.quantile(f1.mean(axis=1), _ENDS)
    return float(low), float(high)


def calibration_error_interval(
    confidence: npt.NDArray[np.floating[Any]], right: npt.NDArray[np.bool_], seed: int = 0
) -> tuple[float, float]:
    """Return a bootstrap interval of the expected calibration error, both ends in 0..1.

    The error is a sum of absolute gaps, which chance only widens: the estimate tends to lie above the truth, and a
    resample above the estimate. So the resamples are mirrored at the estimate (the basic interval; percentiles would
    repeat the fault), and the lower end is 0 where confidences that are true would give an error as large as this.
    Of 200 simulations of 2,000 pictures each, intervals held a true error of 0 in 98 %, of 0.02 in 96 %, of 0.05 in
    88 %.

    Source: of the second step J. Bröcker and L. Smith, "Increasing the reliability of reliability diagrams", 2007.

    Args:
        confidence: (N,) in 0..1, N at least 1.
        right: (N,) whether the answer was.
        seed: of the draws.
    """
    rng = np.random.default_rng(seed)
    n = len(confidence)
    bins, gap = bin_indices(confidence), confidence - right  # both (N,)
    again, by_chance = np.empty(_RESAMPLES), np.empty(_RESAMPLES)
    for number in range(_RESAMPLES):
        drawn = rng.integers(0, n, n)
        again[number] = np.abs(np.bincount(bins[drawn], gap[drawn], BIN_COUNT)).sum() / n
        by_chance[number] = calibration_error(confidence, rng.random(n) < confidence)
    estimate = calibration_error(confidence, right)
    low, high = 2 * estimate - np.quantile(again, _ENDS[::-1])
    if estimate <= np.quantile(by_chance, _ENDS[1]):
        low = 0.0
    return float(np.clip(low, 0.0, estimate)), float(np.clip(high, estimate, 1.0))
