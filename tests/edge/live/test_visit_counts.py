"""Visits by hour and day."""

from datetime import datetime, timedelta

from trailcam_edge.events import Moment, Visit
from trailcam_edge.live.visit_counts import VisitCounts
from trailcam_edge.store.records import EventRecord
from trailcam_edge.store.wall_time import WallTime

NOW = datetime(2026, 6, 15, 14, 20).astimezone()


def visit(label: str, when: datetime | None, name: str = "a") -> Visit:
    unix_s = 0.0 if when is None else when.timestamp()
    start, end = Moment(unix_s, when, "boot"), Moment(unix_s + 3, when, "boot")
    return Visit(name, label, start, end, 0.9, 3, 9, None, "bundle", 10.0)


def wall(moment: Moment) -> float | None:
    return None if moment.wall is None else moment.wall.timestamp()


def test_visits_are_counted_in_their_hour_and_day() -> None:
    counts = VisitCounts(wall)
    for label, ago in [("cow", 0), ("cow", 1), ("dog", 1), ("cow", 23), ("cow", 24 * 3), ("dog", 24 * 40)]:
        counts.add(visit(label, NOW - timedelta(hours=ago)), True)
    hours = counts.hours(NOW)
    assert hours.bars[-1] == NOW.replace(minute=0)
    assert len(hours.bars) == 24
    assert hours.counts["cow"][-2:] == (1, 1)
    assert hours.counts["cow"][0] == 1
    assert hours.counts["dog"] == (0,) * 22 + (1, 0)
    days = counts.days(NOW)
    assert len(days.bars) == 14
    assert days.counts["cow"][-4] == 1
    assert sum(days.counts["dog"]) == 1
    assert counts.today(NOW) == 3


def test_the_newest_visit_comes_first_and_the_list_stays_short() -> None:
    counts = VisitCounts(wall)
    for number in range(70):
        counts.add(visit("cow", NOW, str(number)), False)
    assert [seen.visit_id for seen in counts.recent()][:2] == ["69", "68"]
    assert counts.recent()[0].duration_s == 3
    assert len(counts.recent()) == 50


def test_visits_from_before_the_clock_was_set_are_counted_once_it_is() -> None:
    known: list[float] = []
    counts = VisitCounts(lambda moment: known[0] + moment.monotonic_s if known else None)
    counts.add(visit("cow", None), True)
    counts.add(visit("dog", None), True)
    assert counts.today(NOW) == 0
    assert counts.recent()[0].unix_s is None
    known.append(NOW.timestamp())
    assert counts.today(NOW) == 2
    assert counts.hours(NOW, 1).counts == {"cow": (1,), "dog": (1,)}


def test_visits_from_before_a_restart_are_counted_and_those_without_a_clock_only_listed() -> None:
    def stored(name: str, unix_s: float | None, basis: str, picture: str | None) -> EventRecord:
        time = WallTime(unix_s, basis)
        return EventRecord(
            1, name, "cow", time, time, "boot", 0.0, 3.0, 0.9, 3, 9, "bundle", 10.0, picture, "kept" if picture else ""
        )

    counts = VisitCounts(wall)
    counts.load(
        [
            stored("a", NOW.timestamp(), "clock", "pictures/a.jpg"),
            stored("b", NOW.timestamp(), "not before", None),
            stored("c", None, "unknown", None),
        ]
    )
    assert counts.today(NOW) == 1
    seen = [(visit.visit_id, visit.unix_s, visit.has_picture) for visit in counts.recent()]
    assert seen == [("c", None, False), ("b", None, False), ("a", NOW.timestamp(), True)]


def test_the_first_hour_of_the_oldest_day_is_still_there_in_the_last_hour_of_the_newest() -> None:
    counts = VisitCounts(wall)
    midnight = NOW.replace(hour=0, minute=0)
    counts.add(visit("cow", midnight - timedelta(days=13)), True)
    counts.add(visit("cow", midnight + timedelta(hours=23)), True)
    assert counts.days(NOW).counts["cow"] == (1, *[0] * 12, 1)


def test_what_is_old_is_forgotten() -> None:
    counts = VisitCounts(wall)
    for day in range(400):
        counts.add(visit("cow", NOW - timedelta(days=400 - day)), True)
    assert len(counts._hours) < 20
