"""The live loop: classify the newest frame and yield frame results, visits and blind times.

    camera --capture thread--> latest frame --> regions that move --> classifier --> vote --> visits

Images of a folder and frames of a recording wait, so every one is classified. A live source does not wait: only its
newest frame is classified, so the result is never about the past. ``docs/adr/0006-live-loop.md`` has the reasons and
measurements.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from trailcam_core.classifier import Classification, Classifier
from trailcam_core.errors import SourceError
from trailcam_core.images.resize import Image
from trailcam_core.network.secrets import mask_address
from trailcam_edge.camera.capture_thread import CaptureThread
from trailcam_edge.camera.latest_frame import LatestFrame
from trailcam_edge.events import NOTHING, UNKNOWN
from trailcam_edge.events.clock import Clock, SystemClock
from trailcam_edge.recognition.frame_result import FrameResult, WatchEvent
from trailcam_edge.recognition.pause import Pause
from trailcam_edge.recognition.region_classifier import RegionAnswer, RegionClassifier
from trailcam_edge.recognition.settings import LoopSettings
from trailcam_edge.recognition.sharpness import sharpness
from trailcam_edge.recognition.visit_changes import unknown_labels
from trailcam_edge.recognition.visit_tracker import VisitEvent, VisitTracker
from trailcam_edge.recognition.visits import FrameVote, name_outcome, outcome_of, wait_until
from trailcam_edge.sources import Delivery, Frame, OnBadFrame, Source, open_source

_log = logging.getLogger(__name__)
_RATE_SMOOTHING = 0.2  # weight of the newest frame in the displayed frame rate
_TICK_S = 0.25  # until a stop is noticed while no frame arrives


@dataclass(frozen=True)
class ModelReload:
    """Another model and other rules, from the next frame on; the source stays open."""

    classifier: Classifier
    settings: LoopSettings


def _no_reload() -> ModelReload | None:
    """Continue without a reload."""
    return None


def watch(
    reopen: Callable[[], Source],
    classifier: Classifier,
    settings: LoopSettings | None = None,
    stop: threading.Event | None = None,
    clock: Clock | None = None,
    poll_reload: Callable[[], ModelReload | None] = _no_reload,
    changes: bool = False,
) -> Iterator[WatchEvent]:
    """Classify the frames of a source; yield a result for each frame, and visits and blind times when they end.

    Images of a folder have no time between them, so they make no visits. When the source ends, or ``stop`` is set, the
    open visits are yielded and the iteration ends.

    Args:
        reopen: opens the source; called again when a live one is lost.
        classifier: used by the calling thread only.
        settings: see ``LoopSettings``; ``reopen`` applies those of the camera.
        stop: set in any thread to end the watch.
        clock: dates events.
        poll_reload: called before every frame, and while none arrives. A reload ends the open visits and yields them
            before the new model classifies. Settings of camera and recovery do not change: they belong to the source.
        changes: also yield a ``VisitChange`` when a visit opens, and when an open one has clearly improved.

    Raises:
        SourceError: the source cannot be opened or delivers nothing; a live one delivered nothing for ``give_up_s``.
            The open visits were yielded before.
        BundleError: the model fails during inference.
    """
    settings = settings or LoopSettings()
    loop = _Loop(classifier, settings, clock or SystemClock(), stop or threading.Event(), poll_reload, changes)
    source = reopen()
    if source.delivery == "live":
        return loop.newest(source, reopen)
    return loop.every(source)


def open_configured(settings: LoopSettings, on_bad_frame: OnBadFrame) -> Source:
    """Open the configured source in its configured orientation.

    Raises:
        SourceError: there is no such source, or it cannot be opened.
    """
    camera = settings.camera
    return open_source(camera.source, on_bad_frame, camera, camera, camera.fast, settings.recovery.stall_s)


class _Loop:
    def __init__(
        self,
        classifier: Classifier,
        settings: LoopSettings,
        clock: Clock,
        stop: threading.Event,
        poll_reload: Callable[[], ModelReload | None],
        changes: bool,
    ) -> None:
        self._poll_reload = poll_reload
        self._classifier = classifier
        self._settings = settings
        self._clock = clock
        self._stop = stop
        self._changes = changes
        self._regions = self._make_regions()
        self._visits = self._make_tracker()
        self._pause = Pause(settings.schedule, self._clock)
        self._rate_hz = 0.0
        self._previous_s: float | None = None
        self._due_s = 0.0
        self._rate_dropped = 0  # of the frames that were replaced, those that the rate asked for
        self._is_silent = False

    def every(self, source: Source) -> Iterator[WatchEvent]:
        """Process every frame of a source that waits."""
        with source:
            for frame in source.frames():
                try:
                    yield from self._reload()
                    if not self._stop.is_set():
                        yield from self._process(frame, source.delivery)
                finally:
                    frame.give_back()
                if self._stop.is_set():
                    break
        yield from self._visits.end()

    def newest(self, source: Source, reopen: Callable[[], Source]) -> Iterator[WatchEvent]:
        """Process the newest frame of a source that does not wait."""
        latest = LatestFrame()
        recovery = self._settings.recovery
        capture = CaptureThread(source, reopen, latest, recovery, self._clock)
        capture.start()
        try:
            while not self._stop.is_set() and not latest.ended and capture.silent_s <= recovery.give_up_s:
                frame = self._wait_for_frame(latest)
                yield from capture.take_blind_times()
                yield from self._reload()
                if frame is None:
                    self._log_silence(capture.silent_s)
                    yield from self._visits.pass_time(self._clock.monotonic_s())
                    continue
                self._is_silent = False
                try:
                    if not self._stop.is_set():
                        yield from self._process_live(frame, latest.dropped - self._rate_dropped)
                finally:
                    frame.give_back()
            blind = capture.blind_now()
        finally:
            capture.stop()
        yield from capture.take_blind_times()
        if blind is not None:
            yield blind
        yield from self._pause.end()
        yield from self._visits.end()
        if capture.error is not None:
            raise capture.error
        if blind is not None and not self._stop.is_set():
            last = f" Its last error: {capture.problem}" if capture.problem else ""
            raise SourceError(
                f"{mask_address(self._settings.camera.source)}: no frame for {capture.silent_s:.0f} s. Ending, so "
                f"that the service manager restarts the program; check cable, power and network.{last}"
            )

    def _wait_for_frame(self, latest: LatestFrame) -> Frame | None:
        """Return the newest frame once the configured rate allows it, or None if none arrives in time."""
        rate_hz = self._settings.watch.rate_hz
        before = latest.dropped
        self._stop.wait(max(0.0, self._due_s - time.monotonic()))
        self._rate_dropped += latest.dropped - before
        frame = latest.take(_TICK_S)
        if frame is not None and rate_hz is not None:
            self._due_s = time.monotonic() + 1 / rate_hz
        return frame

    def _log_silence(self, silent_s: float) -> None:
        recovery = self._settings.recovery
        if not self._is_silent and silent_s > recovery.stall_s:
            self._is_silent = True
            _log.warning("no frame for %g s; ending after %g s without one.", recovery.stall_s, recovery.give_up_s)

    def _process_live(self, frame: Frame, dropped: int) -> Iterator[WatchEvent]:
        """Process a frame within the hours of the schedule; outside of them it is not classified."""
        was_paused = self._pause.active
        yield from self._pause.update()
        if not self._pause.active:
            if was_paused:
                self._regions = self._make_regions()  # hours later nothing of the background is the same
            yield from self._process(frame, "live", dropped)
            return
        if not was_paused:
            self._classify(frame)  # proves that the model runs, as the first frame always does
            yield from self._visits.end()
        self._due_s = time.monotonic() + self._pause.frame_s
        self._measure_rate(time.monotonic())
        yield FrameResult(frame, None, self._rate_hz, dropped=dropped, paused=True)

    def _process(self, frame: Frame, delivery: Delivery, dropped: int = 0) -> Iterator[WatchEvent]:
        """Classify what moves in one frame; yield the visits that ended before it, then its result."""
        answer: Classification | None = None
        outcome: str | None = None
        found: RegionAnswer | None = None
        if delivery == "stills":
            answer = self._classify(frame)[0]
            outcome = name_outcome(answer, self._settings.visits)
        elif self._regions is None:
            answer, fitted = self._classify(frame)
            outcome, ended = self._count(frame, answer, fitted)
            yield from ended
        elif (found := self._regions.classify(frame)) is not None:
            answer = found.answer
            outcome, ended = self._count(frame, answer, found.crop, found)
            yield from ended
        elif delivery == "recording" and self._regions.is_blind:  # the animal may be gone before the scene is known
            answer, fitted = self._classify(frame)
            outcome, ended = self._count(frame, answer, fitted, may_open=False)
            yield from ended
        else:
            yield from self._visits.pass_time(frame.timestamp_s)
        now_s = time.monotonic()
        self._measure_rate(now_s)
        age_ms = (now_s - frame.timestamp_s) * 1e3 if delivery == "live" else 0.0
        result = FrameResult(frame, answer, self._rate_hz, outcome, age_ms, dropped, self._visits.open_labels)
        if self._regions is not None:
            motion, box = self._settings.motion, None if found is None else found.box
            result = replace(result, box=box, boxes=self._regions.boxes, ignore=motion.ignore, only=motion.only)
        yield result

    def _reload(self) -> Iterator[VisitEvent]:
        """Switch to another model and other rules, if there are any; visits of the old model end with it."""
        reload = self._poll_reload()
        if reload is None:
            return
        yield from self._visits.end()
        self._classifier, self._settings = reload.classifier, reload.settings
        self._regions = self._make_regions()
        self._visits = self._make_tracker()
        self._pause.reload(reload.settings.schedule)

    def _make_tracker(self) -> VisitTracker:
        rules = self._settings.visits
        unknown = unknown_labels(rules, self._classifier.output.labels)
        if unknown:
            _log.warning("[visits] allowed and months: %s has no label %s.", self._classifier.name, ", ".join(unknown))
        return VisitTracker(rules, self._classifier.name, self._clock, self._changes)

    def _make_regions(self) -> RegionClassifier | None:
        motion = self._settings.motion
        return RegionClassifier(self._classifier, motion) if motion.enabled else None

    def _classify(self, frame: Frame) -> tuple[Classification, Image]:
        """Return the answer, and the image in the size of the model's input."""
        start_s = time.perf_counter()
        fitted = frame.fitted(self._classifier.input)
        return self._classifier.classify_input(fitted, start_s=start_s), fitted

    def _count(
        self,
        frame: Frame,
        answer: Classification,
        seen: Image,
        found: RegionAnswer | None = None,
        may_open: bool = True,
    ) -> tuple[str, tuple[VisitEvent, ...]]:
        """Count an answer; return the outcome it was counted as, and the events of visits.

        Args:
            frame: the frame.
            answer: for the frame, or for one region of it.
            seen: the model's input.
            found: the region.
            may_open: the vote may be the one that opens a visit.
        """
        rules = self._settings.visits
        label = name_outcome(answer, rules)
        at_s, confidence = frame.timestamp_s, answer.confidence
        vote = FrameVote(at_s, frame.sequence, label, confidence, 0.0, answer.latency_ms, may_open=may_open)
        if found is not None and self._regions is not None:
            vote = replace(vote, region=found.region, box=found.box, may_open=found.may_open, alive=self._regions.alive)
        waited, _ = wait_until(self._visits.state, frame.timestamp_s, rules)
        if outcome_of(vote, waited, rules) not in (UNKNOWN, NOTHING):  # sharpness takes time
            vote = replace(vote, sharpness=sharpness(seen))
        return self._visits.count(frame, vote)

    def _measure_rate(self, now_s: float) -> None:
        if self._previous_s is not None and now_s > self._previous_s:
            newest_hz = 1 / (now_s - self._previous_s)
            self._rate_hz += (1.0 if self._rate_hz == 0 else _RATE_SMOOTHING) * (newest_hz - self._rate_hz)
        self._previous_s = now_s
