"""Paired proportions: two yes-or-no outcomes of the same images, and the difference of their rates.

The interval is a score interval, as Wilson's for a single proportion: it is valid with few or no discordant pairs.
Forty images on which two models agree do not prove agreement; the bootstrap gives (0, 0), this interval -8.8 to +8.8
points.
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np
import numpy.typing as npt

from trailcam_core.statistics.wilson import Z_95

_HALVINGS = 50  # of a bracket of at most 2: 2e-15


@dataclass(frozen=True)
class PairedProportion:
    """Counts of ``n`` images: yes from both models, from the first only, from the second only."""

    n: int
    both: int
    only_first: int
    only_second: int

    @property
    def first(self) -> float:
        """Rate of the first model; 0 without images."""
        return (self.both + self.only_first) / self.n if self.n else 0.0

    @property
    def second(self) -> float:
        """Rate of the second model; 0 without images."""
        return (self.both + self.only_second) / self.n if self.n else 0.0

    @property
    def delta(self) -> float:
        """Second minus first."""
        return (self.only_second - self.only_first) / self.n if self.n else 0.0

    @property
    def variance(self) -> float:
        """Variance of the contribution of one image to ``delta``."""
        return (self.only_first + self.only_second) / self.n - self.delta**2 if self.n else 0.0

    def interval(self, z: float = Z_95) -> tuple[float, float]:
        """Return the score interval of ``delta``."""
        return difference_interval(self.only_first, self.only_second, self.n, z)


def pair_outcomes(first: npt.NDArray[np.bool_], second: npt.NDArray[np.bool_]) -> PairedProportion:
    """Count two (N,) columns of yes and no."""
    return PairedProportion(
        len(first), int((first & second).sum()), int((first & ~second).sum()), int((~first & second).sum())
    )


def difference_interval(only_first: float, only_second: float, n: float, z: float = Z_95) -> tuple[float, float]:
    """Return the score interval of (only_second - only_first) / n, both ends in -1..1.

    It contains the differences that a score test does not reject; (-1, 1) without images.

    Args:
        only_first: discordant pairs of one kind, a count or an expected count.
        only_second: of the other kind.
        n: all pairs.
        z: two-sided quantile of the standard normal distribution.

    Source: T. Tango, "Equivalence test and confidence interval for the difference in proportions for the paired-sample
    design", Statistics in Medicine 17 (1998), 891-908.
    """
    if min(only_first, only_second) < 0 or only_first + only_second > n * (1 + 1e-9):
        raise ValueError(f"discordant pairs must lie in 0..n, got {only_first} and {only_second} of {n}")
    if n == 0:
        return -1.0, 1.0
    found = (only_second - only_first) / n

    def search(outside: float, sign: float) -> float:
        inside, limit = found, outside
        for _ in range(_HALVINGS):
            middle = (inside + limit) / 2
            if sign * _score(only_first, only_second, n, middle) < z:
                inside = middle
            else:
                limit = middle
        return inside

    return search(-1.0, 1.0), search(1.0, -1.0)


def _score(only_first: float, only_second: float, n: float, delta: float) -> float:
    """Return the distance of the observed difference from ``delta`` in standard errors, if ``delta`` is true."""
    # the maximum-likelihood fraction of first-only pairs, given delta, is the larger root of 2n q^2 + b q + c
    b = (2 * n - only_second + only_first) * delta - only_first - only_second
    c = -only_first * delta * (1 - delta)
    root = (sqrt(max(0.0, b * b - 8 * n * c)) - b) / (4 * n)
    variance = n * max(0.0, 2 * root + delta * (1 - delta))
    surplus = only_second - only_first - n * delta
    if variance <= 0:
        return 0.0 if surplus == 0 else float("inf") if surplus > 0 else float("-inf")
    return surplus / sqrt(variance)
