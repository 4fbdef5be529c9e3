"""The live loop: classify the newest frame and yield frame results, visits and blind times.

    camera --capture thread--> latest frame --> regions that move --> classifier --> vote --> visits

Images of a folder and frames of a recording wait, so every one is classified. A live source does not wait: only its
newest frame is classified, so the result is never about the past. ``docs/adr/0006-live-loop.md`` has the reasons and
measurements.
"""

import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from trailcam_core.classifier import Classification, Classifier
from trailcam_core.errors import SourceError
from trailcam_core.images.resize import Image
from trailcam_core.network.secrets import mask_address
from trailcam_edge.camera.capture_thread import CaptureThread
from trailcam_edge.camera.latest_frame import LatestFrame
from trailcam_edge.events import BLANK, UNKNOWN, Visit
from trailcam_edge.events.clock import Clock, SystemClock
from trailcam_edge.recognition.best_pictures import BestPictures
from trailcam_edge.recognition.frame_result import FrameResult, WatchEvent
from trailcam_edge.recognition.region_classifier import RegionAnswer, RegionClassifier
from trailcam_edge.recognition.settings import LoopSettings
from trailcam_edge.recognition.sharpness import sharpness
from trailcam_edge.recognition.visits import (
    FrameVote,
    Track,
    VisitState,
    advance,
    finish,
    name_outcome,
    outcome_of,
    wait_until,
)
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

    Raises:
        SourceError: the source cannot be opened or delivers nothing; a live one delivered nothing for ``give_up_s``.
            The open visits were yielded before.
        BundleError: the model fails during inference.
    """
    settings = settings or LoopSettings()
    loop = _Loop(classifier, settings, clock or SystemClock(), stop or threading.Event(), poll_reload)
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
    ) -> None:
        self._poll_reload = poll_reload
        self._classifier = classifier
        self._settings = settings
        self._clock = clock
        self._stop = stop
        self._regions = self._make_regions()
        self._visits = VisitState()
        self._pictures = BestPictures()
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
        yield from self._end()

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
                    yield from self._pass_time(self._clock.monotonic_s())
                    continue
                self._is_silent = False
                try:
                    if not self._stop.is_set():
                        yield from self._process(frame, source.delivery, latest.dropped - self._rate_dropped)
                finally:
                    frame.give_back()
            blind = capture.blind_now()
        finally:
            capture.stop()
        yield from capture.take_blind_times()
        if blind is not None:
            yield blind
        yield from self._end()
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
        if rate_hz is not None:
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
        else:
            yield from self._pass_time(frame.timestamp_s)
        now_s = time.monotonic()
        self._measure_rate(now_s)
        age_ms = (now_s - frame.timestamp_s) * 1e3 if delivery == "live" else 0.0
        result = FrameResult(frame, answer, self._rate_hz, outcome, age_ms, dropped, self._visits.open_labels)
        if self._regions is not None:
            motion, box = self._settings.motion, None if found is None else found.box
            result = replace(result, box=box, boxes=self._regions.boxes, ignore=motion.ignore, only=motion.only)
        yield result

    def _reload(self) -> Iterator[Visit]:
        """Switch to another model and other rules, if there are any; visits of the old model end with it."""
        reload = self._poll_reload()
        if reload is None:
            return
        yield from self._end()
        self._pictures = BestPictures()
        self._classifier, self._settings = reload.classifier, reload.settings
        self._regions = self._make_regions()

    def _make_regions(self) -> RegionClassifier | None:
        motion = self._settings.motion
        return RegionClassifier(self._classifier, motion) if motion.enabled else None

    def _classify(self, frame: Frame) -> tuple[Classification, Image]:
        """Return the answer, and the image in the size of the model's input."""
        start_s = time.perf_counter()
        fitted = frame.fitted(self._classifier.input)
        return self._classifier.classify_input(fitted, start_s=start_s), fitted

    def _count(
        self, frame: Frame, answer: Classification, seen: Image, found: RegionAnswer | None = None
    ) -> tuple[str, tuple[Visit, ...]]:
        """Count an answer; return the outcome it was counted as, and the visits that ended before.

        Args:
            frame: the frame.
            answer: for the frame, or for one region of it.
            seen: the image in the size of the model's input.
            found: the region.
        """
        rules = self._settings.visits
        label = name_outcome(answer, rules)
        vote = FrameVote(frame.timestamp_s, frame.sequence, label, answer.confidence, 0.0, answer.latency_ms)
        if found is not None and self._regions is not None:
            vote = replace(vote, region=found.region, box=found.box, may_open=found.may_open, alive=self._regions.alive)
        waited, _ = wait_until(self._visits, frame.timestamp_s, rules)
        if outcome_of(vote, waited, rules) not in (UNKNOWN, BLANK):  # sharpness takes time, and is needed for no other
            vote = replace(vote, sharpness=sharpness(seen))
        self._visits, ended, outcome = advance(self._visits, vote, rules)
        visits = tuple(map(self._visit, ended))
        self._pictures.keep(frame, self._visits.tracks, rules.keep_person_pictures)
        return outcome, visits

    def _pass_time(self, now_s: float) -> Iterator[Visit]:
        self._visits, ended = wait_until(self._visits, now_s, self._settings.visits)
        yield from map(self._visit, ended)
        self._pictures.drop_ended(self._visits.tracks)

    def _end(self) -> Iterator[Visit]:
        tracks = finish(self._visits)
        self._visits = VisitState()
        yield from map(self._visit, tracks)

    def _visit(self, track: Track) -> Visit:
        return Visit(
            visit_id=uuid.uuid4().hex,
            label=track.label,
            started=self._clock.moment(track.started_s),
            ended=self._clock.moment(track.seen_s),
            confidence=track.best.confidence,
            votes=track.votes,
            frames=track.frames,
            best_frame=self._pictures.of(track),
            bundle=self._classifier.name,
            latency_ms=track.latency_sum_ms / track.frames,
            box=track.best.box,
        )

    def _measure_rate(self, now_s: float) -> None:
        if self._previous_s is not None and now_s > self._previous_s:
            newest_hz = 1 / (now_s - self._previous_s)
            self._rate_hz += (1.0 if self._rate_hz == 0 else _RATE_SMOOTHING) * (newest_hz - self._rate_hz)
        self._previous_s = now_s
