"""Which moments without a visit become samples, and what they show."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from trailcam_core.images.boxes import Box
from trailcam_edge.app.collector import Collector, masked
from trailcam_edge.events import Moment, PictureSample
from trailcam_edge.recognition.frame_result import FrameResult
from trailcam_edge.sources.frame import Frame
from trailcam_edge.sources.pixels import PackedPixels
from trailcam_edge.store.settings import CollectSettings

IMAGE = np.random.default_rng(0).integers(1, 255, (400, 600, 3)).astype(np.uint8)
SQUARE = ((0.0, 0.0), (0.5, 0.0), (0.5, 0.5), (0.0, 0.5))
BOX = Box(0.4, 0.4, 0.2, 0.3)
HOLD_S = 30.0
OFTEN = 1000  # a day: one in 86 s


class Clock:
    """A clock that is set."""

    def monotonic_s(self) -> float:
        return 0.0

    def moment(self, monotonic_s: float) -> Moment:
        return Moment(monotonic_s, datetime(2026, 6, 1, tzinfo=UTC) + timedelta(seconds=monotonic_s), "boot")


class Camera:
    """Shows a collector one frame a second."""

    def __init__(self, samples_unknown: bool = True, **settings: Any) -> None:
        self.kept: list[PictureSample] = []
        self.collector = Collector(
            CollectSettings(**settings), Clock(), HOLD_S, self.kept.append, samples_unknown=samples_unknown
        )
        self.second = 0

    def show(self, seconds: int = 1, bundle: str = "tiny-1", **changes: Any) -> None:
        for _ in range(seconds):
            frame = Frame(PackedPixels(IMAGE, "RGB"), float(self.second), self.second, "f")
            self.collector.see(FrameResult(frame, None, 1.0, **changes), bundle)
            self.second += 1

    def until_drawn(self) -> None:
        """Show quiet frames until one waits."""
        while not self.collector._waiting:
            self.show()


def test_an_hour_without_a_visit_gives_the_samples_that_were_asked_for() -> None:
    camera = Camera(quiet_per_day=OFTEN)
    camera.show(3600)
    assert 40 <= len(camera.kept) <= 43
    sample = camera.kept[0]
    assert (sample.kind, sample.bundle, sample.per_day, sample.outcome, sample.box) == (
        "quiet",
        "tiny-1",
        OFTEN,
        None,
        None,
    )
    assert np.array_equal(sample.picture, IMAGE)
    assert len({sample.sample_id for sample in camera.kept}) == len(camera.kept)
    other = Camera(quiet_per_day=OFTEN)
    other.show(3600)
    assert [sample.taken for sample in other.kept] == [sample.taken for sample in camera.kept], "the seed decides"


def test_nothing_is_kept_by_default() -> None:
    assert not Camera().collector.is_on
    camera = Camera(unknown_per_day=0, quiet_per_day=0)
    camera.show(3600, outcome="unknown", box=BOX)
    assert not camera.kept


def test_a_moment_with_a_visit_is_not_quiet() -> None:
    camera = Camera(quiet_per_day=OFTEN)
    camera.show(3600, open_labels=("fox",))
    assert not camera.kept


@pytest.mark.parametrize(("wait_s", "kept"), [(int(HOLD_S) - 1, 0), (int(HOLD_S), 1)])
def test_an_animal_that_is_about_to_be_recognised_is_not_missed(wait_s: int, kept: int) -> None:
    camera = Camera(quiet_per_day=OFTEN)
    camera.until_drawn()
    camera.show(wait_s)
    camera.show(open_labels=("fox",))
    camera.show(5, open_labels=("fox",))
    assert len(camera.kept) == kept


@pytest.mark.parametrize(("people", "kept"), [(False, 0), (True, 1)])
def test_a_picture_is_dropped_when_a_person_was_named_near_it(people: bool, kept: int) -> None:
    camera = Camera(quiet_per_day=OFTEN, people=people)
    camera.until_drawn()
    camera.show(5)
    camera.show(outcome="person")
    camera.show(int(HOLD_S))
    assert len(camera.kept) == kept


def test_no_moment_is_drawn_soon_after_a_person() -> None:
    camera = Camera(quiet_per_day=OFTEN)
    for _ in range(300):
        camera.show(outcome="person")
        camera.show(int(HOLD_S) - 2)
    assert not camera.collector._waiting
    assert not camera.kept


def test_what_waits_when_the_camera_is_blind_paused_or_has_another_bundle_is_dropped() -> None:
    for end in ("blind", "paused", "bundle"):
        camera = Camera(quiet_per_day=OFTEN)
        camera.until_drawn()
        if end == "blind":
            camera.collector.interrupt()
        elif end == "paused":
            camera.show(paused=True)
        else:
            camera.show(bundle="tiny-2")
        assert not camera.collector._waiting, end


def test_masks_are_black_in_a_sample() -> None:
    camera = Camera(quiet_per_day=OFTEN)
    camera.show(600, ignore=(SQUARE,))
    picture = camera.kept[0].picture
    assert not picture[:199, :299].any()
    assert np.array_equal(picture[201:], IMAGE[201:])
    outside = masked(IMAGE, (), (SQUARE,))
    assert not outside[201:].any()
    assert np.array_equal(outside[:199, :299], IMAGE[:199, :299])


def test_what_moved_and_got_no_label_is_kept_with_its_place() -> None:
    camera = Camera(unknown_per_day=OFTEN)
    camera.show(600, outcome="unknown", box=BOX)
    assert 5 <= len(camera.kept) <= 8
    assert {(sample.kind, sample.box, sample.outcome) for sample in camera.kept} == {("unknown", BOX, "unknown")}
    crops = Camera(unknown_per_day=OFTEN, crops=True)
    crops.show(600, outcome="unknown", box=BOX)
    assert {sample.picture.shape for sample in crops.kept} == {(160, 160, 3)}
    assert {sample.box for sample in crops.kept} == {None}


def test_an_unknown_animal_that_gets_its_label_later_is_no_sample_and_the_next_one_is() -> None:
    camera = Camera(unknown_per_day=1)
    draw_s = 0
    while not camera.collector._wants_unknown:
        camera.show()
        draw_s += 1
    camera.show(outcome="unknown", box=BOX)
    camera.show(open_labels=("fox",))
    camera.show(60)
    assert not camera.kept
    camera.show(outcome="unknown", box=BOX)
    camera.show(int(HOLD_S) + 1)
    assert len(camera.kept) == 1


def test_where_unknown_animals_become_visits_they_are_no_samples() -> None:
    assert not Camera(samples_unknown=False, unknown_per_day=OFTEN).collector.is_on
