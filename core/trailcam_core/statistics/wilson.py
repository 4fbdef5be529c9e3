"""Confidence intervals for fractions."""

from math import sqrt

Z_95 = 1.959963984540054  # two-sided 95 % quantile of the standard normal distribution
Z_99 = 2.5758293035489004  # two-sided 99 %


def wilson_interval(successes: float, n: float, z: float = Z_95) -> tuple[float, float]:
    """Return the Wilson score interval of ``successes`` out of ``n``, both ends in 0..1; 95 % by default.

    It stays inside 0..1 and is honest for small ``n`` and for shares near 1, where the normal interval is not.
    With ``n == 0`` nothing is known: (0, 1).

    Args:
        successes: a count; a fraction where the interval of an expected count is asked for.
        n: the same.
        z: two-sided quantile of the standard normal distribution, above 0.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927).
    """
    if not 0 <= successes <= n:
        raise ValueError(f"successes must lie in 0..n, got {successes} of {n}")
    if n == 0:
        return 0.0, 1.0
    share = successes / n
    scale = 1 + z**2 / n
    centre = (share + z**2 / (2 * n)) / scale
    half = z / scale * sqrt(share * (1 - share) / n + z**2 / (4 * n * n))
    return max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half))  # rounding must not cross the share


def difference_interval(
    first: tuple[float, float], second: tuple[float, float], z: float = Z_95
) -> tuple[float, float]:
    """Return the interval of the second fraction minus the first one, of two independent samples; -1..1.

    Args:
        first: successes and their number of trials, at least 1.
        second: the same.
        z: two-sided quantile of the standard normal distribution, above 0.

    Source: R. G. Newcombe, "Interval estimation for the difference between independent proportions", Statistics in
    Medicine 17 (1998), method 10.
    """
    share, other = first[0] / first[1], second[0] / second[1]
    low, high = wilson_interval(*first, z)
    other_low, other_high = wilson_interval(*second, z)
    difference = other - share
    return (
        difference - sqrt((other - other_low) ** 2 + (high - share) ** 2),
        difference + sqrt((other_high - other) ** 2 + (share - low) ** 2),
    )
