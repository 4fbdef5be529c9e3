"""Statistics of timings, as pure functions: quantiles with intervals, ratios of paired rounds, verdicts, Pareto fronts.

Timings come in rounds. Within a round they follow each other closely and so are alike; from round to round the machine
drifts. Noise is therefore estimated across rounds if there are several.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

Times = npt.NDArray[np.float64]

_SHARE = 0.95  # of the intervals
_RESAMPLES = 200
_MAX_ARRANGEMENTS = 20_000  # all of 8 rounds against 8 are 12,870


@dataclass(frozen=True)
class Interval:
    """Both ends of a 95 % interval; None if the sample is too small to bound that side."""

    low: float | None
    high: float | None


@dataclass(frozen=True)
class Ratio:
    """The median over rounds of one thing divided by another of the same round, and its interval."""

    value: float
    interval: Interval


def quantile(times: Times, share: float) -> float:
    """Return the smallest of ``times`` (at least one) that at least ``share`` of them do not exceed."""
    return float(np.quantile(times, share, method="inverted_cdf"))


def quantile_interval(times: Times, share: float, confidence: float = _SHARE) -> Interval:
    """Return an interval for the ``share`` quantile that assumes no distribution, only independent timings.

    How many of n timings lie below the true quantile is binomial, so two of the sorted timings bracket it.

    Args:
        times: (n,), any order.
        share: above 0 and below 1.
        confidence: of the interval, above 0 and below 1.

    Source: H. A. David and H. N. Nagaraja, "Order Statistics", 3rd edition, 2003, section 7.1.
    """
    if not 0 < share < 1 or not 0 < confidence < 1 or times.ndim != 1:
        raise ValueError(f"expected (n,) times, share and confidence within 0..1, got {times.shape}, {share}")
    n = len(times)
    below = _binomial_cdf(n, share)  # P(at most k timings lie below the quantile), k = 0..n
    tail = (1 - confidence) / 2
    low_rank = int(np.searchsorted(below, tail, side="right"))  # largest l with P(fewer than l below) <= tail
    high_rank = int(np.searchsorted(below, 1 - tail, side="left")) + 1  # smallest u with P(u or more below) <= tail
    ordered = np.sort(times)
    return Interval(
        float(ordered[low_rank - 1]) if low_rank >= 1 else None,
        float(ordered[high_rank - 1]) if high_rank <= n else None,
    )


def p90_interval(rounds: Sequence[Times]) -> Interval:
    """Return a 95 % interval for the 90th percentile of timings taken in rounds.

    It is the wider of two, end by end: the one from order statistics, which assumes independent timings, and a
    bootstrap of whole rounds, which includes the drift between them. With one round only the first exists.

    Args:
        rounds: (n,) timings of each round, none empty; at least one round.
    """
    pooled = quantile_interval(np.concatenate(rounds), 0.9)
    if len(rounds) < 2:
        return pooled
    random = np.random.default_rng(0)
    drawn = random.integers(0, len(rounds), (_RESAMPLES, len(rounds)))
    found = [quantile(np.concatenate([rounds[number] for number in numbers]), 0.9) for numbers in drawn]
    low, high = np.quantile(found, [(1 - _SHARE) / 2, (1 + _SHARE) / 2])
    return Interval(
        None if pooled.low is None else min(pooled.low, float(low)),
        None if pooled.high is None else max(pooled.high, float(high)),
    )


def paired_ratio(values: Sequence[float], references: Sequence[float]) -> Ratio:
    """Return the ratio of a figure to its reference, from figures of the same rounds.

    Args:
        values: one figure per round, above 0.
        references: the reference's figure of the same rounds; where one is longer its last rounds are left out.

    Raises:
        ValueError: there is no common round.
    """
    common = min(len(values), len(references))
    if not common:
        raise ValueError("no round in which both were measured")
    ratios = np.asarray(values[:common], np.float64) / np.asarray(references[:common], np.float64)
    return Ratio(float(np.median(ratios)), quantile_interval(ratios, 0.5))


def judge(old: Sequence[float], new: Sequence[float], margin: float, alpha: float = 0.01) -> str:
    """Return whether ``new`` is ``slower``, ``faster`` or the ``same`` as ``old``, or ``inconclusive``.

    Slower means: by more than ``margin`` beyond the noise of the rounds. An exact permutation test counts how often a
    random assignment of the rounds to old and new would differ that much, after the margin. "Same" is returned only if
    a change beyond the margin in either direction is ruled out in the same way.

    Args:
        old: one figure per round, lower is better, above 0.
        new: the same of now.
        margin: change that does not matter, as a share: 0.05 is five percent.
        alpha: how often chance alone may call a change.

    Source: E. Edgington and P. Onghena, "Randomization Tests", 4th edition, 2007; equivalence by two one-sided tests
    after D. Schuirmann, 1987.
    """
    if margin < 0 or not 0 < alpha < 1:
        raise ValueError(f"expected a margin of 0 or more and alpha within 0..1, got {margin} and {alpha}")
    if not old or not new or min(*old, *new) <= 0:
        return "inconclusive"
    before, after, step = np.log(old), np.log(new), math.log1p(margin)
    if _p_larger(after - step, before) <= alpha:
        return "slower"
    if _p_larger(before - step, after) <= alpha:
        return "faster"
    not_slower = _p_larger(before + step, after) <= alpha
    not_faster = _p_larger(after + step, before) <= alpha
    return "same" if not_slower and not_faster else "inconclusive"


def pareto_front(points: Sequence[tuple[float, float]]) -> list[int]:
    """Return the numbers of the points that no other beats, in ascending cost.

    Args:
        points: (cost, gain); a point is beaten by one that costs no more and gains no less, and is better in one.
    """
    front: list[int] = []
    best = -math.inf
    for number in sorted(range(len(points)), key=lambda i: (points[i][0], -points[i][1])):
        twin = bool(front) and points[number] == points[front[-1]]
        if points[number][1] > best or twin:
            front.append(number)
            best = points[number][1]
    return front


def _binomial_cdf(n: int, share: float) -> Times:
    k = np.arange(n)
    steps = np.log((n - k) / (k + 1)) + math.log(share / (1 - share))
    logs = n * math.log1p(-share) + np.concatenate([[0.0], np.cumsum(steps)])
    return np.asarray(np.minimum(1.0, np.cumsum(np.exp(logs))), np.float64)


def _p_larger(first: Times, second: Times) -> float:
    """Return the one-sided permutation p-value that the mean of ``first`` is larger than that of ``second``."""
    values, size = np.concatenate([first, second]), len(first)
    observed = float(first.sum())
    slack = 1e-9 * (1 + abs(observed))  # equal sums in another order must count as equal
    if math.comb(len(values), size) <= _MAX_ARRANGEMENTS:
        chosen = np.array(list(combinations(range(len(values)), size)))  # (arrangements, size)
        sums = values[chosen].sum(axis=1)
        return float((sums >= observed - slack).mean())
    random = np.random.default_rng(0)
    sums = np.array([random.permutation(values)[:size].sum() for _ in range(_MAX_ARRANGEMENTS)])
    return float((1 + (sums >= observed - slack).sum()) / (1 + len(sums)))
