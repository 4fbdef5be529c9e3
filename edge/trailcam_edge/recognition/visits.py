"""Combine single-frame answers into visits: pure functions of a state, a vote and the settings.

    nothing --accepted frame--> tentative --enough votes--> open --not accepted for cool_down_s--> ended
                                    |                         |---longer than longest_s----------> ended, tentative
                                    +--votes can no longer suffice, or too old--> nothing

Every label has a separate track, so a visit survives frames with another answer. Opening needs M of N votes, as in
radar track initiation; staying open needs less confidence than opening (hysteresis). A visit that was cut at its
maximum duration must win its votes again, so the remainder is never a single frame.
"""

from dataclasses import dataclass, replace

from trailcam_core.classifier import Classification
from trailcam_edge.events import BLANK, PERSON, UNKNOWN
from trailcam_edge.recognition.settings import VisitSettings

_CONFIDENCE_STEP = 0.01  # within one step the sharper frame is kept


@dataclass(frozen=True)
class FrameVote:
    """One classified frame: ``label`` is a label or outcome from ``name_outcome``, ``sharpness`` is in any unit."""

    timestamp_s: float
    sequence: int
    label: str
    confidence: float
    sharpness: float = 0.0
    latency_ms: float = 0.0


@dataclass(frozen=True)
class Best:
    """The best frame so far."""

    sequence: int
    confidence: float
    sharpness: float


@dataclass(frozen=True)
class Track:
    """Frames of one label: a visit, once ``opened``. ``chances`` counts all votes since its first frame."""

    label: str
    started_s: float
    seen_s: float
    frames: int
    votes: int
    chances: int
    opened: bool
    best: Best
    latency_sum_ms: float


@dataclass(frozen=True)
class VisitState:
    """Tracks in the order in which they started, the current time, and the time of the last vote."""

    tracks: tuple[Track, ...] = ()
    now_s: float = float("-inf")
    voted_s: float = float("-inf")

    @property
    def open_labels(self) -> tuple[str, ...]:
        """Labels with an open visit."""
        return tuple(track.label for track in self.tracks if track.opened)


def name_outcome(answer: Classification, settings: VisitSettings) -> str:
    """Return the label of an answer, or the outcome that its label means."""
    best = answer.top[0].label.casefold()
    if best in settings.blank_labels:
        return BLANK
    if answer.label is None or best == UNKNOWN:
        return UNKNOWN
    return PERSON if best in settings.person_labels else answer.label


def outcome_of(vote: FrameVote, state: VisitState, settings: VisitSettings) -> str:
    """Return the outcome that a frame is counted as: its label if the confidence suffices, else "unknown"."""
    if vote.label in (BLANK, UNKNOWN):
        return vote.label
    needed = settings.label_confidence.get(vote.label, settings.confidence)
    if vote.label in state.open_labels:
        needed *= settings.hold_share
    return vote.label if vote.confidence >= needed else UNKNOWN


def advance(state: VisitState, vote: FrameVote, settings: VisitSettings) -> tuple[VisitState, tuple[Track, ...], str]:
    """Count one frame; return the new state, the visits that ended before it, and the outcome it was counted as.

    A timestamp before the state's time is treated as that time.
    """
    state, ended = wait_until(state, vote.timestamp_s, settings)
    outcome = outcome_of(vote, state, settings)
    is_vote = state.now_s - state.voted_s >= settings.vote_spacing_s
    tracks = [_count_chance(track) if is_vote else track for track in state.tracks]
    if outcome not in (BLANK, UNKNOWN, PERSON) or outcome in settings.reported_outcomes:
        index = next((index for index, track in enumerate(tracks) if track.label == outcome), None)
        if index is not None and state.now_s - tracks[index].started_s > settings.longest_s:
            # An open visit: a tentative track ends at vote_age_s, which is never longer.
            ended += (tracks.pop(index),)
            index = None
        if index is None:
            tracks.append(_begin(outcome, vote, state.now_s, is_vote))
        else:
            tracks[index] = _extend(tracks[index], vote, state.now_s, is_vote, settings)
    kept = tuple(track for track in tracks if track.opened or _can_open(track, settings))
    return VisitState(kept, state.now_s, state.now_s if is_vote else state.voted_s), _in_order(ended), outcome


def wait_until(state: VisitState, now_s: float, settings: VisitSettings) -> tuple[VisitState, tuple[Track, ...]]:
    """Advance the time without a frame; return the new state and the visits that ended."""
    now_s = max(state.now_s, now_s)
    kept: list[Track] = []
    ended: list[Track] = []
    for track in state.tracks:
        if track.opened:
            (ended if now_s - track.seen_s >= settings.cool_down_s else kept).append(track)
        elif now_s - track.started_s <= settings.vote_age_s:
            kept.append(track)
    return replace(state, tracks=tuple(kept), now_s=now_s), _in_order(tuple(ended))


def finish(state: VisitState) -> tuple[Track, ...]:
    """Return the open visits at the end of the watch, in the order in which they were last seen."""
    return _in_order(tuple(track for track in state.tracks if track.opened))


def _begin(label: str, vote: FrameVote, now_s: float, is_vote: bool) -> Track:
    best = Best(vote.sequence, vote.confidence, vote.sharpness)
    return Track(label, now_s, now_s, 1, int(is_vote), int(is_vote), False, best, vote.latency_ms)


def _extend(track: Track, vote: FrameVote, now_s: float, is_vote: bool, settings: VisitSettings) -> Track:
    votes = track.votes + is_vote
    return replace(
        track,
        seen_s=now_s,
        frames=track.frames + 1,
        votes=votes,
        opened=track.opened or votes >= settings.votes,
        best=_better(track.best, Best(vote.sequence, vote.confidence, vote.sharpness)),
        latency_sum_ms=track.latency_sum_ms + vote.latency_ms,
    )


def _count_chance(track: Track) -> Track:
    return track if track.opened else replace(track, chances=track.chances + 1)


def _can_open(track: Track, settings: VisitSettings) -> bool:
    return settings.vote_window - track.chances >= settings.votes - track.votes


def _better(old: Best, new: Best) -> Best:
    steps = round(new.confidence / _CONFIDENCE_STEP) - round(old.confidence / _CONFIDENCE_STEP)
    return new if (steps, new.sharpness - old.sharpness) > (0, 0.0) else old


def _in_order(tracks: tuple[Track, ...]) -> tuple[Track, ...]:
    return tuple(sorted(tracks, key=lambda track: (track.seen_s, track.started_s)))
