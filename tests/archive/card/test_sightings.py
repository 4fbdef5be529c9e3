"""One visit for each animal of a sequence."""

from dataclasses import replace

import numpy as np

from trailcam_archive.card.sightings import Sighting, combine
from trailcam_core.images.boxes import Box

_PICTURE = np.zeros((4, 4, 3), np.uint8)
_FOX = Sighting("fox", 0.8, 2.0, 4.0, "a.jpg", 10.0, frozenset({"a.jpg", "c.jpg"}), 0, _PICTURE, Box(0, 0, 1, 1))


def test_one_animal_is_one_visit_with_its_best_picture() -> None:
    better = replace(
        _FOX,
        confidence=0.9,
        started_s=0.0,
        ended_s=1.0,
        photographs=frozenset({"b.jpg"}),
        source="b.jpg",
        latency_ms=40.0,
    )
    (found,) = combine([_FOX, better])
    assert (found.started_s, found.ended_s, found.frames, found.source) == (0.0, 4.0, 3, "b.jpg")
    assert found.latency_ms == 20.0
    assert combine([_FOX, replace(_FOX, source="b.jpg")])[0].source == "a.jpg"


def test_two_regions_of_one_photograph_count_it_once_and_frames_of_clips_add() -> None:
    assert combine([_FOX, _FOX])[0].frames == 2
    assert combine([_FOX, replace(_FOX, photographs=frozenset(), clip_frames=5)])[0].frames == 7


def test_two_animals_are_two_visits_in_the_order_in_which_they_came() -> None:
    found = combine([_FOX, replace(_FOX, label="jay", started_s=1.0)])
    assert [each.label for each in found] == ["jay", "fox"]


def test_unknown_and_blank_count_only_where_nothing_has_a_name() -> None:
    unknown, blank = replace(_FOX, label="unknown"), replace(_FOX, label="nothing")
    assert [each.label for each in combine([blank, unknown, _FOX])] == ["fox"]
    assert [each.label for each in combine([blank, unknown])] == ["unknown"]
    assert [each.label for each in combine([blank])] == ["nothing"]
    assert combine([]) == []


def test_pictures_of_people_are_kept_only_on_request() -> None:
    person = replace(_FOX, label="person")
    (dropped,) = combine([person])
    assert (dropped.picture, dropped.box) == (None, None)
    assert combine([person], keep_persons=True)[0].picture is _PICTURE
