"""Visits and blind times: the events that the live loop reports to store, sinks and live page."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from trailcam_core.images.boxes import Box
    from trailcam_core.images.resize import Image

__all__ = [
    "BLANK_LABELS",
    "CLOSED",
    "NOTHING",
    "OPENED",
    "PERSON",
    "PERSON_LABELS",
    "UNKNOWN",
    "UPDATED",
    "BlindTime",
    "Clip",
    "KeptPicture",
    "Moment",
    "PictureSample",
    "SuppressedVisit",
    "Visit",
    "VisitChange",
    "has_neighbours",
    "is_dated",
    "is_recording",
    "stated_confidence",
]

BLANK_LABELS = ("blank", "empty", "background", "nothing")  # words of models and data sets for it
NOTHING = "nothing"  # the model recognises an empty scene
UNKNOWN = "unknown"  # none of the labels of the model, or too little confidence
PERSON = "person"
PERSON_LABELS = ("person", "human", "people")  # the same for people
OPENED, UPDATED, CLOSED = "opened", "updated", "closed"  # the events of one visit
RECORDING_BOOT = "recording-"  # first characters of the ``boot_id`` of moments in a recording of unknown time
DATED_BOOT = "dated-"  # the same, in recordings that state when they were made


class KeptPicture(Protocol):
    """A picture in memory, in a form that is smaller than RGB."""

    def image(self) -> "Image":
        """Return it as (H, W, 3) uint8 RGB."""

    def bgr(self) -> "Image":
        """Return it as (H, W, 3) uint8 in the order B, G, R."""


@dataclass(frozen=True)
class Moment:
    """A point in time on a machine that may not know the date.

    ``monotonic_s`` counts within one start of the machine, which ``boot_id`` names; ``wall`` (with time zone) is None
    until the clock has been set. In a recording that states its time, ``monotonic_s`` counts from the first of those
    read together, and ``wall`` is that time.
    """

    monotonic_s: float
    wall: datetime | None
    boot_id: str


@dataclass(frozen=True)
class Visit:
    """One animal's stay in front of the camera: one event.

    ``label`` is a label of the model or an outcome: ``unknown``, ``nothing``, ``person``. ``started`` and ``ended`` are
    the first and last of its ``frames``; ``votes`` of these were far enough apart to count. ``confidence`` (0..1,
    calibrated) is that of ``best_frame``, (H, W, 3) uint8 RGB or a picture that gives it, owned by the visit, or None
    if no picture is kept. ``bundle`` names the model, ``latency_ms`` is the mean time from a frame to its answer.
    ``box`` is the place of the animal in ``best_frame``, None if frames were classified as a whole. ``station`` is the
    deployment, and ``source`` the file of the picture below its card; both None for what this machine's camera saw.
    ``picture_offset_s`` is the time from the start of the visit to its picture, None if it is unknown.
    """

    visit_id: str
    label: str
    started: Moment
    ended: Moment
    confidence: float
    votes: int
    frames: int
    best_frame: "Image | KeptPicture | None" = field(repr=False, compare=False)
    bundle: str
    latency_ms: float
    box: "Box | None" = None
    station: str | None = None
    source: str | None = None
    picture_offset_s: float | None = None


@dataclass(frozen=True)
class VisitChange:
    """A visit that is still open: ``kind`` is ``OPENED``, or ``UPDATED`` for a clearly better picture or answer.

    ``visit`` is the visit so far, with the identifier that it will have when it ends.
    """

    kind: str
    visit: Visit


@dataclass(frozen=True)
class Clip:
    """A short video of a visit: ``content`` is a whole MP4 file.

    ``offset_s`` is the time from the start of the visit to the first frame, below 0 for a frame before it;
    ``duration_s`` is the time from the first frame to the last.
    """

    visit_id: str
    content: bytes = field(repr=False)
    offset_s: float
    duration_s: float


@dataclass(frozen=True)
class SuppressedVisit:
    """A visit that the settings suppress; ``reason`` is "not allowed" or "out of season"."""

    label: str
    reason: str


@dataclass(frozen=True)
class BlindTime:
    """A period in which the camera could not see, and the reason."""

    reason: str
    started: Moment
    ended: Moment
    station: str | None = None


@dataclass(frozen=True)
class PictureSample:
    """A picture that is kept to learn from, and belongs to no visit.

    ``kind`` is "quiet" (a random moment without a visit) or "unknown" (something that moved and got no label).
    ``per_day`` is the rate of the draws: a moment of a second was drawn with the probability ``per_day`` / 86,400.
    ``picture`` is (H, W, 3) uint8 RGB and owned by the sample. ``outcome`` is what the frame was counted as, None if
    nothing moved; ``box`` is the place of what moved in the picture, None if nothing or several things did.
    """

    sample_id: str
    kind: str
    taken: Moment
    picture: "Image" = field(repr=False, compare=False)
    bundle: str
    per_day: float
    outcome: str | None = None
    box: "Box | None" = None


def has_neighbours(boot_id: str) -> bool:
    """Return True if a boot is a start of this machine, which lies between the starts before and after it."""
    return not boot_id.startswith((RECORDING_BOOT, DATED_BOOT))


def stated_confidence(label: str, confidence: float) -> float | None:
    """Return the confidence that people read beside a label: None for "unknown".

    The number that the store has for an unknown visit is the probability of the nearest label, which is not the answer.
    """
    return None if label == UNKNOWN else confidence


def is_dated(boot_id: str) -> bool:
    """Return True if ``boot_id`` is that of moments in recordings that state when they were made."""
    return boot_id.startswith(DATED_BOOT)


def is_recording(boot_id: str) -> bool:
    """Return True if ``boot_id`` is that of moments in a recording, whose ``wall`` is only an upper bound."""
    return boot_id.startswith(RECORDING_BOOT)
