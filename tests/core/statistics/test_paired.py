"""The paired test of two models, and the interval of their difference."""

from math import comb

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trailcam_core.statistics.paired import bootstrap_delta, mcnemar_exact


def answers(only_first: int, only_second: int, both: int, neither: int) -> tuple[npt.NDArray[np.bool_], ...]:
    counts = [only_first, only_second, both, neither]
    return np.repeat([True, False, True, False], counts), np.repeat([False, True, True, False], counts)


@pytest.mark.parametrize(
    ("only_first", "only_second", "p"),
    [
        (0, 0, 1.0),
        (0, 1, 1.0),
        (0, 5, 2 / 2**5),
        (2, 8, 2 * (1 + 10 + 45) / 2**10),
        (4, 4, 1.0),
    ],
)
def test_the_p_value_is_that_of_the_binomial(only_first: int, only_second: int, p: float) -> None:
    assert mcnemar_exact(only_first, only_second) == pytest.approx(p, rel=1e-12)


@given(st.integers(0, 60), st.integers(0, 60))
def test_the_p_value_is_symmetric_and_sums_the_tail(only_first: int, only_second: int) -> None:
    pairs, fewer = only_first + only_second, min(only_first, only_second)
    tail = sum(comb(pairs, k) for k in range(fewer + 1)) / 2**pairs

    assert mcnemar_exact(only_first, only_second) == mcnemar_exact(only_second, only_first)
    assert mcnemar_exact(only_first, only_second) == pytest.approx(min(1.0, 2 * tail), rel=1e-12)


def test_thousands_of_discordant_pairs_neither_overflow_nor_lose_digits() -> None:
    # The normal approximation with continuity correction: z = (|5000 - 5200| - 1) / sqrt(10200), p = 0.0488
    assert mcnemar_exact(5000, 5200) == pytest.approx(0.0488, abs=2e-4)
    assert mcnemar_exact(0, 5000) == 0.0  # below the smallest float


def test_negative_counts_are_a_wrong_call() -> None:
    with pytest.raises(ValueError, match="negative"):
        mcnemar_exact(-1, 3)


def test_the_interval_has_the_sign_of_second_minus_first_and_turns_with_the_order() -> None:
    first, second = answers(only_first=10, only_second=60, both=900, neither=30)

    low, high = bootstrap_delta(first, second, seed=1)
    assert 0 < low < 0.05 < high
    swapped = bootstrap_delta(second, first, seed=1)
    assert (-swapped[1], -swapped[0]) == pytest.approx((low, high), abs=0.004)  # other draws, same distribution


def test_the_interval_agrees_with_drawing_whole_pictures_again() -> None:
    first, second = answers(only_first=20, only_second=35, both=400, neither=45)
    rng = np.random.default_rng(5)
    gain = second.astype(int) - first.astype(int)
    deltas = gain[rng.integers(0, len(gain), (20_000, len(gain)))].mean(axis=1)

    expected = np.quantile(deltas, [0.025, 0.975])
    assert bootstrap_delta(first, second, seed=2, resamples=20_000) == pytest.approx(tuple(expected), abs=0.002)


def test_the_same_seed_gives_the_same_interval_and_a_larger_share_a_wider_one() -> None:
    first, second = answers(8, 15, 100, 20)

    assert bootstrap_delta(first, second, seed=4) == bootstrap_delta(first, second, seed=4)
    low, high = bootstrap_delta(first, second, seed=4, share=0.5)
    wider_low, wider_high = bootstrap_delta(first, second, seed=4, share=0.99)
    assert wider_low < low < high < wider_high


def test_equal_answers_give_zero_and_no_pictures_give_everything() -> None:
    first, _ = answers(0, 0, 3, 2)
    nothing = np.zeros(0, bool)

    assert bootstrap_delta(first, first, seed=0) == (0.0, 0.0)
    assert bootstrap_delta(nothing, nothing, seed=0) == (-1.0, 1.0)


def test_arrays_that_do_not_pair_up_are_a_wrong_call() -> None:
    with pytest.raises(ValueError, match=r"\(3,\), \(4,\)"):
        bootstrap_delta(np.ones(3, bool), np.ones(4, bool), seed=0)
