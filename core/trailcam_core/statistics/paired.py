"""Paired tests of two models that answered the same pictures.

Pictures that both got right, or both wrong, carry no information; the difference is in the discordant pairs.
"""

import numpy as np
import numpy.typing as npt


def mcnemar_exact(only_first: int, only_second: int) -> float:
    """Return the two-sided p-value that two models with equal accuracy would differ at least this much, in 0..1.

    Under equal accuracy each discordant pair falls to either side like a fair coin, so the counts are binomial. The sum
    is exact, also where the usual chi-squared approximation is not: with few discordant pairs. With none, 1.

    Args:
        only_first: pictures that only the first model got right.
        only_second: pictures that only the second got right.

    Source: Q. McNemar, "Note on the sampling error of the difference between correlated proportions or percentages",
    Psychometrika 12 (1947); the exact form is the sign test on the discordant pairs.
    """
    if only_first < 0 or only_second < 0:
        raise ValueError(f"counts must not be negative, got {only_first} and {only_second}")
    pairs = only_first + only_second
    ways = total = 1  # integers of any size: nothing is rounded before the division
    for heads in range(1, min(only_first, only_second) + 1):
        ways = ways * (pairs - heads + 1) // heads
        total += ways
    return min(1.0, 2 * total / (1 << pairs))


def bootstrap_delta(
    first_right: npt.NDArray[np.bool_],
    second_right: npt.NDArray[np.bool_],
    seed: int,
    resamples: int = 2000,
    share: float = 0.95,
) -> tuple[float, float]:
    """Return the paired bootstrap interval of accuracy of the second minus accuracy of the first, both ends in -1..1.

    Whole pictures are drawn again with replacement, and the ends are percentiles. What a resample gives depends only on
    how many pictures of each kind it holds, so those counts are drawn, from their multinomial distribution. Without a
    discordant pair every resample gives 0, and the interval is (0, 0) however few the pictures: read it with N. With no
    pictures nothing is known: (-1, 1).

    Args:
        first_right: whether the first model was right on each picture, (N,).
        second_right: the same for the second, (N,), in the same order.
        seed: the same seed gives the same interval.
        resamples: at least 1.
        share: of the resamples that the interval holds, above 0 and below 1.

    Source: B. Efron and R. Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13 (percentile interval).
    """
    if first_right.ndim != 1 or first_right.shape != second_right.shape or resamples < 1 or not 0 < share < 1:
        raise ValueError(
            "expected two (N,) arrays, resamples of 1 or more and share within 0..1, got "
            f"{first_right.shape}, {second_right.shape}, {resamples} and {share}"
        )
    first, second = first_right.astype(bool), second_right.astype(bool)
    n = len(first)
    if not n:
        return -1.0, 1.0
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    kinds = np.array([only_first, only_second, n - only_first - only_second]) / n
    drawn = np.random.default_rng(seed).multinomial(n, kinds, size=resamples)  # (resamples, 3)
    low, high = np.quantile((drawn[:, 1] - drawn[:, 0]) / n, [(1 - share) / 2, (1 + share) / 2])
    return float(low), float(high)
