"""From answers for single frames to visits, as pure functions: a state, an answer, the next state and what ended.

    nothing --accepted frame--> tentative --enough votes--> open --not accepted for cool_down_s--> ended
                                    |                         |---longer than longest_s----------> ended, tentative
                                    +--votes can no longer suffice, or too old--> nothing

Every label has a track of its own in every region, so a visit survives frames with another answer and two animals at
once are two visits. Opening is by M-of-N votes, as
radars begin a track; staying open asks for less confidence than opening (hysteresis). A visit that was cut at its
longest must win its votes again, so the remainder is never a single frame.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from trailcam_core.classifier import Classification
from trailcam_core.images.boxes import Box
from trailcam_edge.events import BLANK, PERSON, UNKNOWN
from trailcam_edge.recognition.settings import VisitSettings

__all__ = ["Best", "Look", "Track", "VisitState", "advance", "finish", "name_outcome", "outcome_of", "wait_until"]

_CONFIDENCE_STEP = 0.01  # closer confidences say the same, and the sharper frame is kept


@dataclass(frozen=True)
class Look:
    """One classified frame: ``label`` is a label or outcome from ``name_outcome``, ``sharpness`` is in any unit.

    ``region`` is the number of the region that was classified and ``box`` its place, both None for the whole frame;
    ``alive`` are the regions that are followed. Without ``may_open`` the frame does not open a visit.
    """

    timestamp_s: float
    sequence: int
    label: str
    confidence: float
    sharpness: float = 0.0
    latency_ms: float = 0.0
    region: int | None = None
    box: Box | None = None
    may_open: bool = True
    alive: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Best:
    """The best frame so far; ``box`` is the place in it, None for the whole."""

    sequence: int
    confidence: float
    sharpness: float
    box: Box | None = None


@dataclass(frozen=True)
class Track:
    """One label's frames in one region: a visit, once ``opened``.

    ``chances`` counts all votes of that region since its first frame; ``number`` is unique within a watch.
    """

    label: str
    started_s: float
    seen_s: float
    frames: int
    votes: int
    chances: int
    opened: bool
    best: Best
    latency_sum_ms: float
    region: int | None = None
    number: int = 0


@dataclass(frozen=True)
class VisitState:
    """Tracks in the order in which they started, the time, and when each region voted last."""

    tracks: tuple[Track, ...] = ()
    now_s: float = float("-inf")
    voted_s: tuple[tuple[int | None, float], ...] = ()
    begun: int = 0

    @property
    def open_labels(self) -> tuple[str, ...]:
        """Labels with an open visit."""
        return tuple(track.label for track in self.tracks if track.opened)


def name_outcome(answer: Classification, settings: VisitSettings) -> str:
    """Return the label of an answer, or the outcome that it stands for."""
    best = answer.top[0].label.casefold()
    if best in settings.blank_labels:
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
    voted_s = dict(state.voted_s)
    is_vote = state.now_s - voted_s.get(look.region, float("-inf")) >= settings.vote_spacing_s
    tracks = [_count_chance(track) if is_vote and track.region == look.region else track for track in state.tracks]
    begun = state.begun
    if label not in (BLANK, UNKNOWN, PERSON) or label in settings.reported_outcomes:
        place = _find(tracks, label, look)
        if place is not None and state.now_s - tracks[place].started_s > settings.longest_s:
            cut = tracks.pop(place)
            ended += (cut,) if cut.opened else ()
            place = None
        if place is None:
            begun += 1
            tracks.append(_begin(label, look, state.now_s, is_vote, begun))
        else:
            tracks[place] = _extend(tracks[place], look, state.now_s, is_vote, settings)
    if is_vote:
        voted_s[look.region] = state.now_s
    kept = tuple(track for track in tracks if track.opened or _can_open(track, settings))
    recent = tuple((region, at_s) for region, at_s in voted_s.items() if state.now_s - at_s < settings.vote_spacing_s)
    return VisitState(kept, state.now_s, recent, begun), _in_order(ended)


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


def _find(tracks: Sequence[Track], label: str, look: Look) -> int | None:
    """Return the place of the track that a look continues.

    The track of its region, or else one of its label whose region has ended: an animal that was hidden for a while. Two
    regions that are followed at the same time are two animals.
    """
    alike = [place for place, track in enumerate(tracks) if track.label == label]
    same = [place for place in alike if tracks[place].region == look.region]
    ended = [place for place in alike if look.region is None or tracks[place].region not in look.alive]
    return next(iter(same or ended), None)


def _begin(label: str, look: Look, now_s: float, is_vote: bool, number: int) -> Track:
    best = Best(look.sequence, look.confidence, look.sharpness, look.box)
    votes = int(is_vote)
    return Track(label, now_s, now_s, 1, votes, votes, False, best, look.latency_ms, look.region, number)


def _extend(track: Track, look: Look, now_s: float, is_vote: bool, settings: VisitSettings) -> Track:
    votes = track.votes + is_vote
    return replace(
        track,
        seen_s=now_s,
        frames=track.frames + 1,
        votes=votes,
        opened=track.opened or (look.may_open and votes >= settings.votes),
        best=_better(track.best, Best(look.sequence, look.confidence, look.sharpness, look.box)),
        latency_sum_ms=track.latency_sum_ms + look.latency_ms,
        region=look.region,
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
