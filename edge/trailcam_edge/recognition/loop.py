"""The live loop: take the newest frame, classify it, and say what visited.

    camera --capture thread--> slot --newest--> motion gate --> classifier --> vote --> visits

Pictures of a folder and frames of a recording wait, so each is looked at in turn; a live source does not, so only its
newest frame is, and the answer is never about the past. ``docs/adr/0006-live-loop.md`` has the reasons and figures.
"""

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import cv2

from trailcam_core.classifier import Classification, Classifier
from trailcam_core.errors import SourceError
from trailcam_core.images.resize import Image
from trailcam_edge.camera.capture_thread import CaptureThread
from trailcam_edge.camera.latest_frame import NewestFrameSlot
from trailcam_edge.camera.motion import MotionGate
from trailcam_edge.clock import Clock, SystemClock
from trailcam_edge.events import BLANK, PERSON, UNKNOWN, Visit
from trailcam_edge.recognition.observation import Happening, Observation
from trailcam_edge.recognition.settings import LoopSettings
from trailcam_edge.recognition.visits import (
    Look,
    Track,
    VisitState,
    advance,
    finish,
    name_outcome,
    outcome_of,
    wait_until,
)
from trailcam_edge.sources import Delivery, Frame, OnBadFrame, Source, open_source

__all__ = ["Renewal", "open_configured", "sharpness", "watch"]

_RATE_SMOOTHING = 0.2  # weight of the newest frame in the frame rate that is shown
_TICK_S = 0.25  # how soon a stop is noticed while no frame comes


@dataclass(frozen=True)
class Renewal:
    """Another model and other rules, from the next frame on; the source stays as it is."""

    classifier: Classifier
    settings: LoopSettings


def _tell_nobody(message: str) -> None:
    """Let a message go."""


def _stay() -> Renewal | None:
    """Go on as before."""
    return None


def watch(
    reopen: Callable[[], Source],
    classifier: Classifier,
    settings: LoopSettings | None = None,
    stop: threading.Event | None = None,
    clock: Clock | None = None,
    report: Callable[[str], None] = _tell_nobody,
    renew: Callable[[], Renewal | None] = _stay,
) -> Iterator[Happening]:
    """Classify what a source delivers; yield an observation per frame, and visits and blind times as they end.

    Pictures of a folder have no time between them, so they give no visits. When the source ends, or ``stop`` is set,
    the open visits are yielded and the iteration ends.

    Args:
        reopen: opens the source; called again when a live one is lost.
        classifier: answers; it is used by the calling thread only.
        settings: see ``LoopSettings``; what concerns the camera itself is the business of ``reopen``.
        stop: set by anybody, in any thread, to end the watch.
        clock: dates what happens.
        report: told in words when a live source is lost and when it is back; called by another thread.
        renew: asked before every frame, and while none comes. With another model the open visits end, and are yielded,
            before it answers. Settings of camera and recovery are not renewed: they belong to the open source.

    Raises:
        SourceError: the source cannot be opened or delivers nothing; a live one has been silent for ``give_up_s``. The
            open visits were yielded before.
        BundleError: the model fails while it runs.
    """
    settings = settings or LoopSettings()
    loop = _Loop(classifier, settings, clock or SystemClock(), stop or threading.Event(), renew)
    source = reopen()
    if source.delivery == "live":
        return loop.newest(source, reopen, report)
    return loop.every(source)


def open_configured(settings: LoopSettings, on_bad_frame: OnBadFrame) -> Source:
    """Open the source that the settings name, hung as they say.

    Raises:
        SourceError: there is no such source, or it cannot be opened.
    """
    camera = settings.camera
    return open_source(camera.source, on_bad_frame, camera, camera, camera.fast, settings.recovery.stall_s)


def sharpness(image: Image) -> float:
    """Return how sharp an (H, W, 3) uint8 RGB picture is, comparable between pictures of one size.

    The variance of the Laplacian. Source: Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy: a
    comparative study", ICPR 2000.
    """
    half = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)  # less noise, and a third of the time
    grey = cv2.cvtColor(half, cv2.COLOR_RGB2GRAY)
    _, deviation = cv2.meanStdDev(cv2.Laplacian(grey, cv2.CV_16S))
    return float(deviation[0, 0]) ** 2


