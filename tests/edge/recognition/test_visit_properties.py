"""Properties of visits that hold for every scene."""

import itertools
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from tests.edge.recognition.looks import RULES, play

from trailcam_edge.events import NOTHING, UNKNOWN
from trailcam_edge.recognition.visits import (
    FrameVote,
    VisitState,
    advance,
)

# What must hold whatever the camera sees: labels, gaps from a frame's period to more than a cool-down, and confidences
# that are either far above every threshold or far below.
steps = st.lists(
    st.tuples(
        st.sampled_from(["cat", "dog", UNKNOWN, NOTHING]),
        st.sampled_from([0.0, 0.033, 0.1, 0.25, 0.3, 1.0, 2.5, 5.0, 7.0]),
        st.sampled_from([0.95, 0.05]),
    ),
    max_size=120,
)


def looks_of(found: list[tuple[str, float, float]]) -> list[FrameVote]:
    now_s, made = 0.0, []
    for number, (label, gap_s, confidence) in enumerate(found):
        now_s += gap_s
        made.append(FrameVote(now_s, number, label, confidence))
    return made


def runs(*parts: tuple[str, int, float]) -> list[tuple[str, float, float]]:
    return [(label, gap_s, 0.95) for label, count, gap_s in parts for _ in range(count)]


# Free lists rarely hold three votes in a row; runs of one label make visits, cuts and cool-downs common.
scenes = st.one_of(
    steps,
    st.lists(
        st.tuples(
            st.sampled_from(["cat", "dog", UNKNOWN]), st.integers(1, 100), st.sampled_from([0.033, 0.25, 0.3, 1.0, 5.0])
        ),
        max_size=8,
    ).map(lambda parts: runs(*parts)),
).map(looks_of)


@given(scenes)
def test_no_visit_ends_before_it_starts_or_lasts_longer_than_allowed(sequence: list[FrameVote]) -> None:
    for visit in play(sequence):
        assert 0 <= visit.seen_s - visit.started_s <= RULES.longest_s
        assert visit.frames >= visit.votes >= RULES.votes


@given(scenes)
def test_visits_of_one_label_are_a_cool_down_apart_unless_the_first_was_cut(sequence: list[FrameVote]) -> None:
    found = play(sequence)
    for label in {visit.label for visit in found}:
        own = [visit for visit in found if visit.label == label]
        for before, after in itertools.pairwise(own):
            cut = after.started_s - before.started_s > RULES.longest_s
            assert after.started_s > before.seen_s
            assert after.started_s - before.seen_s >= RULES.cool_down_s or cut


@given(scenes)
def test_every_accepted_frame_within_a_visit_is_counted_in_exactly_one(sequence: list[FrameVote]) -> None:
    for visit in play(sequence):
        own = [
            look
            for look in sequence
            if look.label == visit.label
            and look.confidence > 0.5
            and visit.started_s <= look.timestamp_s <= visit.seen_s
        ]
        # Frames of one instant are told apart by nothing that a visit keeps.
        instants = {look.timestamp_s for look in own}
        if len(instants) == len(own):
            assert visit.frames == len(own)
        assert visit.best.sequence in {look.sequence for look in own}
        assert visit.votes <= len(instants)


@given(scenes)
def test_visits_are_given_out_in_the_order_in_which_they_ended(sequence: list[FrameVote]) -> None:
    rules = replace(RULES, longest_s=86_400)
    ends = [visit.seen_s for visit in play(sequence, rules)]
    assert ends == sorted(ends)


@given(scenes, st.integers(0, 119))
def test_one_flickering_frame_never_makes_a_visit(sequence: list[FrameVote], place: int) -> None:
    if place < len(sequence):
        sequence[place] = replace(sequence[place], label="fox", confidence=0.95)
    assert all(visit.label != "fox" for visit in play(sequence))


@given(scenes)
def test_looking_changes_no_earlier_state(sequence: list[FrameVote]) -> None:
    state = VisitState()
    for look in sequence:
        before = repr(state)
        following, _, _ = advance(state, look, RULES)
        assert repr(state) == before
        state = following


@given(scenes, st.floats(0, 60))
def test_a_clock_that_runs_backwards_breaks_nothing(sequence: list[FrameVote], back_s: float) -> None:
    shaken = [
        replace(look, timestamp_s=look.timestamp_s - back_s * (number % 3 == 2)) for number, look in enumerate(sequence)
    ]
    for visit in play(shaken):
        assert visit.seen_s >= visit.started_s
