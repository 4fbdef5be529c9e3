"""Pictures of times without a visit, drawn from the events of the live loop.

A quiet moment is one with no visit, also in the ``hold_s`` before it and after it: an animal that the camera is about
to recognise is not missed. So a picture waits in memory for ``hold_s``, and is dropped if a visit opens meanwhile, if
the camera is blind, or, without ``people``, if the model names people.

What no region may be found in is blackened: the masks of ``[motion]``.
"""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from trailcam_core.images.boxes import Box, square_crop
from trailcam_core.images.resize import Image
from trailcam_edge.app.random_moments import MomentDraw
from trailcam_edge.events import PERSON, UNKNOWN, Moment, PictureSample
from trailcam_edge.events.clock import Clock
from trailcam_edge.recognition.frame_result import FrameResult
from trailcam_edge.regions.polygons import Polygon, rasterise
from trailcam_edge.store.settings import CollectSettings

_MAX_WAITING = 4  # a picture of 1080p takes 6 MB
_MARGIN, _MIN_CROP_PX = 1.3, 160  # as the crops of [motion]


@dataclass(frozen=True)
class _Waiting:
    sample: PictureSample
    at_s: float


class Collector:
    """Draw samples; used by the thread of the loop.

    Args:
        settings: numbers a day, what is kept of people, crops.
        clock: dates moments.
        hold_s: time without a visit around a quiet moment.
        keep: takes a sample; returns at once.
        samples_unknown: whether what moved and got no label becomes a sample; False where it becomes a visit.
    """

    def __init__(
        self,
        settings: CollectSettings,
        clock: Clock,
        hold_s: float,
        keep: Callable[[PictureSample], None],
        samples_unknown: bool = True,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._hold_s = hold_s
        self._keep = keep
        self._unknown_per_day = settings.unknown_per_day if samples_unknown else 0
        self._waiting: list[_Waiting] = []
        self._wants_unknown = False
        self._before: tuple[str, float] | None = None  # axis and time of the frame before
        self._person_s = float("-inf")  # when the model named people last
        self._bundle = ""

    @property
    def is_on(self) -> bool:
        """True if anything is to be kept."""
        return bool(self._settings.quiet_per_day or self._unknown_per_day)

    def see(self, event: FrameResult, bundle: str) -> None:
        """Take a frame and what the loop made of it."""
        if event.paused or bundle != self._bundle:
            self.interrupt()
            self._bundle = bundle
            if event.paused:
                return
        at_s = event.frame.timestamp_s
        is_person = event.outcome == PERSON and not self._settings.people
        if is_person:
            self._person_s = at_s
        if event.open_labels or is_person:
            self._wants_unknown |= self._has_unknown()  # it was drawn, and is still to come
            self._waiting.clear()
        while self._waiting and at_s - self._waiting[0].at_s >= self._hold_s:
            self._keep(self._waiting.pop(0).sample)
        self._draw(event, self._clock.moment(at_s))

    def interrupt(self) -> None:
        """Drop what waits: what came after it was not seen."""
        self._waiting.clear()
        self._before = None

    def _draw(self, event: FrameResult, moment: Moment) -> None:
        axis = ("" if moment.wall else moment.boot_id, moment.wall.timestamp() if moment.wall else moment.monotonic_s)
        before, self._before = self._before, axis
        if before is None or before[0] != axis[0]:
            return
        seed = f"{self._settings.seed} {axis[0]}"
        quiet = MomentDraw(self._settings.quiet_per_day, f"quiet {seed}").has_passed(before[1], axis[1])
        self._wants_unknown |= MomentDraw(self._unknown_per_day, f"unknown {seed}").has_passed(before[1], axis[1])
        at_s = event.frame.timestamp_s
        if event.open_labels or at_s - self._person_s < self._hold_s:
            return
        if quiet and len(self._waiting) < _MAX_WAITING:
            box = event.boxes[0] if len(event.boxes) == 1 else None
            self._waiting.append(_Waiting(self._sample("quiet", event, moment, box), at_s))
        is_unknown = event.outcome == UNKNOWN and event.box is not None
        if self._wants_unknown and is_unknown and not self._has_unknown():
            self._wants_unknown = False
            self._waiting.append(_Waiting(self._sample("unknown", event, moment, event.box), at_s))

    def _has_unknown(self) -> bool:
        return any(waiting.sample.kind == "unknown" for waiting in self._waiting)

    def _sample(self, kind: str, event: FrameResult, moment: Moment, box: Box | None) -> PictureSample:
        per_day = self._settings.quiet_per_day if kind == "quiet" else self._unknown_per_day
        picture = masked(event.frame.picture(), event.ignore, event.only)
        if kind == "unknown" and box is not None and self._settings.crops:
            part = square_crop(box, (picture.shape[0], picture.shape[1]), _MARGIN, _MIN_CROP_PX)
            picture = picture[part.top : part.top + part.height, part.left : part.left + part.width].copy()
            box = None
        return PictureSample(uuid.uuid4().hex, kind, moment, picture, self._bundle, per_day, event.outcome, box)


def masked(picture: Image, ignore: Sequence[Polygon], only: Sequence[Polygon]) -> Image:
    """Return a copy of a picture, (H, W, 3) uint8 RGB, that is black where no region may be found."""
    if not (ignore or only):
        return picture.copy()
    wanted = rasterise((picture.shape[0], picture.shape[1]), ignore, only)
    return np.asarray(picture * wanted[:, :, np.newaxis], np.uint8)
