"""Sample size that would decide an inconclusive criterion: a power calculation at the observed rates.

If the true rates are the observed ones, a new test set of this size must reach a verdict with a probability of 80 %, so
also when its rate is 0.84 standard errors closer to the bound. The interval is that of the gate, so even without any
disagreement the size is the one that a proof needs.

Source: J. Cohen, "Statistical Power Analysis for the Behavioral Sciences", 1988, for the power of 80 %.
"""

from collections.abc import Callable
from math import sqrt

from trailcam_core.statistics.wilson import wilson_interval
from trailcam_export.gate.paired_proportions import PairedProportion, difference_interval

MAX_PICTURES = 1_000_000  # above it the value is practically equal to the bound
_Z_POWER = 0.8416212335729143  # one-sided 80 % quantile of the standard normal distribution


def sample_size_for_proportion(value: float, bound: float, z: float) -> int | None:
    """Return the number of images that separates ``value`` from ``bound``, None above a million.

    Args:
        value: the observed proportion, 0..1.
        bound: the limit to compare with, 0..1.
        z: two-sided quantile that the verdict uses.
    """

    def interval(n: int, drawn: float) -> tuple[float, float]:
        return wilson_interval(min(1.0, max(0.0, drawn)) * n, n, z)

    return _search(value, bound, value * (1 - value), interval)


def sample_size_for_difference(pairs: PairedProportion, bound: float, z: float) -> int | None:
    """Return the number of pairs that separates ``pairs.delta`` from ``bound``, None above a million."""
    discordant = (pairs.only_first + pairs.only_second) / pairs.n

    def interval(n: int, drawn: float) -> tuple[float, float]:
        drawn = min(1.0, max(-1.0, drawn))
        both_ways = max(discordant, abs(drawn))  # at least the observed discordant pairs, and those of the difference
        return difference_interval(n * (both_ways - drawn) / 2, n * (both_ways + drawn) / 2, n, z)

    return _search(pairs.delta, bound, pairs.variance, interval)


def _search(
    value: float, bound: float, variance: float, interval: Callable[[int, float], tuple[float, float]]
) -> int | None:
    """Find the smallest n whose interval, around a rate on the side of ``bound``, does not contain ``bound``."""
    towards = 1 if bound > value else -1

    def decides(n: int) -> bool:
        low, high = interval(n, value + towards * _Z_POWER * sqrt(variance / n))
        return high < bound if towards > 0 else low >= bound

    too_few, enough = 0, 1
    while not decides(enough):
        too_few, enough = enough, enough * 2
        if too_few > MAX_PICTURES:
            return None
    while enough - too_few > 1:
        middle = (enough + too_few) // 2
        too_few, enough = (too_few, middle) if decides(middle) else (middle, enough)
    return enough if enough <= MAX_PICTURES else None
