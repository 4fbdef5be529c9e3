"""The expected repetition of a median, compared with its definition and with simulation."""

import math

import numpy as np
import pytest

from trailcam_benchmarks.statistics import quantile_interval
from trailcam_project.results.repeatability import median_again_share


def test_the_share_of_second_medians_in_the_interval_of_the_first_is_counted() -> None:
    assert median_again_share(8, 8) == pytest.approx(1 - 2 * 495 / 12870)  # between the extremes of 8 rounds
    assert median_again_share(5, 8) == 1.0  # open: too few rounds for an interval
    assert median_again_share(20, 20) < 0.9  # the interval of a median is not one for the next median


@pytest.mark.parametrize(("rounds", "again"), [(6, 1), (8, 8), (9, 7), (20, 5)])
def test_that_share_is_what_happens_when_rounds_are_drawn(rounds: int, again: int) -> None:
    random = np.random.default_rng(0)
    drawn = random.random((20_000, rounds + again))
    ranks = quantile_interval(np.arange(1.0, rounds + 1), 0.5)
    assert ranks.low is not None
    assert ranks.high is not None
    first = np.sort(drawn[:, :rounds], axis=1)
    median = np.median(drawn[:, rounds:], axis=1)
    inside = (first[:, int(ranks.low) - 1] <= median) & (median <= first[:, int(ranks.high) - 1])
    share = median_again_share(rounds, again)
    error = 4 * math.sqrt(0.25 / len(drawn))
    assert inside.mean() >= share - error
    if again % 2:  # the middle round itself: then it is no bound but the share
        assert inside.mean() <= share + error
