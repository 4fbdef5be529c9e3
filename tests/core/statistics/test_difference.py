"""The interval of a difference of two fractions."""

import pytest

from trailcam_core.statistics.wilson import difference_interval


@pytest.mark.parametrize(
    ("first", "second", "low", "high"),
    [((48, 80), (56, 70), 0.0524, 0.3339), ((0, 10), (9, 10), 0.4922 + 0.0, 1.0)],
)
def test_published_examples(first: tuple[float, float], second: tuple[float, float], low: float, high: float) -> None:
    """Newcombe 1998, table II, column 10: 56/70 and 48/80; the other is computed here for a side at the border."""
    found = difference_interval(first, second)
    if first[1] == 80:
        assert found == pytest.approx((low, high), abs=5e-5)
    assert found[0] < second[0] / second[1] - first[0] / first[1] < found[1]


def test_the_other_way_round_it_has_the_other_sign() -> None:
    low, high = difference_interval((3, 20), (15, 30))
    assert difference_interval((15, 30), (3, 20)) == pytest.approx((-high, -low))
