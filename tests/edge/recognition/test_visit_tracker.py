"""From votes to events: visits that open, improve, close, and those that the settings suppress."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from trailcam_edge.events import Moment, SuppressedVisit, Visit, VisitChange
from trailcam_edge.recognition.settings import VisitSettings
from trailcam_edge.recognition.visit_tracker import VisitEvent, VisitTracker
from trailcam_edge.recognition.visits import FrameVote
from trailcam_edge.sources.frame import Frame
from trailcam_edge.sources.pixels import PackedPixels

RULES = VisitSettings(vote_spacing_s=0.25, update_spacing_s=1.0)
PIXELS = PackedPixels(np.full((8, 8, 3), 90, np.uint8), "RGB")


class Calendar:
    """A clock that starts at a date, and can be set while it runs."""

    def __init__(self, start: datetime | None = datetime(2026, 6, 1, tzinfo=UTC)) -> None:
        self.start = start

    def monotonic_s(self) -> float:
        return 0.0

    def moment(self, monotonic_s: float) -> Moment:
        wall = None if self.start is None else self.start + timedelta(seconds=monotonic_s)
        return Moment(monotonic_s, wall, "boot")


def tracker(rules: VisitSettings = RULES, clock: Calendar | None = None, changes: bool = True) -> VisitTracker:
    return VisitTracker(rules, "bundle 1", clock or Calendar(), changes)


def feed(visits: VisitTracker, *votes: tuple[float, str, float], sharpness: float = 1.0) -> list[VisitEvent]:
    found: list[VisitEvent] = []
    for time_s, label, confidence in votes:
        number = round(time_s * 1000)
        vote = FrameVote(time_s, number, label, confidence, sharpness)
        found += visits.count(Frame(PIXELS, time_s, number, "f"), vote)[1]
    return found


def kinds(events: list[VisitEvent]) -> list[Any]:
    return [event.kind if isinstance(event, VisitChange) else type(event).__name__ for event in events]


def test_a_visit_opens_with_its_third_vote_and_closes_under_the_same_identifier() -> None:
    visits = tracker()
    assert feed(visits, (0.0, "lynx", 0.9), (0.4, "lynx", 0.9)) == []
    (opened,) = feed(visits, (0.8, "lynx", 0.9))
    assert isinstance(opened, VisitChange)
    assert (opened.kind, opened.visit.votes, opened.visit.label) == ("opened", 3, "lynx")
    assert opened.visit.best_frame is not None
    (closed,) = visits.end()
    assert isinstance(closed, Visit)
    assert closed.visit_id == opened.visit.visit_id


def test_without_a_listener_nothing_is_reported_before_the_end() -> None:
    visits = tracker(changes=False)
    assert feed(visits, *((0.4 * number, "lynx", 0.9) for number in range(5))) == []
    assert kinds(list(visits.end())) == ["Visit"]


def test_an_update_needs_a_clear_gain_and_comes_no_more_often_than_configured() -> None:
    visits = tracker()
    feed(visits, (0.0, "lynx", 0.7), (0.4, "lynx", 0.7), (0.8, "lynx", 0.7))
    assert feed(visits, (1.2, "lynx", 0.9)) == []  # within a second of the opening
    assert kinds(feed(visits, (1.8, "lynx", 0.9))) == ["updated"]
    assert feed(visits, (3.0, "lynx", 0.99)) == []  # a gain of 0.09


def test_a_picture_that_is_half_as_sharp_again_is_an_update() -> None:
    visits = tracker()
    feed(visits, (0.0, "lynx", 0.9), (0.4, "lynx", 0.9), (0.8, "lynx", 0.9), sharpness=10.0)
    assert feed(visits, (2.0, "lynx", 0.9), sharpness=14.9) == []
    assert kinds(feed(visits, (4.0, "lynx", 0.9), sharpness=15.0)) == ["updated"]


def test_twenty_visits_at_once_open_each_with_its_own_identifier() -> None:
    visits = tracker()
    found: list[VisitEvent] = []
    for turn in range(3):
        for number in range(20):
            vote = FrameVote(turn + number / 100, turn * 20 + number, f"label {number}", 0.9, region=number)
            found += visits.count(Frame(PIXELS, vote.timestamp_s, vote.sequence, "f"), vote)[1]
    opened = [event for event in found if isinstance(event, VisitChange)]
    assert len({event.visit.visit_id for event in opened}) == 20
    assert {event.visit_id for event in visits.end() if isinstance(event, Visit)} == {
        event.visit.visit_id for event in opened
    }


def test_a_label_that_is_not_allowed_is_counted_and_not_reported() -> None:
    visits = tracker(replace(RULES, allowed=("lynx",)))
    assert feed(visits, *((0.4 * number, "kangaroo", 0.9) for number in range(4))) == []
    assert visits.open_labels == ()
    assert list(visits.end()) == [SuppressedVisit("kangaroo", "not allowed")]
    assert kinds(feed(visits, *((9 + 0.4 * number, "lynx", 0.9) for number in range(3)))) == ["opened"]
    assert visits.open_labels == ("lynx",)


def test_a_label_out_of_season_is_counted_and_one_of_unknown_date_is_reported() -> None:
    rules = replace(RULES, months={"bear": (4, 5)})
    votes = [(0.4 * number, "bear", 0.9) for number in range(3)]
    for start, expected in (
        (datetime(2026, 6, 1, tzinfo=UTC), ["SuppressedVisit"]),
        (datetime(2026, 5, 1, tzinfo=UTC), ["opened", "Visit"]),
        (None, ["opened", "Visit"]),
    ):
        visits = tracker(rules, Calendar(start))
        assert kinds(feed(visits, *votes) + list(visits.end())) == expected


def test_people_are_reported_whatever_is_allowed() -> None:
    visits = tracker(replace(RULES, allowed=("lynx",)))
    assert kinds(feed(visits, *((0.4 * number, "person", 0.9) for number in range(3)))) == ["opened"]


def test_a_visit_that_was_reported_open_is_closed_also_when_the_clock_jumps_out_of_its_season() -> None:
    clock = Calendar(datetime(2026, 5, 31, tzinfo=UTC))
    visits = tracker(replace(RULES, months={"bear": (5,)}), clock)
    (opened,) = feed(visits, *((0.4 * number, "bear", 0.9) for number in range(3)))
    clock.start = datetime(2030, 12, 1, tzinfo=UTC)
    (closed,) = visits.end()
    assert isinstance(opened, VisitChange)
    assert isinstance(closed, Visit)
    assert closed.visit_id == opened.visit.visit_id
    assert closed.ended.monotonic_s - closed.started.monotonic_s == 0.8
