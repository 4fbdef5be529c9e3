"""When to look a second time, and what it may open."""

from hypothesis import given
from hypothesis import strategies as st

from trailcam_core.images.boxes import Box
from trailcam_edge.regions import RegionSettings, StillLooks, end_series, is_due, may_open, note_still_look
from trailcam_edge.regions.still_looks import LOOKS

SETTINGS = RegionSettings(zoom_every_s=60.0, memory_s=600.0)
BOX, ELSEWHERE = Box(0.1, 0.1, 0.25, 0.45), Box(0.7, 0.5, 0.25, 0.45)


def play(named: bool, seconds: int, state: StillLooks, start_s: float = 0.0) -> tuple[StillLooks, list[float]]:
    """Five frames a second in which nothing moves; return the state and the times of the looks."""
    looks = []
    for number in range(5 * seconds):
        time_s = start_s + number / 5
        if is_due(state, time_s, SETTINGS):
            looks.append(time_s)
            state = note_still_look(state, BOX, named, time_s, SETTINGS)
    return state, looks


def test_nothing_is_looked_at_by_default() -> None:
    assert not is_due(StillLooks(), 10.0, RegionSettings())


def test_an_empty_scene_is_looked_at_once_in_a_while() -> None:
    assert play(False, 300, StillLooks())[1] == [0.0, 60.0, 120.0, 180.0, 240.0]


def test_what_is_named_is_looked_at_until_it_has_its_votes_and_then_left_alone() -> None:
    _, looks = play(True, 70, StillLooks())
    assert [round(time_s, 1) for time_s in looks[:LOOKS]] == [0.0, 0.6, 1.2, 1.8, 2.4]
    assert round(looks[LOOKS] - looks[LOOKS - 1], 1) == 60.0


def test_a_place_that_was_named_all_along_opens_one_visit_and_another_only_after_it_was_forgotten() -> None:
    state = StillLooks()
    assert may_open(state, BOX)
    state, _ = play(True, 70, state)
    assert not may_open(state, BOX)
    assert may_open(state, ELSEWHERE)
    state, _ = play(True, 1200, state, 70.0)  # it stays for 20 minutes
    assert not may_open(state, BOX)
    state, _ = play(False, 700, state, 1300.0)
    assert may_open(state, BOX)


def test_one_wrong_name_is_not_remembered() -> None:
    state = note_still_look(StillLooks(), BOX, True, 0.0, SETTINGS)
    state = note_still_look(state, BOX, False, 0.5, SETTINGS)
    assert state.looks == 0
    assert may_open(state, BOX)


def test_movement_ends_a_series() -> None:
    state = note_still_look(StillLooks(), BOX, True, 0.0, SETTINGS)
    assert not is_due(end_series(state), 30.0, SETTINGS)
    assert is_due(end_series(state), 60.0, SETTINGS)


@given(st.lists(st.tuples(st.floats(0, 1e5), st.booleans(), st.sampled_from([BOX, ELSEWHERE])), max_size=60))
def test_the_state_stays_small_whatever_the_times(looks: list[tuple[float, bool, Box]]) -> None:
    state = StillLooks()
    for time_s, named, box in looks:
        if is_due(state, time_s, SETTINGS):
            state = note_still_look(state, box, named, time_s, SETTINGS)
        assert 0 <= state.looks < LOOKS
        assert len(state.places) <= 2
