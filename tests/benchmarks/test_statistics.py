"""Quantiles, intervals, ratios, verdicts and fronts: what must hold for any timings."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trailcam_benchmarks.statistics import (
    judge,
    p90_interval,
    paired_ratio,
    pareto_front,
    quantile,
    quantile_interval,
)

TIMES = st.lists(st.floats(0.1, 1000), min_size=1, max_size=60).map(np.array)


@given(st.integers(1, 200), st.sampled_from([0.5, 0.9, 0.99]))
def test_the_interval_of_a_quantile_covers_as_often_as_it_says_and_no_narrower_one_does(n: int, share: float) -> None:
    found = quantile_interval(np.arange(1.0, n + 1), share)  # each timing is its own rank
    pmf = [math.comb(n, k) * share**k * (1 - share) ** (n - k) for k in range(n + 1)]
    if found.low is not None:
        low = int(found.low)
        assert sum(pmf[:low]) <= 0.025 + 1e-9
        assert sum(pmf[: low + 1]) > 0.025 - 1e-9
    else:
        assert pmf[0] > 0.025 - 1e-9
    if found.high is not None:
        high = int(found.high)
        assert sum(pmf[high:]) <= 0.025 + 1e-9
        assert sum(pmf[high - 1 :]) > 0.025 - 1e-9
    else:
        assert pmf[n] > 0.025 - 1e-9


@given(TIMES, st.sampled_from([0.5, 0.9, 0.99]))
def test_a_quantile_is_one_of_the_timings_and_lies_in_its_interval(times: np.ndarray, share: float) -> None:
    found = quantile_interval(times, share)
    middle = quantile(times, share)
    assert middle in times
    assert (times <= middle).mean() >= share - 1e-12
    assert found.low is None or found.low <= middle
    assert found.high is None or found.high >= middle


@given(st.lists(TIMES, min_size=1, max_size=6))
def test_rounds_never_make_the_interval_narrower_than_order_statistics(rounds: list[np.ndarray]) -> None:
    pooled, found = quantile_interval(np.concatenate(rounds), 0.9), p90_interval(rounds)
    assert (found.low is None) == (pooled.low is None)
    assert found.low is None or pooled.low is None or found.low <= pooled.low
    assert found.high is None or pooled.high is None or found.high >= pooled.high


def test_a_machine_that_drifts_between_rounds_widens_the_interval() -> None:
    times = np.random.default_rng(0).normal(20, 0.1, (8, 200))
    still, drifting = p90_interval(list(times)), p90_interval(list(times + np.arange(8)[:, None]))
    assert still.high is not None
    assert still.low is not None
    assert drifting.high is not None
    assert drifting.low is not None
    assert drifting.high - drifting.low > 5 * (still.high - still.low)


@given(st.lists(st.floats(1, 100), min_size=1, max_size=20), st.floats(0.1, 10))
def test_a_ratio_does_not_see_a_drift_that_hurts_both(reference: list[float], factor: float) -> None:
    found = paired_ratio([factor * value for value in reference], reference)
    assert found.value == pytest.approx(factor)
    for end in (found.interval.low, found.interval.high):
        assert end is None or end == pytest.approx(factor)


def test_a_ratio_needs_a_common_round_and_leaves_out_what_has_no_pair() -> None:
    assert paired_ratio([2, 2, 99], [1, 1]).value == 2
    with pytest.raises(ValueError, match="no round"):
        paired_ratio([], [1.0])


NOISE = [0.98, 1.0, 1.01, 0.99, 1.02, 1.0, 0.99, 1.01]


@pytest.mark.parametrize(
    ("factor", "verdict"), [(1.0, "same"), (1.02, "same"), (1.2, "slower"), (0.8, "faster"), (1.05, "inconclusive")]
)
def test_a_change_is_called_only_beyond_margin_and_noise(factor: float, verdict: str) -> None:
    assert judge([20 * x for x in NOISE], [20 * factor * x for x in NOISE], 0.05) == verdict


def test_noise_that_hides_a_change_is_inconclusive_and_so_are_too_few_rounds() -> None:
    wild = [10.0, 40, 15, 30, 20, 50, 12, 25]
    assert judge(wild, [1.2 * x for x in wild], 0.05) == "inconclusive"
    assert judge([20.0, 20.0], [90.0, 91.0], 0.05) == "inconclusive"
    assert judge([], [1.0], 0.05) == "inconclusive"


@given(st.lists(st.floats(1, 100), min_size=1, max_size=6), st.lists(st.floats(1, 100), min_size=1, max_size=6))
def test_old_and_new_exchanged_exchange_the_verdict(old: list[float], new: list[float]) -> None:
    opposite = {"slower": "faster", "faster": "slower"}
    found = judge(old, new, 0.05)
    assert judge(new, old, 0.05) == opposite.get(found, found)


def test_chance_alone_calls_a_change_no_more_often_than_alpha() -> None:
    random = np.random.default_rng(1)
    called = 0
    for _ in range(60):
        old, new = np.exp(random.normal(3, 0.1, 5)), np.exp(random.normal(3, 0.1, 5))
        called += judge(list(old), list(new), 0.0, alpha=0.05) == "slower"
    assert called <= 9  # binomial(60, 0.05) exceeds 9 once in 10,000


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=20))
def test_the_front_is_what_no_point_beats(points: list[tuple[int, int]]) -> None:
    beaten = {
        i
        for i, (cost, gain) in enumerate(points)
        if any(c <= cost and g >= gain and (c, g) != (cost, gain) for c, g in points)
    }
    front = pareto_front([(float(cost), float(gain)) for cost, gain in points])
    assert set(front) == set(range(len(points))) - beaten
    assert [points[i][0] for i in front] == sorted(points[i][0] for i in front)
