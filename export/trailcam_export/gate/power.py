"""How many pictures would decide what these few could not: a power calculation at the observed rates.

Suppose that the true rates are the observed ones, and that so many new pictures are drawn. The verdict must then be
reached four times in five, so it must still be reached when the draw turns out 0.84 standard errors closer to the bar.
The interval that decides is the gate's own, so also no disagreement at all asks for as many pictures as a proof takes.

Source: J. Cohen, "Statistical Power Analysis for the Behavioral Sciences", 1988, for the power of 80 %.
"""

from collections.abc import Callable
from math import sqrt

from trailcam_core.statistics.wilson import wilson_interval
from trailcam_export.gate.paired_proportions import PairedShare, difference_interval

__all__ = ["MOST_PICTURES", "pictures_for_difference", "pictures_for_share"]

MOST_PICTURES = 1_000_000  # a need for more is an answer too: the value stands on the bar
_Z_POWER = 0.8416212335729143  # one-sided 80 % quantile of the standard normal distribution


def pictures_for_share(share: float, bar: float, z: float) -> int | None:
    """Return how many pictures would tell ``share`` from ``bar``, None where it is above a million.

    Args:
        share: what was observed, 0..1.
        bar: what it is compared with.
        z: two-sided quantile that the verdict uses.
    """

    def interval(n: int, drawn: float) -> tuple[float, float]:
        return wilson_interval(min(1.0, max(0.0, drawn)) * n, n, z)

    return _search(share, bar, share * (1 - share), interval)


def pictures_for_difference(pairs: PairedShare, bar: float, z: float) -> int | None:
    """Return how many pairs would tell ``pairs.delta`` from ``bar``, None where it is above a million."""
    discordant = (pairs.only_first + pairs.only_second) / pairs.n

    def interval(n: int, drawn: float) -> tuple[float, float]:
        drawn = min(1.0, max(-1.0, drawn))
        both_ways = max(discordant, abs(drawn))  # as many discordant pairs as were seen, or as the difference takes
        return difference_interval(n * (both_ways - drawn) / 2, n * (both_ways + drawn) / 2, n, z)

    return _search(pairs.delta, bar, pairs.variance, interval)


def _search(
    value: float, bar: float, variance: float, interval: Callable[[int, float], tuple[float, float]]
) -> int | None:
    """Find the smallest n whose interval, around a draw on the unlucky side of ``value``, does not hold ``bar``."""
    towards = 1 if bar > value else -1

    def decides(n: int) -> bool:
        low, high = interval(n, value + towards * _Z_POWER * sqrt(variance / n))
        return high < bar if towards > 0 else low >= bar

    too_few, enough = 0, 1
    while not decides(enough):
        too_few, enough = enough, enough * 2
        if too_few > MOST_PICTURES:
            return None
    while enough - too_few > 1:
        middle = (enough + too_few) // 2
        too_few, enough = (too_few, middle) if decides(middle) else (middle, enough)
    return enough if enough <= MOST_PICTURES else None
