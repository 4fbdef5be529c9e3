"""What is next in an update, from the journal, the slots and the time."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trailcam_core.errors import UpdateError
from trailcam_edge.update.install import state_machine as decide
from trailcam_edge.update.install.journal import BUILTIN, STATES, Journal
from trailcam_edge.update.install.state_machine import SelfTestResult
from trailcam_edge.update.settings import UpdateSettings

RULE = UpdateSettings(healthy_s=60, give_up_s=300, most_starts=2)
WATCHED = Journal("watch", "old-1", "older-1", "new-1")
SLOTS = ("old-1", "older-1", "new-1", "oldest-1")

journals = st.builds(
    lambda state, running, previous, starts: Journal(
        state, running, previous, None if state == "idle" else "new-1", starts, "a reason"
    ),
    st.sampled_from(STATES),
    st.sampled_from((BUILTIN, "old-1", "older-1")),
    st.sampled_from((BUILTIN, "old-1", "older-1")),
    st.integers(0, 5),
)


def test_a_healthy_candidate_is_committed_and_the_running_bundle_becomes_the_previous() -> None:
    journal = decide.judge_trial(WATCHED, healthy_s=60, started_s=61, settings=RULE)
    assert (journal.state, journal.running, journal.previous) == ("idle", "new-1", "old-1")


def test_a_candidate_that_is_not_healthy_yet_is_watched_on() -> None:
    assert decide.judge_trial(WATCHED, healthy_s=59, started_s=299, settings=RULE) == WATCHED


def test_a_candidate_that_runs_without_health_is_rolled_back() -> None:
    journal = decide.judge_trial(WATCHED, healthy_s=3, started_s=300, settings=RULE)
    assert journal.state == "roll_back"
    assert "not healthy for 60 s" in journal.reason


def test_a_camera_that_keeps_starting_is_rolled_back() -> None:
    journal = WATCHED
    for start in (1, 2):
        journal = decide.judge_start(journal, True, RULE)
        assert (journal.state, journal.starts) == ("watch", start)
    assert decide.judge_start(journal, True, RULE).state == "roll_back"


def test_a_new_candidate_is_watched_for_all_its_starts_whatever_the_one_before_used() -> None:
    journal = replace(decide.start_trial(replace(Journal(running="old-1"), starts=2), "new-1"), state="watch")
    assert journal.starts == 0
    for _ in range(RULE.most_starts):
        journal = decide.judge_start(journal, True, RULE)
    assert (journal.state, journal.starts) == ("watch", RULE.most_starts)


def test_a_roll_back_that_a_power_cut_interrupted_keeps_its_reason() -> None:
    going_back = decide.start_rollback(WATCHED, "it barks")
    assert decide.judge_start(going_back, False, RULE) == going_back
    assert decide.judge_start(Journal(running="old-1"), False, RULE) == Journal(running="old-1")


def test_by_default_ten_minutes_of_health_are_needed_within_an_hour_of_one_of_three_starts() -> None:
    default = UpdateSettings()
    assert decide.judge_trial(WATCHED, healthy_s=600, started_s=3600, settings=default).running == "new-1"
    assert decide.judge_trial(WATCHED, healthy_s=599, started_s=3599, settings=default) == WATCHED
    assert decide.judge_trial(WATCHED, healthy_s=599, started_s=3600, settings=default).state == "roll_back"
    assert decide.judge_start(replace(WATCHED, starts=2), True, default).starts == 3
    assert decide.judge_start(replace(WATCHED, starts=3), True, default).state == "roll_back"


def test_by_default_a_bundle_has_half_a_second_a_picture_and_300_mb() -> None:
    default = UpdateSettings()
    assert decide.judge_self_test(SelfTestResult(None, 500, 300), default) is None
    assert decide.judge_self_test(SelfTestResult(None, 500.1, 300), default) is not None
    assert decide.judge_self_test(SelfTestResult(None, 500, 300.1), default) is not None


def test_a_damaged_candidate_is_rolled_back_in_any_state() -> None:
    for state in ("self_test", "activate", "watch"):
        assert decide.judge_start(replace(WATCHED, state=state), False, RULE).state == "roll_back"


def test_rolling_back_changes_nothing_but_that_the_candidate_is_refused() -> None:
    journal = decide.after_roll_back(decide.start_rollback(WATCHED, "it barks"))
    assert journal == Journal(running="old-1", previous="older-1", refused={"new-1": "it barks"})
    with pytest.raises(UpdateError, match="it barks"):
        decide.refuse_install(journal, "new-1", again=False)
    decide.refuse_install(journal, "new-1", again=True)


def test_a_bundle_that_was_insisted_on_and_has_proven_itself_is_refused_no_more() -> None:
    refusing = Journal(running="old-1", previous="older-1", refused={"bad-1": "slow", "new-1": "it barks"})
    decide.refuse_install(refusing, "new-1", again=True)
    watched = replace(decide.start_trial(refusing, "new-1"), state="watch")
    committed = decide.judge_trial(watched, healthy_s=60, started_s=60, settings=RULE)
    assert committed == Journal(running="new-1", previous="old-1", refused={"bad-1": "slow"})
    later = decide.after_commit(replace(decide.start_trial(committed, "newer-1"), state="watch"))
    decide.refuse_install(later, "new-1", again=False)


def test_one_update_at_a_time_and_none_to_what_runs() -> None:
    with pytest.raises(UpdateError, match="new-1 is being tried"):
        decide.refuse_install(WATCHED, "another-1", again=True)
    with pytest.raises(UpdateError, match="running already"):
        decide.refuse_install(Journal(running="old-1"), "old-1", again=True)


def test_an_operator_goes_back_to_the_previous_bundle_and_in_the_end_to_the_built_in_one() -> None:
    journal = decide.operator_rollback(Journal(running="old-1", previous="older-1"), "by hand")
    assert (journal.running, journal.previous) == ("older-1", BUILTIN)
    journal = decide.operator_rollback(journal, "by hand")
    assert journal.running == BUILTIN
    with pytest.raises(UpdateError, match="nothing to go back to"):
        decide.operator_rollback(journal, "by hand")


def test_a_damaged_running_bundle_gives_way_to_the_previous_one_and_is_never_gone_back_to() -> None:
    damaged = Journal(running="old-1", previous="older-1", refused={"bad-1": "slow"})
    journal = decide.without_damaged(damaged, {"older-1"})
    refused = {"bad-1": "slow", "old-1": "its files are damaged or gone"}
    assert journal == Journal(running="older-1", previous=BUILTIN, refused=refused)
    assert decide.operator_rollback(journal, "by hand").running == BUILTIN


def test_with_the_previous_bundle_damaged_too_the_built_in_one_runs() -> None:
    journal = decide.without_damaged(Journal(running="old-1", previous="older-1"), {"new-1"})
    assert (journal.running, journal.previous, list(journal.refused)) == (BUILTIN, BUILTIN, ["old-1"])


def test_a_damaged_running_bundle_does_not_end_the_trial_of_another() -> None:
    journal = decide.without_damaged(WATCHED, {"older-1", "new-1"})
    assert (journal.state, journal.candidate, journal.running) == ("watch", "new-1", "older-1")
    assert decide.after_roll_back(decide.start_rollback(journal, "it barks")).previous == BUILTIN


@pytest.mark.parametrize("journal", [WATCHED, Journal(), Journal(running=BUILTIN, previous="older-1")])
def test_a_whole_or_built_in_running_bundle_changes_nothing(journal: Journal) -> None:
    assert decide.without_damaged(journal, {"old-1"}) == journal


def test_only_the_latest_refusals_are_kept() -> None:
    journal = Journal()
    for number in range(20):
        journal = replace(journal, refused=journal.with_refused(f"bundle-{number}", "no"))
    assert list(journal.refused) == [f"bundle-{number}" for number in range(12, 20)]


@given(journals)
def test_what_somebody_needs_is_never_removable(journal: Journal) -> None:
    removed = set(decide.unused_slots(journal, SLOTS))
    assert removed.isdisjoint({journal.running, journal.previous, journal.candidate, BUILTIN})
    assert "oldest-1" in removed


@given(journals, st.sets(st.sampled_from(SLOTS)))
def test_what_runs_is_whole_or_built_in(journal: Journal, whole: set[str]) -> None:
    assert decide.without_damaged(journal, whole).running in whole | {BUILTIN}


@given(journals)
def test_only_a_bundle_that_passed_its_self_test_is_pointed_to(journal: Journal) -> None:
    assert decide.active_slot(journal) == ("new-1" if journal.state in ("activate", "watch") else journal.running)


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (SelfTestResult("colour order", 10, 100), "colour order"),
        (SelfTestResult(None, 501, 100), "take 501 ms, expected 500"),
        (SelfTestResult(None, math.nan, 100), "pictures take"),
        (SelfTestResult(None, 10, 301), "takes 301 MB"),
        (SelfTestResult(None, 500, 300), None),
    ],
)
def test_a_self_test_is_held_against_its_limits(result: SelfTestResult, said: str | None) -> None:
    reason = decide.judge_self_test(result, UpdateSettings(max_latency_ms=500, max_memory_mb=300))
    assert reason is None if said is None else reason is not None and said in reason
