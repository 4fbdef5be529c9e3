"""Random moments: one in each slot, equally likely, and the same for the same seed."""

import pytest

from trailcam_edge.app.random_moments import DAY_S, MomentDraw


@pytest.mark.parametrize("per_day", [1, 10, 1000])
def test_every_slot_has_one_moment(per_day: int) -> None:
    draw = MomentDraw(per_day, "oak")
    slot_s = DAY_S / per_day
    for slot in range(50):
        assert slot * slot_s <= draw.moment_s(slot) < (slot + 1) * slot_s


def test_a_day_that_is_watched_second_by_second_gives_as_many_as_asked_for() -> None:
    draw = MomentDraw(24, "oak")
    passed = [draw.has_passed(second - 1.0, float(second)) for second in range(1, int(DAY_S) + 1)]
    assert sum(passed) == 24


def test_moments_are_spread_evenly_over_the_slot() -> None:
    draw = MomentDraw(1, "oak")
    hours = [0] * 4
    for slot in range(4000):
        hours[int(4 * (draw.moment_s(slot) / DAY_S - slot))] += 1
    assert all(900 < number < 1100 for number in hours), hours


def test_the_seed_decides() -> None:
    assert MomentDraw(1, "oak").moment_s(7) == MomentDraw(1, "oak").moment_s(7)
    assert MomentDraw(1, "oak").moment_s(7) != MomentDraw(1, "elm").moment_s(7)


def test_a_moment_that_was_not_seen_is_not_made_up_for() -> None:
    draw = MomentDraw(1, "oak")
    moment_s = draw.moment_s(0)
    assert draw.has_passed(moment_s - 100, moment_s + 4.9)
    assert not draw.has_passed(moment_s - 100, moment_s + 5.1)
    assert not draw.has_passed(moment_s, moment_s + 1), "it has passed already"
    assert not MomentDraw(0, "oak").has_passed(0.0, 5.0)
    assert not draw.has_passed(moment_s + 1, moment_s - 1), "the clock was set back"
