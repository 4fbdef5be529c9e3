"""From visits to cuts: bounds in time, twenty visits at once, and people."""

import logging

import pytest

from trailcam_edge.clips.collector import Collector, Cut
from trailcam_edge.clips.ring import ClipFrame
from trailcam_edge.clips.settings import ClipSettings
from trailcam_edge.events import PERSON

SETTINGS = ClipSettings(before_s=5, longest_s=15)
END = float("inf")


def run(collector: Collector, first_s: int, last_s: int, outcome: str | None = None) -> list[Cut]:
    """Let time pass, one frame a second, and return the clips that became due."""
    cuts = []
    for second in range(first_s, last_s):
        collector.add(ClipFrame(second, bytes(10), (4, 4)))
        collector.note(outcome, second)
        cuts += collector.due(second)
    return cuts


def span(cut: Cut) -> tuple[float, float]:
    return cut.frames[0].at_s, cut.frames[-1].at_s


def test_a_long_visit_is_cut_at_the_longest_duration() -> None:
    collector = Collector(SETTINGS, 10, False)
    run(collector, 0, 21)
    collector.begin("v", "deer", 20)
    (cut,) = run(collector, 21, 100, "deer")
    assert span(cut) == (15, 30)
    assert cut.offset_s == -5


def test_a_short_visit_ends_two_seconds_after_its_animal() -> None:
    collector = Collector(SETTINGS, 10, False)
    run(collector, 0, 21)
    collector.begin("v", "deer", 20)
    cuts = run(collector, 21, 23, "deer") + run(collector, 23, 40, "fox")
    assert [span(cut) for cut in cuts] == [(15, 24)]


def test_a_visit_that_is_known_late_still_has_its_beginning() -> None:
    collector = Collector(SETTINGS, 10, False)
    run(collector, 0, 31, "deer")
    collector.begin("v", "deer", 20)  # its last vote came 10 s after its first
    (cut,) = run(collector, 31, 33, "deer")
    assert span(cut) == (15, 30)


def test_a_camera_that_has_just_started_gives_what_it_has() -> None:
    collector = Collector(SETTINGS, 10, False)
    run(collector, 18, 21)
    collector.begin("v", "deer", 20)
    (cut,) = run(collector, 21, 40, "deer")
    assert (span(cut), cut.offset_s) == ((18, 30), -2)


def test_a_silence_of_the_camera_loses_no_frame_of_an_open_clip() -> None:
    collector = Collector(SETTINGS, 10, False)
    run(collector, 0, 21)
    collector.begin("v", "deer", 20)
    cuts = run(collector, 21, 26, "deer") + run(collector, 300, 301)
    assert [span(cut) for cut in cuts] == [(15, 25)]


def test_the_end_of_the_camera_cuts_what_is_open() -> None:
    collector = Collector(SETTINGS, 10, False)
    run(collector, 0, 21)
    collector.begin("v", "deer", 20)
    run(collector, 21, 25, "deer")
    assert [span(cut) for cut in collector.due(END)] == [(15, 24)]
    assert collector.due(END) == []


def test_twenty_visits_at_once_share_their_frames() -> None:
    collector = Collector(SETTINGS, 10, False)
    run(collector, 0, 21)
    for number in range(20):
        collector.begin(f"v{number}", f"animal {number}", 20)
    before = collector.size_bytes
    cuts = run(collector, 21, 31)
    assert collector.size_bytes <= before + 100
    assert len(cuts) == 20
    assert {id(cut.frames[0]) for cut in cuts} == {id(cuts[0].frames[0])}


def test_a_visit_is_collected_once() -> None:
    collector = Collector(SETTINGS, 10, False)
    run(collector, 0, 21)
    collector.begin("v", "deer", 20)
    collector.begin("v", "deer", 19)
    assert len(run(collector, 21, 60, "deer")) == 1


@pytest.mark.parametrize(("at_s", "number"), [(13, 1), (14, 0), (22, 0), (24, 0), (25, 1)])
def test_no_clip_shows_a_person_unless_pictures_of_them_are_kept(at_s: int, number: int) -> None:
    for keep, expected in ((False, number), (True, 1)):
        collector = Collector(SETTINGS, 10, keep)
        cuts = []
        for second in range(40):
            if second == 21:
                collector.begin("v", "deer", 20)
            outcome = PERSON if second == at_s else "deer" if second in (20, 21) else None
            cuts += run(collector, second, second + 1, outcome)
        assert len(cuts) == expected, keep  # it shows the seconds 15 to 23


def test_the_visit_of_a_person_has_no_clip(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    collector = Collector(SETTINGS, 10, False)
    run(collector, 0, 21)
    collector.begin("v", PERSON, 20)
    assert run(collector, 21, 60) == []
    assert "visit v gets no clip: it shows people" in caplog.text


def test_a_visit_without_frames_says_so(caplog: pytest.LogCaptureFixture) -> None:
    collector = Collector(SETTINGS, 10, False)
    collector.begin("v", "deer", 20)
    assert collector.due(END) == []
    assert "visit v gets no clip: the camera delivered no frames" in caplog.text