class _Loop:
    def __init__(
        self,
        classifier: Classifier,
        settings: LoopSettings,
        clock: Clock,
        stop: threading.Event,
        renew: Callable[[], Renewal | None],
    ) -> None:
        self._renew = renew
        self._classifier = classifier
        self._settings = settings
        self._clock = clock
        self._stop = stop
        self._gate = MotionGate(settings.motion) if settings.motion.enabled else None
        self._visits = VisitState()
        self._pictures: dict[str, Image] = {}  # best picture of each track, by label
        self._rate_hz = 0.0
        self._previous_s: float | None = None

    def every(self, source: Source) -> Iterator[Happening]:
        """Take frames that wait, each in turn."""
        with source:
            for frame in source.frames():
                try:
                    yield from self._take_renewal()
                    if not self._stop.is_set():
                        yield from self._observe(frame, source.delivery)
                finally:
                    frame.give_back()
                if self._stop.is_set():
                    break
        yield from self._end()

    def newest(
        self, source: Source, reopen: Callable[[], Source], report: Callable[[str], None]
    ) -> Iterator[Happening]:
        """Take the newest frame of a source that does not wait."""
        slot = NewestFrameSlot()
        recovery = self._settings.recovery
        capture = CaptureThread(source, reopen, slot, recovery, self._clock, report)
        capture.start()
        due_s, silent = 0.0, False
        try:
            while not self._stop.is_set() and not slot.ended and capture.silent_s <= recovery.give_up_s:
                if self._settings.watch.rate_hz is not None:
                    self._stop.wait(max(0.0, due_s - time.monotonic()))
                frame = slot.take(_TICK_S)
                yield from capture.take_blind_times()
                yield from self._take_renewal()
                if self._stop.is_set() and frame is not None:
                    frame.give_back()
                    break
                if frame is None:
                    if not silent and capture.silent_s > recovery.stall_s:
                        silent = True
                        report(
                            f"no frame for {recovery.stall_s:g} s; ending after {recovery.give_up_s:g} s without one."
                        )
                    yield from self._let_time_pass(self._clock.monotonic_s())
                    continue
                silent = False
                due_s = time.monotonic() + (
                    0.0 if self._settings.watch.rate_hz is None else 1 / self._settings.watch.rate_hz
                )
                try:
                    yield from self._observe(frame, source.delivery, slot.dropped)
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
                f"{self._settings.camera.source}: no frame for {capture.silent_s:.0f} s. Ending, so that the service "
                f"manager can start everything afresh; check cable, power and network.{last}"
            )

    def _observe(self, frame: Frame, delivery: Delivery, dropped: int = 0) -> Iterator[Happening]:
        """Look at one frame if it is worth it; yield the visits that ended before it, then what it shows."""
        answer: Classification | None = None
        outcome: str | None = None
        if delivery == "stills":
            answer = self._classify(frame)[0]
            outcome = name_outcome(answer, self._settings.visits)
        elif self._is_worth_a_look(frame):
            answer, outcome, ended = self._look(frame)
            yield from ended
        else:
            yield from self._let_time_pass(frame.timestamp_s)
        now_s = time.monotonic()
        self._measure_rate(now_s)
        age_ms = (now_s - frame.timestamp_s) * 1e3 if delivery == "live" else 0.0
        yield Observation(frame, answer, self._rate_hz, outcome, age_ms, dropped, self._visits.open_labels)

    def _take_renewal(self) -> Iterator[Visit]:
        """Go on with another model and other rules, if there are any; visits of the old model end with it."""
        renewal = self._renew()
        if renewal is None:
            return
        yield from self._end()
        self._pictures = {}
        self._classifier, self._settings = renewal.classifier, renewal.settings
        self._gate = MotionGate(renewal.settings.motion) if renewal.settings.motion.enabled else None

    def _is_worth_a_look(self, frame: Frame) -> bool:
        """While anything is on its way to be a visit every frame is looked at, even of an animal that keeps still."""
        if self._gate is None:
            return True
        return self._gate.passes(frame.pixels.luma(), frame.timestamp_s) or bool(self._visits.tracks)

    def _classify(self, frame: Frame) -> tuple[Classification, Image]:
        """Return the answer, and the picture as the model saw it."""
        start_s = time.perf_counter()
        fitted = frame.fitted(self._classifier.input)
        return self._classifier.classify_input(fitted, start_s=start_s), fitted

    def _look(self, frame: Frame) -> tuple[Classification, str, tuple[Visit, ...]]:
        """Classify a frame and let it vote; return the visits that ended before it as well."""
        answer, fitted = self._classify(frame)
        rules = self._settings.visits
        label = name_outcome(answer, rules)
        look = Look(frame.timestamp_s, frame.sequence, label, answer.confidence, 0.0, answer.latency_ms)
        outcome = outcome_of(look, self._visits, rules)
        if outcome not in (UNKNOWN, BLANK):
            look = replace(look, sharpness=sharpness(fitted))
        self._visits, ended = advance(self._visits, look, rules)
        visits = tuple(map(self._visit, ended))
        self._keep_picture(frame)
        return answer, outcome, visits

    def _let_time_pass(self, now_s: float) -> Iterator[Visit]:
        self._visits, ended = wait_until(self._visits, now_s, self._settings.visits)
        yield from map(self._visit, ended)
        self._forget_pictures()

    def _end(self) -> Iterator[Visit]:
        tracks = finish(self._visits)
        self._visits = VisitState()
        yield from map(self._visit, tracks)

    def _keep_picture(self, frame: Frame) -> None:
        """Keep the picture of this frame for the tracks whose best it is, and those of tracks that ended no longer."""
        self._forget_pictures()
        picture: Image | None = None
        for track in self._visits.tracks:
            hidden = track.label == PERSON and not self._settings.visits.keep_person_pictures
            if track.best.sequence == frame.sequence and not hidden:
                picture = frame.picture() if picture is None else picture
                self._pictures[track.label] = picture

    def _forget_pictures(self) -> None:
        if self._pictures:
            labels = {track.label for track in self._visits.tracks}
            self._pictures = {label: picture for label, picture in self._pictures.items() if label in labels}

    def _visit(self, track: Track) -> Visit:
        return Visit(
            visit_id=uuid.uuid4().hex,
            label=track.label,
            started=self._clock.moment(track.started_s),
            ended=self._clock.moment(track.seen_s),
            confidence=track.best.confidence,
            votes=track.votes,
            frames=track.frames,
            best_frame=self._pictures.get(track.label),
            bundle=self._classifier.name,
            latency_ms=track.latency_sum_ms / track.frames,
        )

    def _measure_rate(self, now_s: float) -> None:
        if self._previous_s is not None and now_s > self._previous_s:
            newest_hz = 1 / (now_s - self._previous_s)
            self._rate_hz += (1.0 if self._rate_hz == 0 else _RATE_SMOOTHING) * (newest_hz - self._rate_hz)
        self._previous_s = now_s
