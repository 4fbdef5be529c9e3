"""The live loop, from frames to visits, on sources that behave and on those that do not."""

import itertools
import logging
import re
import threading
import time
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trailcam_core.errors import SourceError
from trailcam_edge.camera.settings import CameraSettings, RecoverySettings
from trailcam_edge.events import PERSON, BlindTime, Visit
from trailcam_edge.recognition.frame_result import FrameResult, WatchEvent
from trailcam_edge.recognition.loop import open_configured, watch
from trailcam_edge.recognition.settings import LoopSettings, VisitSettings, WatchSettings
from trailcam_edge.recognition.sharpness import sharpness
from trailcam_edge.regions import RegionSettings

from .. import live_fakes as fakes

QUICK = LoopSettings(
    recovery=RecoverySettings(stall_s=0.3, first_wait_s=0.02, longest_wait_s=0.1, give_up_s=1.0),
    motion=RegionSettings(enabled=False),
    visits=VisitSettings(vote_spacing_s=0.02, cool_down_s=0.199, vote_age_s=5.0, longest_s=60.0),
)


def run(source: Any, settings: LoopSettings = QUICK, classifier: Any = None, **options: Any) -> list[WatchEvent]:
    return list(
        watch(lambda: source, classifier or fakes.ColourClassifier(), settings, clock=fakes.SteadyClock(), **options)
    )


def run_to_its_error(source: Any, **options: Any) -> tuple[list[WatchEvent], SourceError]:
    """Return what happened before the watch ended with an error, and that."""
    found: list[WatchEvent] = []
    events = watch(lambda: source, fakes.ColourClassifier(), QUICK, clock=fakes.SteadyClock(), **options)
    try:
        found.extend(events)
    except SourceError as error:
        return found, error
    raise AssertionError("it ended without an error")


def recording(*colours: str, step_s: float = 0.1) -> Any:
    return fakes.ScriptedSource(lambda: iter(colours), "recording", step_s)


def visits(events: list[WatchEvent]) -> list[Visit]:
    return [item for item in events if isinstance(item, Visit)]


def observations(events: list[WatchEvent]) -> list[FrameResult]:
    return [item for item in events if isinstance(item, FrameResult)]


def test_every_frame_of_a_recording_is_looked_at_and_visits_run_in_its_time() -> None:
    source = recording(*["red"] * 5, *["grey"] * 40, *["green"] * 4)
    found = run(source)
    assert [item.frame.sequence for item in observations(found)] == list(range(49))
    assert [visit.label for visit in visits(found)] == ["red", "green"]
    first = visits(found)[0]
    assert first.ended.monotonic_s - first.started.monotonic_s == pytest.approx(0.4)
    assert first.bundle == "colours 1"
    assert first.frames == first.votes == 5
    assert first.latency_ms > 0
    assert source.lent == 0


def test_a_visit_is_told_before_the_frame_that_ended_it() -> None:
    found = run(recording(*["red"] * 5, *["grey"] * 5, step_s=0.15))
    place = next(number for number, item in enumerate(found) if isinstance(item, Visit))
    assert place == 6  # five frames, and one within the cool-down of 0.2 s
    following = found[place + 1]
    assert isinstance(following, FrameResult)
    assert following.open_labels == ()


def test_the_best_frame_is_kept_with_its_visit_and_outlives_the_buffers() -> None:
    (visit,) = visits(run(recording(*["red"] * 5)))
    assert visit.best_frame is not None
    assert not isinstance(visit.best_frame, np.ndarray)
    assert np.abs(visit.best_frame.image().astype(int) - fakes.COLOURS["red"]).max() <= 3


def test_pictures_of_people_are_kept_only_if_asked_for() -> None:
    (visit,) = visits(run(recording(*["person"] * 5)))
    assert visit.label == PERSON
    assert visit.best_frame is None
    kept = replace(QUICK, visits=replace(QUICK.visits, keep_person_pictures=True))
    (visit,) = visits(run(recording(*["person"] * 5), kept))
    assert visit.best_frame is not None


