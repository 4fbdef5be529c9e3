"""The visits of a watch: votes become events, with identifier and picture."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from trailcam_edge.events import OPENED, UPDATED, SuppressedVisit, Visit, VisitChange
from trailcam_edge.events.clock import Clock
from trailcam_edge.recognition.best_pictures import BestPictures
from trailcam_edge.recognition.settings import VisitSettings
from trailcam_edge.recognition.visit_changes import is_clearly_better, suppression
from trailcam_edge.recognition.visits import Best, FrameVote, Track, VisitState, advance, finish, wait_until
from trailcam_edge.sources import Frame

VisitEvent = Visit | VisitChange | SuppressedVisit


@dataclass
class _Report:
    """What was last reported of an open visit; ``at_s`` is in the time of the frames."""

    visit_id: str
    best: Best
    at_s: float


class VisitTracker:
    """Visits of one model and one set of rules.

    Args:
        settings: the rules.
        bundle: name of the model.
        clock: dates events.
        changes: also return a ``VisitChange`` when a visit opens or has clearly improved.
    """

    def __init__(self, settings: VisitSettings, bundle: str, clock: Clock, changes: bool) -> None:
        self._settings = settings
        self._bundle = bundle
        self._clock = clock
        self._changes = changes
        self._pictures = BestPictures()
        self._reports: dict[int, _Report] = {}  # by the number of the track
        self.state = VisitState()

    @property
    def open_labels(self) -> tuple[str, ...]:
        """Labels with an open visit that is not suppressed."""
        tracks = [track for track in self.state.tracks if track.opened]
        return tuple(track.label for track in tracks if track.number in self._reports or not self._reason(track))

    def count(self, frame: Frame, vote: FrameVote) -> tuple[str, tuple[VisitEvent, ...]]:
        """Count a vote; return the outcome that it was counted as, and the events: ends first, then changes."""
        self.state, ended, outcome = advance(self.state, vote, self._settings)
        events: list[VisitEvent] = [self._end_of(track) for track in ended]
        self._pictures.keep(frame, self.state.tracks, self._settings.keep_person_pictures)
        if self._changes:
            events += [change for track in self.state.tracks if (change := self._change_of(track)) is not None]
        return outcome, tuple(events)

    def pass_time(self, now_s: float) -> Iterator[VisitEvent]:
        """Advance the time without a vote; yield the visits that ended."""
        self.state, ended = wait_until(self.state, now_s, self._settings)
        yield from [self._end_of(track) for track in ended]
        self._pictures.drop_ended(self.state.tracks)

    def end(self) -> Iterator[VisitEvent]:
        """End the open visits and yield them."""
        tracks = finish(self.state)
        self.state = VisitState()
        yield from [self._end_of(track) for track in tracks]
        self._reports = {}

    def _end_of(self, track: Track) -> Visit | SuppressedVisit:
        report = self._reports.pop(track.number, None)
        reason = self._reason(track)
        if reason is not None and report is None:  # a visit that was reported as open is closed, also in another month
            return SuppressedVisit(track.label, reason)
        return self._visit(track, uuid.uuid4().hex if report is None else report.visit_id)

    def _change_of(self, track: Track) -> VisitChange | None:
        if not track.opened:
            return None
        report = self._reports.get(track.number)
        now_s = self.state.now_s
        if report is None:
            if self._reason(track) is not None:
                return None
            report = self._reports[track.number] = _Report(uuid.uuid4().hex, track.best, now_s)
            return VisitChange(OPENED, self._visit(track, report.visit_id))
        is_due = now_s - report.at_s >= self._settings.update_spacing_s
        if not is_due or not is_clearly_better(track.best, report.best, self._settings):
            return None
        report.best, report.at_s = track.best, now_s
        return VisitChange(UPDATED, self._visit(track, report.visit_id))

    def _reason(self, track: Track) -> str | None:
        """Return why the visit of a track is suppressed, None if it is not."""
        if not (self._settings.allowed or self._settings.months):
            return None
        return suppression(track.label, self._clock.moment(track.started_s), self._settings)

    def _visit(self, track: Track, visit_id: str) -> Visit:
        return Visit(
            visit_id=visit_id,
            label=track.label,
            started=self._clock.moment(track.started_s),
            ended=self._clock.moment(track.seen_s),
            confidence=track.best.confidence,
            votes=track.votes,
            frames=track.frames,
            best_frame=self._pictures.of(track),
            bundle=self._bundle,
            latency_ms=track.latency_sum_ms / track.frames,
            box=track.best.box,
        )
