"""From answers to visits: the rules, and what must hold for any sequence of answers."""

from dataclasses import replace

import pytest
from tests.edge.recognition.looks import RULES, looks, play

from trailcam_core.classifier import Classification
from trailcam_core.images.boxes import Box
from trailcam_core.inference.decision import Candidate
from trailcam_edge.events import NOTHING, PERSON, UNKNOWN
from trailcam_edge.recognition.visits import (
    FrameVote,
    VisitState,
    advance,
    finish,
    name_outcome,
    outcome_of,
    wait_until,
)


def answer(label: str | None, best: str, confidence: float = 0.9) -> Classification:
    return Classification(label, confidence, (Candidate(best, confidence),), 1.0)


def test_three_votes_of_five_open_a_visit_that_begins_with_the_first() -> None:
    (visit,) = play(looks(None, "cat", None, "cat", None, "cat"))
    assert (visit.label, visit.started_s, visit.seen_s) == ("cat", 0.25, 1.25)
    assert (visit.frames, visit.votes) == (3, 3)
    assert visit.latency_sum_ms == 30.0


def test_three_votes_of_six_do_not() -> None:
    assert play(looks("cat", None, None, "cat", None, "cat")) == []


def test_three_frames_within_one_vote_do_not() -> None:
    assert play(looks(*["cat"] * 7, step_s=0.03)) == []


def test_votes_that_are_too_far_apart_do_not() -> None:
    assert play(looks(*["cat"] * 12, step_s=2.5)) == []


def test_frames_between_votes_count_as_frames_not_as_votes() -> None:
    (visit,) = play(looks(*["cat"] * 31, step_s=0.1))
    assert visit.frames == 31
    assert visit.votes == 11  # every third frame is the first one 250 ms after the last vote


def test_a_visit_survives_flicker_and_other_labels_and_ends_after_the_cool_down() -> None:
    sequence = looks(*["cat"] * 4, "dog", None, None, "cat", *[None] * 30)
    (visit,) = play(sequence)
    assert visit.label == "cat"
    assert visit.seen_s == 7 * 0.25
    assert visit.frames == 5


def test_an_animal_that_comes_back_before_the_cool_down_is_the_same_visit_and_after_it_another() -> None:
    first = looks(*["cat"] * 4)
    soon = looks(*["cat"] * 4, start_s=5.5)
    late = looks(*["cat"] * 4, start_s=6.0)
    assert len(play(first + soon)) == 1
    assert len(play(first + late)) == 2


def test_two_animals_at_once_are_two_visits() -> None:
    found = play(looks(*["cat", "cat", "dog", "cat", "dog", "dog", "cat"]))
    assert sorted(visit.label for visit in found) == ["cat", "dog"]


def test_a_visit_that_lasts_too_long_is_cut_and_the_rest_is_another() -> None:
    found = play(looks(*["cow"] * 120))
    assert [(visit.started_s, visit.seen_s) for visit in found] == [(0.0, 20.0), (20.25, 29.75)]


def test_what_is_left_of_a_cut_visit_must_win_its_votes_too() -> None:
    found = play(looks(*["cow"] * 82))  # one frame beyond the cut
    assert [visit.frames for visit in found] == [81]


def test_an_open_visit_is_held_by_less_confidence_than_opened_it() -> None:
    weak = looks(*["cat"] * 8, confidence=0.5)
    assert play(weak) == []
    strong = looks(*["cat"] * 4)
    (visit,) = play(strong + [replace(look, timestamp_s=look.timestamp_s + 1) for look in weak])
    assert visit.frames == 12


def test_every_label_may_have_its_own_threshold() -> None:
    rules = replace(RULES, label_confidence={"wolf": 0.95})
    assert play(looks(*["wolf"] * 5), rules) == []
    assert len(play(looks(*["cat"] * 5), rules)) == 1
    assert len(play(looks(*["wolf"] * 5, confidence=0.96), rules)) == 1


def test_the_best_frame_is_the_most_confident_and_of_equals_the_sharpest() -> None:
    frames = [
        FrameVote(number * 0.25, number, "cat", confidence, sharp)
        for number, (confidence, sharp) in enumerate([(0.9, 50), (0.97, 10), (0.971, 30), (0.968, 20), (0.7, 99)])
    ]
    (visit,) = play(frames)
    assert visit.best.sequence == 2


def test_a_frame_that_is_sharper_by_less_than_one_is_still_better() -> None:
    found = [replace(look, sharpness=7.0 + look.sequence / 10) for look in looks(*["cat"] * 5)]
    (visit,) = play(found)
    assert visit.best.sequence == 4


def test_of_frames_that_are_equal_the_first_stays_the_best() -> None:
    (visit,) = play([replace(look, sharpness=7.0) for look in looks(*["cat"] * 5)])
    assert visit.best.sequence == 0


def test_a_tentative_track_is_dropped_before_it_could_be_cut() -> None:
    rules = replace(RULES, vote_age_s=4.0, longest_s=4.0)  # the closest that the settings allow
    state = VisitState()
    for look in looks("cat", "cat", step_s=4.0):
        state, ended, _ = advance(state, look, rules)
    assert (ended, [track.started_s for track in state.tracks]) == ((), [0.0])
    state, ended, _ = advance(state, FrameVote(4.001, 2, "cat", 0.9), rules)
    assert (ended, [(track.started_s, track.frames) for track in state.tracks]) == ((), [(4.001, 1)])