def test_every_visit_has_an_id_of_its_own() -> None:
    found = visits(run(recording(*(["red"] * 5 + ["grey"] * 5) * 3)))
    assert len({visit.visit_id for visit in found}) == 3


def test_stills_are_looked_at_one_by_one_and_are_no_visits() -> None:
    found = run(fakes.ScriptedSource(lambda: iter(["red"] * 10), "stills"))
    assert len(found) == len(observations(found)) == 10


def test_the_newest_frame_of_a_live_source_is_looked_at_and_the_others_are_dropped() -> None:
    script = [entry for _ in range(60) for entry in ("red", 0.005)]
    source = fakes.ScriptedSource(lambda: iter(script))
    found = observations(run(source, classifier=fakes.ColourClassifier(delay_s=0.05)))
    numbers = [item.frame.sequence for item in found]
    assert numbers == sorted(set(numbers))
    assert numbers[-1] == 59
    assert len(numbers) + found[-1].dropped == 60
    assert found[-1].dropped > 10
    assert source.lent == 0


def test_a_rate_limits_how_many_frames_are_looked_at() -> None:
    script = [entry for _ in range(100) for entry in ("red", 0.005)]
    start_s = time.monotonic()
    found = observations(run(fakes.ScriptedSource(lambda: iter(script)), replace(QUICK, watch=WatchSettings(10))))
    assert 2 <= len(found) <= 2 + 10 * (time.monotonic() - start_s)
    assert len(found) < 60
    assert found[-1].dropped < 20  # the rate asked for the others: the model was not busy


