"""Combine single-frame answers into visits: pure functions of a state, a vote and the settings.

    nothing --accepted frame--> tentative --enough votes--> open --not accepted for cool_down_s--> ended
                                    |                         |---longer than longest_s----------> ended, tentative
                                    +--votes can no longer suffice, or too old--> nothing

Every label has a separate track in every region, so a visit survives frames with another answer, and two animals at the
same time are two visits. Opening needs M of N votes, as in
radar track initiation; staying open needs less confidence than opening (hysteresis). A visit that was cut at its
maximum duration must win its votes again, so the remainder is never a single frame.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from trailcam_core.classifier import Classification
from trailcam_core.images.boxes import Box
from trailcam_edge.events import NOTHING, PERSON, UNKNOWN
from trailcam_edge.recognition.settings import VisitSettings

_CONFIDENCE_STEP = 0.01  # within one step the sharper frame is kept


@dataclass(frozen=True)
class FrameVote:
    """One classified frame: ``label`` is a label or outcome from ``name_outcome``, ``sharpness`` is in any unit.

    ``region`` is the number of the classified region and ``box`` its place, both None for the whole frame; ``alive``
    are the regions that are being followed. A vote opens a visit only with ``may_open``.
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
    """The best frame so far."""

    sequence: int
    confidence: float
    sharpness: float
    box: Box | None = None


@dataclass(frozen=True)
class Track:
    """Frames of one label in one region: a visit, once ``opened``.

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
    """Tracks in the order in which they started, the current time, and the time of each region's last vote."""

    tracks: tuple[Track, ...] = ()
    now_s: float = float("-inf")
    voted_s: tuple[tuple[int | None, float], ...] = ()
    begun: int = 0

    @property
    def open_labels(self) -> tuple[str, ...]:
        """Labels with an open visit."""
        return tuple(track.label for track in self.tracks if track.opened)


def name_outcome(answer: Classification, settings: VisitSettings) -> str:
    """Return the label of an answer, or the outcome that its label means."""
    best = answer.top[0].label.casefold()
    if answer.blank or best in settings.blank_labels:
        return NOTHING
    if answer.label is None or best == UNKNOWN:
        return UNKNOWN
    return PERSON if best in settings.person_labels else answer.label


def outcome_of(vote: FrameVote, state: VisitState, settings: VisitSettings) -> str:
    """Return the outcome that a frame is counted as: its label if the confidence suffices, else "unknown"."""
    if vote.label in (NOTHING, UNKNOWN):
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
    voted_s = dict(state.voted_s)
    is_vote = state.now_s - voted_s.get(vote.region, float("-inf")) >= settings.vote_spacing_s
    tracks = [_count_chance(track) if is_vote and track.region == vote.region else track for track in state.tracks]
    begun = state.begun
    if outcome not in (NOTHING, UNKNOWN, PERSON) or outcome in settings.reported_outcomes:
        index = _find(tracks, outcome, vote)
        if index is not None and state.now_s - tracks[index].started_s > settings.longest_s:
            # An open visit: a tentative track ends at vote_age_s, which is never longer.
            ended += (tracks.pop(index),)
            index = None
        if index is None:
            begun += 1
            tracks.append(_begin(outcome, vote, state.now_s, is_vote, begun))
        else:
            tracks[index] = _extend(tracks[index], vote, state.now_s, is_vote, settings)
    if is_vote:
        voted_s[vote.region] = state.now_s
    kept = tuple(track for track in tracks if track.opened or _can_open(track, settings))
    recent = tuple((region, at_s) for region, at_s in voted_s.items() if state.now_s - at_s < settings.vote_spacing_s)
    return VisitState(kept, state.now_s, recent, begun), _in_order(ended), outcome


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


def _find(tracks: Sequence[Track], label: str, vote: FrameVote) -> int | None:
    """Return the index of the track that a vote continues.

    That is the track of its region, or else a track of its label whose region has ended: an animal that was hidden for
    a while. Two regions that are followed at the same time are two animals.
    """
    alike = [index for index, track in enumerate(tracks) if track.label == label]
    same = [index for index in alike if tracks[index].region == vote.region]
    ended = [index for index in alike if vote.region is None or tracks[index].region not in vote.alive]
    return next(iter(same or ended), None)


def _begin(label: str, vote: FrameVote, now_s: float, is_vote: bool, number: int) -> Track:
    best = Best(vote.sequence, vote.confidence, vote.sharpness, vote.box)
    votes = int(is_vote)
    return Track(label, now_s, now_s, 1, votes, votes, False, best, vote.latency_ms, vote.region, number)


def _extend(track: Track, vote: FrameVote, now_s: float, is_vote: bool, settings: VisitSettings) -> Track:
    votes = track.votes + is_vote
    return replace(
        track,
        seen_s=now_s,
        frames=track.frames + 1,
        votes=votes,
        opened=track.opened or (vote.may_open and votes >= settings.votes),
        best=_better(track.best, Best(vote.sequence, vote.confidence, vote.sharpness, vote.box)),
        latency_sum_ms=track.latency_sum_ms + vote.latency_ms,
        region=vote.region,
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
