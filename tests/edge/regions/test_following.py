"""Following regions: the same animal keeps its number, a branch opens no visit, crops are taken in turn."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trailcam_core.images.boxes import Box
from trailcam_edge.regions import Following, RegionSettings, choose, follow, may_open_visit, note_look

SETTINGS = RegionSettings()
LARGE, SMALL = Box(0.1, 0.1, 0.3, 0.3), Box(0.7, 0.7, 0.1, 0.1)


def run(frames: Sequence[Sequence[Box]], period_s: float = 0.2) -> tuple[Following, list[tuple[int | None, ...]]]:
    state, identifiers = Following(), []
    for number, boxes in enumerate(frames):
        state, found = follow(state, boxes, number * period_s, SETTINGS)
        identifiers.append(found)
    return state, identifiers


def walk(start: float, step: float, count: int, side: float = 0.1) -> list[Box]:
    return [Box(start + step * number, 0.5, side, side) for number in range(count)]


@st.composite
def box_lists(draw: st.DrawFn) -> list[list[Box]]:
    corner = st.floats(0, 0.8)
    one = st.builds(Box, corner, corner, st.floats(0.01, 0.2), st.floats(0.01, 0.2))
    return draw(st.lists(st.lists(one, max_size=4), min_size=1, max_size=8))


@given(box_lists(), st.floats(0.01, 3))
def test_every_box_has_one_region_and_no_region_two_boxes(frames: list[list[Box]], period_s: float) -> None:
    state, identifiers = Following(), []
    for number, boxes in enumerate(frames):
        state, found = follow(state, boxes, number * period_s, SETTINGS)
        assert None not in found
        assert len(set(found)) == len(boxes)
        assert {region.identifier for region in state.visible} == set(found)
        assert [region.box for region in sorted(state.visible, key=lambda r: found.index(r.identifier))] == boxes
        identifiers += found
    assert state.next_identifier == len(set(identifiers)) + 1


@pytest.mark.parametrize("period_s", [1 / 60, 0.2, 1.0])
def test_an_animal_keeps_its_number_at_any_rate(period_s: float) -> None:
    _, identifiers = run([[box] for box in walk(0.0, 0.3 * period_s, round(2.5 / period_s))], period_s)
    assert set(identifiers) == {(1,)}


def test_two_animals_keep_their_numbers_while_they_pass_each_other_apart() -> None:
    right = [Box(0.05 * k, 0.1, 0.1, 0.1) for k in range(16)]
    left = [Box(0.8 - 0.05 * k, 0.6, 0.1, 0.1) for k in range(16)]
    _, identifiers = run([[a, b] for a, b in zip(right, left, strict=True)])
    assert set(identifiers) == {(1, 2)}


def test_a_jump_across_the_frame_begins_a_region() -> None:
    _, identifiers = run([[Box(0.0, 0.0, 0.1, 0.1)], [Box(0.8, 0.8, 0.1, 0.1)]])
    assert identifiers == [(1,), (2,)]


def test_a_region_that_is_missed_for_less_than_lost_s_goes_on_and_then_has_ended() -> None:
    state, _ = follow(Following(), [LARGE], 0.0, SETTINGS)
    missed, _ = follow(state, [], 0.2, SETTINGS)
    assert missed.visible == ()
    missed, _ = follow(missed, [], SETTINGS.lost_s - 0.2, SETTINGS)
    again, identifiers = follow(missed, [LARGE], SETTINGS.lost_s - 0.1, SETTINGS)
    assert identifiers == (1,)
    gone, _ = follow(missed, [], SETTINGS.lost_s, SETTINGS)
    assert gone.regions == ()
    assert again.visible[0].first_s == 0.0


def test_at_one_frame_in_two_seconds_a_region_survives_a_missed_frame() -> None:
    _, identifiers = run([[LARGE], [], [LARGE]], period_s=2.0)
    assert identifiers[-1] == (1,)


def test_time_that_runs_backwards_counts_as_reached() -> None:
    state, _ = follow(Following(), [LARGE], 10.0, SETTINGS)
    state, identifiers = follow(state, [LARGE], 3.0, SETTINGS)
    assert (state.time_s, identifiers) == (10.0, (1,))


def test_crops_are_taken_largest_first_and_then_in_turn() -> None:
    state, _ = follow(Following(), [LARGE, SMALL], 0.0, SETTINGS)
    chosen = []
    for frame in range(4):
        region = choose(state)
        assert region is not None
        chosen.append(region.identifier)
        state = note_look(state, region.identifier, frame)
    assert chosen == [1, 2, 1, 2]
    assert [region.looks for region in state.regions] == [2, 2]


def test_a_new_region_is_looked_at_before_one_that_was() -> None:
    state, _ = follow(Following(), [LARGE], 0.0, SETTINGS)
    state = note_look(state, 1, 0)
    state, _ = follow(state, [LARGE, SMALL], 0.2, SETTINGS)
    chosen = choose(state)
    assert chosen is not None
    assert chosen.identifier == 2


def test_nothing_visible_gives_nothing_to_classify() -> None:
    assert choose(Following()) is None
    state, _ = run([[LARGE], []])
    assert choose(state) is None


def test_a_region_moves_once_its_centre_came_half_of_its_side() -> None:
    still, _ = run([[box] for box in walk(0.1, 0.0, 30)])
    trembling, _ = run([[Box(0.1 + 0.03 * (k % 2), 0.5, 0.1, 0.1)] for k in range(30)])
    walking, _ = run([[box] for box in walk(0.1, 0.03, 3)])
    assert not still.regions[0].has_moved
    assert not trembling.regions[0].has_moved
    assert walking.regions[0].has_moved


def test_a_region_that_never_moved_opens_no_visit_after_still_s_or_where_one_was() -> None:
    young, _ = run([[LARGE]] * 10)
    assert may_open_visit(young, young.regions[0], SETTINGS)
    old, _ = run([[LARGE]] * 62, period_s=1.0)
    assert not may_open_visit(old, old.regions[0], SETTINGS)
    returned, _ = run([[LARGE]] * 8 + [[]] * 4 + [[LARGE]], period_s=1.0)
    assert returned.regions[0].identifier == 2
    assert not may_open_visit(returned, returned.regions[0], SETTINGS)
    elsewhere, _ = run([[LARGE]] * 8 + [[]] * 4 + [[SMALL]], period_s=1.0)
    assert may_open_visit(elsewhere, elsewhere.regions[0], SETTINGS)


def test_an_animal_that_comes_along_opens_a_visit_at_the_place_of_a_branch() -> None:
    branch = [[LARGE]] * 8 + [[]] * 4
    state, _ = run([*branch, *([Box(0.1 + 0.06 * k, 0.2, 0.15, 0.15)] for k in range(4))], period_s=1.0)
    assert may_open_visit(state, state.regions[-1], SETTINGS)


def test_a_place_is_forgotten_after_memory_s() -> None:
    settings = RegionSettings(memory_s=20)
    state = Following()
    for second in range(8):
        state, _ = follow(state, [LARGE], float(second), settings)
    for second in range(8, 12):
        state, _ = follow(state, [], float(second), settings)
    assert len(state.places) == 1
    state, _ = follow(state, [], 27.0, settings)
    assert len(state.places) == 1
    state, _ = follow(state, [], 27.5, settings)
    assert state.places == ()