def test_a_source_that_is_lost_is_opened_again_and_the_time_without_it_is_blind(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    scripts = iter([["red"] * 3 + [fakes.LOST], [fakes.LOST], [fakes.LOST], [0.05] + ["green", 0.01] * 3])

    def reopen() -> Any:
        script = next(scripts)
        return fakes.ScriptedSource(lambda: iter(script))

    found = list(watch(reopen, fakes.ColourClassifier(), QUICK, clock=fakes.SteadyClock()))
    (blind,) = [item for item in found if isinstance(item, BlindTime)]
    assert blind.reason == "source lost"
    assert 0.02 + 0.04 + 0.08 <= blind.ended.monotonic_s - blind.started.monotonic_s < 5
    assert [item.frame.sequence for item in observations(found)] == sorted(
        item.frame.sequence for item in observations(found)
    )
    assert observations(found)[-1].frame.sequence == 5
    assert "Opening it again in 0.02 s" in caplog.messages[0]
    assert "Opening it again in 0.08 s" in caplog.messages[2]
    assert "back" in caplog.messages[-1]
    assert [record.levelname for record in caplog.records] == ["WARNING"] * 3 + ["INFO"]


def test_a_source_that_does_not_come_back_ends_the_watch_after_its_limit_with_the_visit_told_first() -> None:
    attempts: list[float] = []

    def script() -> Iterator[Any]:
        attempts.append(time.monotonic())
        if len(attempts) == 1:
            yield from itertools.chain.from_iterable(("red", 0.02) for _ in range(10))
        yield fakes.LOST

    found, error = run_to_its_error(fakes.ScriptedSource(script))
    assert re.search(r"no frame for .* s\. Ending.*the cable was pulled", str(error))
    assert [visit.label for visit in visits(found)] == ["red"]
    assert [item.reason for item in found if isinstance(item, BlindTime)] == ["source lost"]
    assert 4 <= len(attempts) <= 20


def test_a_capture_that_never_returns_ends_the_watch_as_well(caplog: pytest.LogCaptureFixture) -> None:
    never = threading.Event()

    def script() -> Iterator[Any]:
        yield "red"
        never.wait(20)

    found, error = run_to_its_error(fakes.ScriptedSource(script))
    never.set()
    assert "no frame for" in str(error)
    assert [item.reason for item in found if isinstance(item, BlindTime)] == ["source stalled"]
    assert caplog.messages == ["no frame for 0.3 s; ending after 1 s without one."]


def test_a_source_that_stalls_and_recovers_by_itself_was_blind() -> None:
    found = run(fakes.ScriptedSource(lambda: iter(["red", 0.5, "red"])))
    (blind,) = [item for item in found if isinstance(item, BlindTime)]
    assert blind.reason == "source stalled"
    assert blind.ended.monotonic_s - blind.started.monotonic_s == pytest.approx(0.5, abs=0.3)


def test_a_source_that_fails_before_its_first_frame_is_an_error_at_once() -> None:
    with pytest.raises(SourceError, match="the cable was pulled"):
        run(fakes.ScriptedSource(lambda: iter([fakes.LOST])))


def test_a_driver_that_throws_anything_is_opened_again(caplog: pytest.LogCaptureFixture) -> None:
    scripts = iter([["red", 0.05, ZeroDivisionError("driver")], ["green", 0.05]])

    def reopen() -> Any:
        script = next(scripts)
        return fakes.ScriptedSource(lambda: iter(script))

    found = list(watch(reopen, fakes.ColourClassifier(), QUICK, clock=fakes.SteadyClock()))
    assert [item.frame.name for item in observations(found)] == ["red", "green"]
    assert "ZeroDivisionError" in caplog.messages[0]


@pytest.mark.parametrize("delivery", ["live", "recording"])
def test_a_stop_ends_the_watch_and_tells_the_open_visit(delivery: Any) -> None:
    stop = threading.Event()
    source = fakes.ScriptedSource(lambda: itertools.cycle(["red", 0.01]), delivery)
    found: list[WatchEvent] = []
    for item in watch(lambda: source, fakes.ColourClassifier(), QUICK, stop, fakes.SteadyClock()):
        found.append(item)
        if len(found) == 20:
            stop.set()
    assert [visit.label for visit in visits(found)] == ["red"]
    assert isinstance(found[-1], Visit)
    assert source.lent == 0
    assert not source.closed_early
    assert not [thread for thread in threading.enumerate() if thread.name == "capture"]


def test_a_watch_that_is_dropped_in_the_middle_leaves_no_thread_behind() -> None:
    source = fakes.ScriptedSource(lambda: itertools.cycle(["red", 0.01]))
    events = watch(lambda: source, fakes.ColourClassifier(), QUICK, clock=fakes.SteadyClock())
    next(iter(events))
    events.close()  # type: ignore[attr-defined]
    assert not [thread for thread in threading.enumerate() if thread.name == "capture"]
    assert source.lent == 0


def test_memory_does_not_grow_with_the_number_of_frames() -> None:
    def script() -> Iterator[str]:
        for number in range(3500):
            yield "red" if number % 50 < 10 else "grey"

    events = watch(
        lambda: fakes.ScriptedSource(script, "recording", 0.03),
        fakes.ColourClassifier(),
        QUICK,
        clock=fakes.SteadyClock(),
    )
    tracemalloc.start()
    try:
        early_bytes, seen = 0, 0
        for number, item in enumerate(events):
            seen += isinstance(item, Visit)
            if number == 2200:  # by then Python has filled its lists of freed objects
                early_bytes = tracemalloc.get_traced_memory()[0]
        grown_bytes = tracemalloc.get_traced_memory()[0] - early_bytes
    finally:
        tracemalloc.stop()
    assert seen > 20
    assert grown_bytes < 15_000


def test_a_sharp_picture_is_sharper_than_a_blurred_one() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    blurred = np.asarray(noise.reshape(16, 4, 16, 4, 3).mean(axis=(1, 3)), np.uint8).repeat(4, 0).repeat(4, 1)
    assert sharpness(noise) > 2 * sharpness(blurred) > sharpness(np.zeros((64, 64, 3), np.uint8)) == 0


def test_the_source_is_opened_as_the_settings_say(tmp_path: Path) -> None:
    import cv2

    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((40, 60, 3), np.uint8))
    settings = LoopSettings(camera=CameraSettings(source=str(tmp_path), rotate_deg=90, roi=(0, 0, 0.5, 0.5)))
    with open_configured(settings, lambda error: None) as source:
        assert next(iter(source.frames())).image.shape == (30, 20, 3)
