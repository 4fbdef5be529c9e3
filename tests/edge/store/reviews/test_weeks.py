"""Missed animals, and what changes from week to week."""

import random
from datetime import datetime, timedelta

import pytest

from trailcam_edge.store.reviews.accuracy import SampledMoment, SampledVisit, measure_accuracy, measure_missed
from trailcam_edge.store.reviews.records import Review, Standing
from trailcam_edge.store.reviews.weeks import by_week, drift_words, find_drift

MONDAY = datetime(2026, 6, 1, 12)


def said(verdict: str, label: str | None = None, disputed: bool = False) -> Standing:
    return Standing(Review(1, "v", "Jo", verdict, label, "quiet", "here", None), ("Jo",), disputed)


def at(week: int) -> float:
    return (MONDAY + timedelta(weeks=week)).timestamp()


def visits(week: int, right: int, number: int, bundle: str = "b") -> list[SampledVisit]:
    answers = [said("confirmed")] * right + [said("label", "fox")] * (number - right)
    return [SampledVisit(bundle, "lynx", answer, at(week)) for answer in answers]


def test_missed_animals_are_those_on_random_quiet_moments() -> None:
    answers = [
        said("nothing"),
        said("label", "lynx"),
        said("wrong"),
        said("label", "person"),
        said("deleted"),
        said("label", "fox", disputed=True),
        None,
    ]
    found = measure_missed([SampledMoment("b", answer) for answer in answers])
    assert (found.animals, found.number) == (2, 4)
    assert (round(found.low, 3), round(found.high, 3)) == (0.15, 0.85)


def test_a_bundle_of_which_only_quiet_moments_were_reviewed_has_no_precision() -> None:
    found = measure_accuracy([], [SampledMoment("old", said("nothing"))])
    assert [(each.bundle, each.together.number, each.missed.number) for each in found] == [("old", 0, 1)]


def test_named_counts_animals_that_were_called_unknown() -> None:
    sample = [
        SampledVisit("b", "unknown", said("label", "lynx")),
        SampledVisit("b", "unknown", said("nothing")),
        SampledVisit("b", "lynx", said("confirmed")),
        SampledVisit("b", "lynx", said("nothing")),
        SampledVisit("b", "lynx", said("wrong")),
    ]
    (found,) = measure_accuracy(sample)
    assert (found.named.right, found.named.number) == (1, 3)
    assert (found.together.right, found.together.number) == (1, 3)


def test_weeks_are_those_of_iso_8601_and_unknown_times_belong_to_none() -> None:
    moments = [SampledMoment("new", said("wrong"), at(1)), SampledMoment("new", said("nothing"))]
    weeks = by_week([*visits(0, 3, 4), *visits(1, 1, 1, "new"), SampledVisit("b", "lynx", said("nothing"))], moments)
    assert [(week.name, week.bundles, week.together.right, week.together.number) for week in weeks] == [
        ("2026-W23", ("b",), 3, 4),
        ("2026-W24", ("new",), 1, 1),
    ]
    assert [week.missed.number for week in weeks] == [0, 1]


@pytest.mark.parametrize(("right", "beyond"), [(70, False), (78, True), (40, True), (55, False)])
def test_a_difference_beyond_chance_is_said(right: int, beyond: bool) -> None:
    drifts = find_drift(by_week([*visits(0, 60, 100), *visits(1, right, 100)]))
    assert [drift.what for drift in drifts] == (["precision", "named"] if beyond else [])
    for drift in drifts:
        assert (drift.since, drift.before, drift.recent) == ("2026-W24", (60, 100), (right, 100))
        assert f"{right}%" in drift_words(drift)
        assert "beyond chance" in drift_words(drift)


def test_few_reviews_and_one_week_say_nothing() -> None:
    assert find_drift(by_week([*visits(0, 9, 9), *visits(1, 0, 9)])) == []
    assert find_drift(by_week(visits(0, 0, 100))) == []
    assert find_drift([]) == []


def test_recent_weeks_are_at_most_four_and_at_most_half() -> None:
    six = [visit for week in range(6) for visit in visits(week, 50 if week < 3 else 10, 50)]
    assert {drift.since for drift in find_drift(by_week(six))} == {"2026-W26"}
    ten = [visit for week in range(10) for visit in visits(week, 50 if week < 6 else 10, 50)]
    assert {drift.since for drift in find_drift(by_week(ten))} == {"2026-W29"}


def test_without_a_change_it_seldom_says_that_there_is_one() -> None:
    alarms = 0
    for seed in range(300):
        chance = random.Random(seed)
        share = chance.uniform(0.5, 0.95)
        sample = []
        for week in range(4):
            right = sum(chance.random() < share for _ in range(50))
            sample += visits(week, right, 50)
        alarms += bool(find_drift(by_week(sample)))
    assert alarms <= 0.02 * 300


def test_missed_animals_are_within_the_interval_in_95_of_100_fields() -> None:
    covered = 0
    for seed in range(1500):
        chance = random.Random(seed)
        share = chance.uniform(0.02, 0.3)
        answers = [said("wrong") if chance.random() < share else said("nothing") for _ in range(120)]
        found = measure_missed([SampledMoment("b", answer) for answer in answers])
        covered += found.low <= share <= found.high
    assert covered >= 0.945 * 1500
