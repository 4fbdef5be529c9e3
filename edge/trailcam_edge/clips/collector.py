"""From visits to the frames of their clips: which visit gets one, from when to when. Several threads may use it."""

import logging
import threading
from collections import deque
from dataclasses import dataclass, field

from trailcam_edge.clips.ring import ClipFrame, Ring
from trailcam_edge.clips.settings import ClipSettings
from trailcam_edge.events import PERSON

_log = logging.getLogger(__name__)
_TAIL_S = 2.0  # after the animal was last recognised
_LATE_S = 5.0  # the loop is behind the camera by at most so much
_PERSON_S = 1.0  # before and after a human was recognised


@dataclass(frozen=True)
class Cut:
    """The frames of one clip, at least one; ``offset_s`` is the time from the start of the visit to the first."""

    visit_id: str
    frames: tuple[ClipFrame, ...] = field(repr=False)
    offset_s: float


@dataclass
class _Open:
    """A visit whose clip is being collected; times as in ``ClipFrame``."""

    visit_id: str
    label: str
    started_s: float
    first_s: float
    last_s: float
    seen_s: float


class Collector:
    """The ring, and the visits that wait for the last frames of their clips.

    Visits need no further memory: all of their frames are in the ring until the clip is cut.

    Args:
        settings: of clips.
        vote_age_s: a visit may be known so late after its first frame.
        keep_persons: False makes no clip in which a human was recognised.
    """

    def __init__(self, settings: ClipSettings, vote_age_s: float, keep_persons: bool) -> None:
        self._settings = settings
        self._keep_persons = keep_persons
        span_s = settings.longest_s + vote_age_s + _LATE_S
        self._ring = Ring(span_s, round(settings.max_memory_mb * 1e6))
        self._open: dict[str, _Open] = {}
        self._persons_s: deque[float] = deque(maxlen=1000)
        self._guard = threading.Lock()

    @property
    def size_bytes(self) -> int:
        """The memory of the frames in the ring."""
        return self._ring.size_bytes

    def add(self, frame: ClipFrame) -> None:
        """Add a frame; called by the thread that compresses."""
        with self._guard:
            self._ring.add(frame, min((each.first_s for each in self._open.values()), default=float("inf")))

    def begin(self, visit_id: str, label: str, started_s: float) -> None:
        """Make a clip of a visit that has opened; ``started_s`` is the time of its first frame."""
        first_s = started_s - self._settings.before_s
        with self._guard:
            last_s = first_s + self._settings.longest_s
            self._open.setdefault(visit_id, _Open(visit_id, label, started_s, first_s, last_s, started_s))

    def note(self, outcome: str | None, at_s: float) -> None:
        """Record what a frame was recognised as."""
        with self._guard:
            for each in self._open.values():
                if each.label == outcome:
                    each.seen_s = max(each.seen_s, at_s)
            if outcome == PERSON:
                self._persons_s.append(at_s)

    def due(self, now_s: float) -> list[Cut]:
        """Return the clips whose last frame has passed; an infinite ``now_s`` cuts all of them."""
        with self._guard:
            ready = [each for each in self._open.values() if each.last_s <= now_s]
            for each in ready:
                del self._open[each.visit_id]
            return [cut for each in ready if (cut := self._cut(each)) is not None]

    def _cut(self, each: _Open) -> Cut | None:
        last_s = min(each.last_s, each.seen_s + _TAIL_S)
        if not self._keep_persons and (each.label == PERSON or self._shows_person(each.first_s, last_s)):
            _log.info("visit %s gets no clip: it shows people, see keep_person_pictures.", each.visit_id)
            return None
        frames = self._ring.between(each.first_s, last_s)
        if not frames:
            _log.warning("visit %s gets no clip: the camera delivered no frames for it.", each.visit_id)
            return None
        return Cut(each.visit_id, frames, frames[0].at_s - each.started_s)

    def _shows_person(self, first_s: float, last_s: float) -> bool:
        return any(first_s - _PERSON_S <= at_s <= last_s + _PERSON_S for at_s in self._persons_s)
