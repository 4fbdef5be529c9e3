"""How many pictures would decide what these few could not: a power calculation at the observed rates.

Suppose that the true rates are the observed ones, and that so many new pictures are drawn. The verdict must then be
reached four times in five, so it must still be reached when the draw turns out 0.84 standard errors closer to the bar.
The interval that decides is the gate's own, so also no disagreement at all asks for as many pictures as a proof takes.

Source: J. Cohen, "Statistical Power Analysis for the Behavioral Sciences", 1988, for the power of 80 %.
"""

from collections.abc import Callable
from math import sqrt

from trailcam_core.statistics.wilson import wilson_interval
from trailcam_export.gate.paired_proportions import PairedProportion, difference_interval

__all__ = ["MAX_PICTURES", "sample_size_for_difference", "sample_size_for_proportion"]

MAX_PICTURES = 1_000_000  # a need for more is an answer too: the value stands on the bar
_Z_POWER = 0.8416212335729143  # one-sided 80 % quantile of the standard normal distribution


def sample_size_for_proportion(share: float, bound: float, z: float) -> int | None:
    """Return how many pictures would tell ``share`` from ``bound``, None where it is above a million.

    Args:
        share: what was observed, 0..1.
        bound: the limit to compare with, 0..1.
        z: two-sided quantile that the verdict uses.
    """

    def interval(n: int, drawn: float) -> tuple[float, float]:
        return wilson_interval(min(1.0, max(0.0, drawn)) * n, n, z)

    return _search(share, bound, share * (1 - share), interval)


def sample_size_for_difference(pairs: PairedProportion, bound: float, z: float) -> int | None:
    """Return how many pairs would tell ``pairs.delta`` from ``bound``, None where it is above a million."""
    discordant = (pairs.only_first + pairs.only_second) / pairs.n

    def interval(n: int, drawn: float) -> tuple[float, float]:
        drawn = min(1.0, max(-1.0, drawn))
        both_ways = max(discordant, abs(drawn))  # as many discordant pairs as were seen, or as the difference takes
        return difference_interval(n * (both_ways - drawn) / 2, n * (both_ways + drawn) / 2, n, z)

    return _search(pairs.delta, bound, pairs.variance, interval)


def _search(
    value: float, bound: float, variance: float, interval: Callable[[int, float], tuple[float, float]]
) -> int | None:
    """Find the smallest n whose interval, around a draw on the unlucky side of ``value``, does not hold ``bound``."""
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
