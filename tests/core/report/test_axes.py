"""The rules of an axis at their bounds."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trailcam_core.report.axes import Axis, fraction, limits, quantity, uses_log

FINITE = st.floats(-1e9, 1e9)


@given(st.lists(st.floats(0, 1)))
def test_an_axis_of_fractions_stays_within_0_and_100_percent(values: list[float]) -> None:
    low, high = limits(values, fraction("right"))
    assert 0 <= low < high <= 1


@given(st.lists(st.floats(0, 1e9)))
def test_an_axis_of_times_never_goes_below_zero(values: list[float]) -> None:
    low, high = limits(values, quantity("ms"))
    assert 0 <= low < high


@given(st.lists(FINITE, min_size=1))
def test_every_value_lies_within_a_free_axis_with_air_on_both_sides(values: list[float]) -> None:
    low, high = limits(values, Axis("°C"))
    assert low < min(values) <= max(values) < high


@pytest.mark.parametrize(
    ("values", "expected"),
    [([0.5, 1.0], (0.475, 1.0)), ([0.0, 0.5], (0.0, 0.525)), ([1.0, 1.0], (0.95, 1.0)), ([0.0, 0.0], (0.0, 1.0))],
)
def test_fractions_at_their_bounds_lose_the_air_there(values: list[float], expected: tuple[float, float]) -> None:
    assert limits(values, fraction("right")) == pytest.approx(expected)


def test_a_value_that_must_be_seen_is_within_the_limits() -> None:
    low, high = limits([5.0, 6.0], Axis("loss", 0.0, show=(0.0,)))
    assert low == 0.0
    assert high == pytest.approx(6.3)


@pytest.mark.parametrize("values", [[], [math.nan], [math.inf, -math.inf]])
def test_an_axis_without_finite_values_still_has_two_ends(values: list[float]) -> None:
    assert limits(values, Axis("°C")) == (0.0, 1.0)
    assert limits(values, Axis("points", -100.0, 100.0)) == (-100.0, 100.0)


def test_an_impossible_value_is_drawn_at_the_edge() -> None:
    assert limits([-3.0], quantity("ms"))[0] == 0.0
    assert limits([2.0], fraction("right"))[1] == 1.0


@pytest.mark.parametrize(
    ("values", "log"), [([1.0, 9.99], False), ([1.0, 10.0], True), ([0.0, 10.0], False), ([], False), ([7.0], False)]
)
def test_an_axis_is_logarithmic_from_tenfold_on(values: list[float], log: bool) -> None:
    assert uses_log(values, quantity("ms")) is log
    assert not uses_log(values, Axis("°C"))


def test_a_logarithmic_axis_has_the_same_factor_of_air_on_both_sides() -> None:
    low, high = limits([2.0, 200.0], quantity("ms"))
    assert low < 2.0
    assert 2.0 / low == pytest.approx(high / 200.0)


@pytest.mark.parametrize(
    ("value", "percent", "text"),
    [(0.815, True, "81.5%"), (1.0, True, "100%"), (12_000.0, False, "12,000"), (-0.2, False, "−0.2")],  # noqa: RUF001
)
def test_ticks_are_written_without_needless_digits(value: float, percent: bool, text: str) -> None:
    assert Axis("x", percent=percent).text(value) == text
