"""Rates with intervals for observations that come in clusters, as the frames of one scene do."""

import math
from collections.abc import Iterable

import numpy as np

from trailcam_core.spec import Rate

_RESAMPLES = 1000
_LEVEL = 0.95


def cluster_rate(counts: Iterable[tuple[str, float, float]], seed: int = 0) -> Rate:
    """Return the ratio of two sums with a bootstrap interval over clusters.

    Args:
        counts: cluster, numerator and denominator of each observation.
        seed: of the resampling.

    Source: C. A. Field and A. H. Welsh, "Bootstrapping clustered data", JRSS B 69 (2007), section 2.
    """
    clusters: dict[str, list[float]] = {}
    for name, count, of in counts:
        sums = clusters.setdefault(name, [0.0, 0.0])
        sums[0] += count
        sums[1] += of
    table = np.array(list(clusters.values()) or [[0.0, 0.0]])
    count, of = table.sum(0)
    if not of:
        return Rate(None, None, None, 0.0)
    if len(table) == 1:
        return Rate(float(count / of), None, None, float(of))
    random = np.random.default_rng(seed)
    drawn = np.concatenate(
        [table[random.integers(0, len(table), (100, len(table)))].sum(1) for _ in range(_RESAMPLES // 100)]
    )
    ratios = np.sort(drawn[drawn[:, 1] > 0, 0] / drawn[drawn[:, 1] > 0, 1])
    tail = (1 - _LEVEL) / 2
    low, high = ratios[math.floor(tail * (len(ratios) - 1))], ratios[math.ceil((1 - tail) * (len(ratios) - 1))]
    return Rate(float(count / of), float(low), float(high), float(of))