@pytest.mark.parametrize("outcome", [UNKNOWN, NOTHING, PERSON])
def test_outcomes_are_visits_only_where_they_are_reported(outcome: str) -> None:
    sequence = looks(*[outcome] * 5)
    assert play(sequence, replace(RULES, reported_outcomes=())) == []
    (visit,) = play(sequence, replace(RULES, reported_outcomes=(outcome,)))
    assert visit.label == outcome


def test_answers_are_named() -> None:
    assert name_outcome(answer("cat", "cat"), RULES) == "cat"
    assert name_outcome(answer(None, "cat"), RULES) == UNKNOWN
    assert name_outcome(answer("Person", "Person"), RULES) == PERSON
    assert name_outcome(answer("empty", "empty"), RULES) == NOTHING
    assert name_outcome(answer(None, "background"), RULES) == NOTHING
    assert name_outcome(answer("unknown", "unknown"), RULES) == UNKNOWN
    second = Classification("cat", 0.6, (Candidate("cat", 0.6), Candidate("empty", 0.4)), 1.0)
    assert name_outcome(second, RULES) == "cat"  # only the first counts


def test_a_label_that_is_not_sure_enough_counts_as_unknown() -> None:
    (look,) = looks("cat", confidence=0.59)
    assert outcome_of(look, VisitState(), RULES) == UNKNOWN
    assert outcome_of(replace(look, confidence=0.6), VisitState(), RULES) == "cat"


def test_the_outcome_of_a_frame_is_the_one_that_was_counted() -> None:
    state = VisitState()
    for vote in looks(*["cat"] * 4):
        state, _, _ = advance(state, vote, RULES)
    doubtful = FrameVote(0.75 + RULES.cool_down_s, 4, "cat", 0.5)
    held, ended, outcome = advance(state, replace(doubtful, timestamp_s=doubtful.timestamp_s - 0.01), RULES)
    assert (ended, outcome, held.open_labels) == ((), "cat", ("cat",))
    assert outcome_of(doubtful, state, RULES) == "cat"  # before the time has passed
    after, ended, outcome = advance(state, doubtful, RULES)
    assert ([track.label for track in ended], outcome, after.tracks) == (["cat"], UNKNOWN, ())


def test_time_alone_ends_a_visit() -> None:
    state = VisitState()
    for look in looks(*["cat"] * 4):
        state, _, _ = advance(state, look, RULES)
    state, ended = wait_until(state, 5.7, RULES)
    assert ended == ()
    state, ended = wait_until(state, 5.75, RULES)
    assert [visit.label for visit in ended] == ["cat"]
    assert finish(state) == ()


def region_votes(*entries: tuple[float, int, str], alive: frozenset[int] = frozenset({1, 2})) -> list[FrameVote]:
    """Return votes of regions: time, number and label of each."""
    return [
        FrameVote(time_s, sequence, label, 0.9, region=region, box=Box(0.1 * region, 0, 0.1, 0.1), alive=alive)
        for sequence, (time_s, region, label) in enumerate(entries)
    ]


def test_two_regions_vote_apart_though_they_take_turns() -> None:
    entries = [(0.15 * k, 1 + k % 2, "cat") for k in range(8)]
    first, second = play(region_votes(*entries))
    assert (first.region, second.region) == (1, 2)
    assert (first.votes, second.votes) == (4, 4)
    assert first.best.box == Box(0.1, 0, 0.1, 0.1)
    assert second.best.box == Box(0.2, 0, 0.1, 0.1)
    assert first.number != second.number


def test_votes_of_one_region_use_up_no_chance_of_another() -> None:
    entries = [(0.3 * k, 1 if k in (0, 8, 9) else 2, "cat" if k in (0, 8, 9) else "dog") for k in range(10)]
    assert sorted(track.label for track in play(region_votes(*entries))) == ["cat", "dog"]


def test_a_region_continues_the_track_of_one_that_has_ended_and_not_of_one_that_is_followed() -> None:
    entries = [(0.0, 1, "cat"), (0.3, 1, "cat"), (0.6, 1, "cat"), (2.0, 2, "cat")]
    (one,) = play(region_votes(*entries, alive=frozenset({2})))
    assert (one.frames, one.region) == (4, 2)
    assert len(play(region_votes(*entries))) == 1  # the second region has one vote
    two = play(region_votes(*entries, (2.3, 2, "cat"), (2.6, 2, "cat")))
    assert [track.frames for track in two] == [3, 3]


def test_a_vote_that_may_not_open_counts_and_keeps_an_open_visit() -> None:
    closed = [replace(vote, may_open=False) for vote in looks("cat", "cat", "cat", "cat")]
    assert play(closed) == []
    (visit,) = play(
        [*looks("cat", "cat", "cat"), *(replace(vote, timestamp_s=1.0 + vote.timestamp_s) for vote in closed)]
    )
    assert visit.frames == 7
