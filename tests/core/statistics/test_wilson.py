"""Wilson intervals."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trailcam_core.statistics.wilson import wilson_interval


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [
        # R. G. Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in Medicine 17 (1998)
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_published_intervals_are_reproduced(successes: int, n: int, low: float, high: float) -> None:
    assert wilson_interval(successes, n) == pytest.approx((low, high), abs=5e-5)


def test_without_pictures_nothing_is_known() -> None:
    assert wilson_interval(0, 0) == (0.0, 1.0)


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_the_share_lies_inside_and_the_ends_inside_0_to_1(n: int, share: float) -> None:
    successes = round(share * n)
    low, high = wilson_interval(successes, n)
    assert 0 <= low <= successes / n <= high <= 1
    assert low < high


@given(st.integers(0, 500), st.integers(0, 500))
def test_successes_and_failures_mirror_each_other(successes: int, failures: int) -> None:
    low, high = wilson_interval(successes, successes + failures)
    mirrored = wilson_interval(failures, successes + failures)
    assert (1 - high, 1 - low) == pytest.approx(mirrored)


@pytest.mark.parametrize(("successes", "n"), [(-1, 5), (6, 5), (0, -1)])
def test_impossible_counts_are_a_wrong_call(successes: int, n: int) -> None:
    with pytest.raises(ValueError, match=r"0\.\.n"):
        wilson_interval(successes, n)
