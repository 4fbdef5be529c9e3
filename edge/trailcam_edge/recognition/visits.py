"""From answers for single frames to visits, as pure functions: a state, an answer, the next state and what ended.

    nothing --accepted frame--> tentative --enough votes--> open --not accepted for cool_down_s--> ended
                                    |                         |---longer than longest_s----------> ended, tentative
                                    +--votes can no longer suffice, or too old--> nothing

Every label has a track of its own, so a visit survives frames that say something else. Opening is by M-of-N votes, as
radars begin a track; staying open asks for less confidence than opening (hysteresis). A visit that was cut at its
longest must win its votes again, so the remainder is never a single frame.
"""

from dataclasses import dataclass, replace

from trailcam_core.classifier import Classification
from trailcam_edge.config.watch_settings import VisitSettings
from trailcam_edge.events import BLANK, PERSON, UNKNOWN

__all__ = ["Best", "Look", "Track", "VisitState", "advance", "finish", "name_outcome", "outcome_of", "wait_until"]

_CONFIDENCE_STEP = 0.01  # closer confidences say the same, and the sharper frame is kept


@dataclass(frozen=True)
class Look:
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
    """One label's frames: a visit, once ``opened``. ``chances`` counts all votes since its first frame."""

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
    """Tracks in the order in which they started, the time, and when the last vote was."""

    tracks: tuple[Track, ...] = ()
    now_s: float = float("-inf")
    voted_s: float = float("-inf")

    @property
    def open_labels(self) -> tuple[str, ...]:
        """Labels with an open visit."""
        return tuple(track.label for track in self.tracks if track.opened)


def name_outcome(answer: Classification, settings: VisitSettings) -> str:
    """Return the label of an answer, or the outcome that it stands for."""
    best = answer.top[0].label.casefold()
    if answer.blank or best in settings.blank_labels:
        return BLANK
    if answer.label is None or best == UNKNOWN:
        return UNKNOWN
    return PERSON if best in settings.person_labels else answer.label


def outcome_of(look: Look, state: VisitState, settings: VisitSettings) -> str:
    """Return what a frame counts as: its label if it is sure enough, else "unknown"."""
    if look.label in (BLANK, UNKNOWN):
        return look.label
    needed = settings.label_confidence.get(look.label, settings.confidence)
    if look.label in state.open_labels:
        needed *= settings.hold_share
    return look.label if look.confidence >= needed else UNKNOWN


def advance(state: VisitState, look: Look, settings: VisitSettings) -> tuple[VisitState, tuple[Track, ...]]:
    """Take one frame in; return the new state and the visits that ended before it.

    A timestamp that runs backwards counts as the time already reached.
    """
    state, ended = wait_until(state, look.timestamp_s, settings)
    label = outcome_of(look, state, settings)
    is_vote = state.now_s - state.voted_s >= settings.vote_spacing_s
    tracks = [_count_chance(track) if is_vote else track for track in state.tracks]
    if label not in (BLANK, UNKNOWN, PERSON) or label in settings.reported_outcomes:
        place = next((place for place, track in enumerate(tracks) if track.label == label), None)
        if place is not None and state.now_s - tracks[place].started_s > settings.longest_s:
            cut = tracks.pop(place)  # open: a tentative one is dropped at ``vote_age_s``, which is never longer
            ended += (cut,)
            place = None
        if place is None:
            tracks.append(_begin(label, look, state.now_s, is_vote))
        else:
            tracks[place] = _extend(tracks[place], look, state.now_s, is_vote, settings)
    kept = tuple(track for track in tracks if track.opened or _can_open(track, settings))
    return VisitState(kept, state.now_s, state.now_s if is_vote else state.voted_s), _in_order(ended)


def wait_until(state: VisitState, now_s: float, settings: VisitSettings) -> tuple[VisitState, tuple[Track, ...]]:
    """Let time pass without a frame; return the new state and the visits that ended."""
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
    """Return the visits that are open, in the order in which they were last seen; the watch is over."""
    return _in_order(tuple(track for track in state.tracks if track.opened))


def _begin(label: str, look: Look, now_s: float, is_vote: bool) -> Track:
    best = Best(look.sequence, look.confidence, look.sharpness)
    return Track(label, now_s, now_s, 1, int(is_vote), int(is_vote), False, best, look.latency_ms)


def _extend(track: Track, look: Look, now_s: float, is_vote: bool, settings: VisitSettings) -> Track:
    votes = track.votes + is_vote
    return replace(
        track,
        seen_s=now_s,
        frames=track.frames + 1,
        votes=votes,
        opened=track.opened or votes >= settings.votes,
        best=_better(track.best, Best(look.sequence, look.confidence, look.sharpness)),
        latency_sum_ms=track.latency_sum_ms + look.latency_ms,
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
