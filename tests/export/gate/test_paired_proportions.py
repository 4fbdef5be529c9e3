"""Intervals of a difference between two answers to the same pictures."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trailcam_core.statistics.wilson import Z_95, wilson_interval
from trailcam_export.gate.paired_proportions import PairedProportion, difference_interval, pair_outcomes


def test_a_published_example_comes_out() -> None:
    """Fagerland, Lydersen and Laake (2014), airway hyper-responsiveness before and after: Tango's interval."""
    low, high = PairedProportion(21, 1, 7, 1).interval()
    assert (round(low, 3), round(high, 3)) == (-0.517, -0.026)


def test_without_discordant_pairs_it_is_wilsons_upper_end_both_ways() -> None:
    low, high = difference_interval(0, 0, 40)
    assert high == pytest.approx(wilson_interval(0, 40)[1], rel=1e-5)
    assert low == -high


@given(
    st.integers(1, 400).flatmap(
        lambda n: st.tuples(st.just(n), st.integers(0, n)).flatmap(
            lambda seen: st.tuples(st.just(seen[0]), st.just(seen[1]), st.integers(0, seen[0] - seen[1]))
        )
    )
)
def test_it_holds_the_difference_stays_in_range_mirrors_and_widens_with_z(seen: tuple[int, int, int]) -> None:
    n, only_first, only_second = seen
    low, high = difference_interval(only_first, only_second, n)
    assert -1 <= low <= (only_second - only_first) / n <= high <= 1
    mirrored = difference_interval(only_second, only_first, n)
    assert mirrored == pytest.approx((-high, -low), abs=1e-9)
    wider = difference_interval(only_first, only_second, n, Z_95 + 1)
    assert wider[0] <= low
    assert wider[1] >= high


def test_its_ends_are_missed_as_often_as_they_say() -> None:
    random = np.random.default_rng(0)
    n, lost, won = 500, 0.02, 0.01
    draws = random.multinomial(n, [lost, won, 1 - lost - won], 2000)
    ends = [difference_interval(int(a), int(b), n) for a, b, _ in draws]
    missed = np.mean([not low <= won - lost <= high for low, high in ends])
    assert 0.03 <= missed <= 0.07


def test_pairs_are_counted() -> None:
    pairs = pair_outcomes(np.array([True, True, False, False, True]), np.array([True, False, True, False, False]))
    assert pairs == PairedProportion(5, 1, 2, 1)
    assert (pairs.first, pairs.second, pairs.delta) == (0.6, 0.4, -0.2)
    assert PairedProportion(0, 0, 0, 0).interval() == (-1.0, 1.0)


def test_more_discordant_pairs_than_pictures_are_refused() -> None:
    with pytest.raises(ValueError, match="discordant pairs"):
        difference_interval(3, 3, 5)
