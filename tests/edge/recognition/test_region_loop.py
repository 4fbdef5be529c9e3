"""Motion regions in the live loop: what moves is classified, with its place, and visits belong to regions."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trailcam_core.errors import BundleError, SourceError
from trailcam_core.images.boxes import Box
from trailcam_edge.events import Visit
from trailcam_edge.recognition.frame_result import FrameResult, WatchEvent
from trailcam_edge.recognition.loop import watch
from trailcam_edge.recognition.settings import LoopSettings, VisitSettings
from trailcam_edge.regions import RegionSettings

from .. import live_fakes as fakes

MOVING = LoopSettings(
    motion=RegionSettings(min_crop_px=16),
    visits=VisitSettings(vote_spacing_s=0.02, cool_down_s=2.0, vote_age_s=5.0, longest_s=60.0),
)

WHOLE = replace(MOVING, motion=RegionSettings(enabled=False))


def run(source: Any, settings: LoopSettings = MOVING, classifier: Any = None) -> list[WatchEvent]:
    return list(watch(lambda: source, classifier or fakes.ColourClassifier(), settings, clock=fakes.SteadyClock()))


def visits(happenings: list[WatchEvent]) -> list[Visit]:
    return [item for item in happenings if isinstance(item, Visit)]


def observations(happenings: list[WatchEvent]) -> list[FrameResult]:
    return [item for item in happenings if isinstance(item, FrameResult)]


def stage(*script: str) -> Any:
    return fakes.StageSource(lambda: iter(script), "recording", 0.2)


def walk(colour: str, start: int, end: int, step: int = 10) -> list[str]:
    return [f"{colour}@{left}" for left in range(start, end, step)]


def test_what_moves_is_classified_and_its_visit_has_a_box() -> None:
    classifier = fakes.ColourClassifier()
    found = run(stage(*["grey"] * 12, *walk("red", 20, 220), *["grey"] * 12), MOVING, classifier)
    (visit,) = visits(found)
    assert visit.label == "red"
    assert visit.box is not None
    assert visit.box.width == pytest.approx(60 / 320, abs=0.02)
    assert visit.box.y == pytest.approx(60 / 180, abs=0.02)
    assert visit.best_frame is not None
    left = round(visit.box.x * 320) + 5
    assert not isinstance(visit.best_frame, np.ndarray)
    picture = visit.best_frame.image()
    assert np.abs(picture[70:110, left : left + 50].astype(int) - fakes.COLOURS["red"]).max() <= 3
    assert picture.shape == (180, 320, 3)
    assert classifier.fake.calls == 1 + 20


def test_the_model_is_asked_about_the_first_frame_and_then_not_while_nothing_moves() -> None:
    classifier = fakes.ColourClassifier()
    found = observations(run(stage(*["grey"] * 40), MOVING, classifier))
    assert classifier.fake.calls == 1
    assert all(item.answer is None and item.outcome is None and item.boxes == () for item in found)


def test_two_animals_of_one_kind_at_once_are_two_visits_and_share_the_invokes() -> None:
    script = [f"red@{left}+red@{left + 140}" for left in range(5, 105, 5)]
    classifier = fakes.ColourClassifier()
    found = run(stage(*["grey"] * 12, *script, *["grey"] * 15), MOVING, classifier)
    both = visits(found)
    assert [visit.label for visit in both] == ["red", "red"]
    assert [visit.frames for visit in both] == [10, 10]
    assert classifier.fake.calls == 1 + 20
    assert both[0].box is not None
    assert both[1].box is not None
    assert both[0].box.distance(both[1].box) > 0.3
    assert len(observations(found)[20].boxes) == 2


def test_two_kinds_at_once_are_two_visits() -> None:
    script = [f"red@{left}+green@{left + 140}" for left in range(5, 105, 5)]
    found = visits(run(stage(*["grey"] * 12, *script, *["grey"] * 15), MOVING))
    assert sorted(visit.label for visit in found) == ["green", "red"]


def test_an_animal_that_is_hidden_for_a_while_is_one_visit() -> None:
    settings = replace(MOVING, visits=replace(MOVING.visits, cool_down_s=10.0))
    script = [*walk("red", 20, 120), *["grey"] * 20, *walk("red", 180, 250)]
    (visit,) = visits(run(stage(*["grey"] * 12, *script, *["grey"] * 10), settings))
    assert visit.frames == 17


def test_the_answer_of_a_region_is_made_of_all_its_crops() -> None:
    script = [*walk("red", 20, 80), "green@80", *walk("red", 90, 150)]
    found = observations(run(stage(*["grey"] * 12, *script), MOVING))
    answers = [item.answer.label for item in found if item.answer is not None]
    assert answers == ["red"] * len(script)


def test_what_appears_and_never_moves_opens_no_visit_once_it_has_been_there() -> None:
    branch = ["red@100"] * 30 + ["grey"] * 20
    found = visits(run(stage(*["grey"] * 12, *branch * 4), MOVING))
    assert len(found) == 1


def test_an_ignored_part_is_not_classified() -> None:
    left = ((0.0, 0.0), (0.6, 0.0), (0.6, 1.0), (0.0, 1.0))
    settings = replace(MOVING, motion=replace(MOVING.motion, ignore=(left,)))
    classifier = fakes.ColourClassifier()
    assert visits(run(stage(*["grey"] * 12, *walk("red", 20, 120)), settings, classifier)) == []
    assert classifier.fake.calls == 1


def test_a_crop_comes_from_the_large_picture() -> None:
    class Large(fakes.StageSource):  # type: ignore[misc, name-defined]
        def frames(self) -> Iterator[Any]:
            for frame in super().frames():
                image = np.full((720, 1280, 3), 128, np.uint8)
                if "@" in frame.name:
                    left = 4 * int(frame.name.split("@")[1])
                    image[240:480, left : left + 240] = fakes.COLOURS["red"]
                yield replace(frame, large_pixels=type(frame.pixels)(image, "RGB"))

    script = [*["grey"] * 12, *walk("green", 20, 120)]
    found = [item for item in observations(run(Large(lambda: iter(script), "recording", 0.2), MOVING)) if item.answer]
    assert len(found) == 10
    assert {item.answer.label for item in found if item.answer} == {"red"}


def test_frames_of_other_sizes_in_the_middle_begin_anew() -> None:
    class Shrinking(fakes.ScriptedSource):  # type: ignore[misc, name-defined]
        def frames(self) -> Iterator[Any]:
            for frame in super().frames():
                size = (24 + 3 * frame.sequence, 32 + frame.sequence)
                yield replace(frame, pixels=type(frame.pixels)(fakes.picture("red", size), "RGB"))

    found = observations(run(Shrinking(lambda: iter(["red"] * 10), "recording", 0.1), MOVING))
    assert len(found) == 10
    assert all(item.answer is None for item in found)


def test_without_regions_every_frame_is_classified_as_a_whole() -> None:
    found = observations(run(stage(*["grey"] * 5), WHOLE))
    assert all(item.answer is not None and item.box is None for item in found)


def test_a_box_belongs_to_the_answer() -> None:
    found = observations(run(stage(*["grey"] * 12, *walk("red", 20, 80)), MOVING))
    assert all((item.box is None) == (item.answer is None) for item in found)
    assert isinstance(found[-1].box, Box)
    assert found[-1].box in found[-1].boxes


def test_a_model_that_fails_is_found_out_in_the_first_frame_though_nothing_moves() -> None:
    class Broken(fakes.ColourModel):  # type: ignore[misc, name-defined]
        def invoke(self, input_tensor: Any) -> Any:
            return np.full((4,), np.nan, np.float32)

    classifier = fakes.ColourClassifier()
    classifier._model = Broken()
    with pytest.raises(BundleError, match="NaN"):
        run(stage(*["grey"] * 5), MOVING, classifier)


ZOOM = replace(MOVING, motion=RegionSettings(min_crop_px=16, zoom_every_s=4.0, memory_s=60.0))


class _ZoomClassifier(fakes.ColourClassifier):  # type: ignore[name-defined, misc]
    """Finds its box where the picture is brightest or most colourful; ``asked`` counts the second looks."""

    asked = 0

    def check_zoom(self) -> None:
        """Accept."""

    def logits_and_box(self, fitted: Any, picture_size: tuple[int, int]) -> Any:
        self.asked += 1
        rows, columns = np.nonzero(np.abs(fitted.astype(int) - 128).sum(axis=2) > 100)
        x, y = (columns.mean() + 0.5) / fitted.shape[1], (rows.mean() + 0.5) / fitted.shape[0]
        box = Box(x - 0.05, y - 0.1, 0.1, 0.2)
        return self.logits_of_input(fitted), box


def test_an_animal_that_lay_there_from_the_start_is_found_by_the_second_look_and_told_once() -> None:
    classifier = _ZoomClassifier()
    frames = 200  # 40 s
    found = run(stage(*["red@150"] * frames), ZOOM, classifier)
    assert [visit.label for visit in visits(found)] == ["red"]
    boxes = [item.box for item in observations(found) if item.answer is not None]
    assert boxes
    assert all(box is not None for box in boxes)
    assert classifier.asked <= 5 * 10  # five looks in every four seconds, not one for each frame


def test_without_the_setting_nothing_is_looked_at_twice() -> None:
    classifier = _ZoomClassifier()
    assert visits(run(stage(*["red@150"] * 60), MOVING, classifier)) == []
    assert classifier.asked == 0


def test_a_bundle_without_a_feature_map_is_refused_before_the_first_frame(tmp_path: Path) -> None:
    class Plain(fakes.ColourClassifier):  # type: ignore[name-defined, misc]
        def check_zoom(self) -> None:
            raise BundleError("no feature map")

    with pytest.raises(BundleError, match="no feature map"):
        run(stage("red@150"), ZOOM, Plain())


def test_a_recording_of_one_frame_a_second_has_a_visit_though_its_animal_is_there_from_the_first_frame() -> None:
    def clip() -> Any:
        script = iter(walk("red", 40, 240, 40))  # five frames
        return fakes.StageSource(lambda: script, "recording", 1.0)

    close = replace(MOVING, visits=replace(MOVING.visits, confidence=0.3))
    found = run(clip(), close, _Near())
    assert [visit.label for visit in visits(found)] == ["red"]
    assert observations(found)[0].answer is None  # how far apart frames are is known from the second on


class _Near(fakes.ColourClassifier):  # type: ignore[name-defined, misc]
    """Knows a colour by the part of the picture that is not grey."""

    def logits_of_input(self, fitted: Any) -> Any:
        chosen = np.abs(fitted.astype(int) - 128).sum(axis=2) > 60
        colour = fitted[chosen].mean(axis=0) if chosen.any() else np.array([128.0] * 3)
        return self.fake.invoke(np.broadcast_to(colour, (1, 16, 16, 3)))


def test_a_still_recording_of_one_frame_a_second_opens_no_visit_by_whole_frames_alone() -> None:
    script = iter(["red@100"] * 6)
    assert visits(run(fakes.StageSource(lambda: script, "recording", 1.0), MOVING, _Near())) == []


@pytest.mark.parametrize("size", [(1, 1), (20, 2000), (7, 320)])
def test_frames_too_small_to_find_motion_in_are_one_clear_error(size: tuple[int, int]) -> None:
    class SmallSource(fakes.ScriptedSource):
        def image(self, entry: str, sequence: int) -> Any:
            return fakes.picture(entry, size)

    source = SmallSource(lambda: iter(["red"]), "recording", 0.2)
    with pytest.raises(
        SourceError, match=rf"{size[1]} x {size[0]} px are too few, or too narrow, .* roi in \[camera\]"
    ):
        run(source)
    assert len(observations(run(source, WHOLE))) == 1
