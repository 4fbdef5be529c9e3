"""What was seen in a sequence: answers of its photographs and clips, combined to one visit for each animal."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from trailcam_core.classifier import Classification
from trailcam_core.images.boxes import Box
from trailcam_core.images.resize import Image
from trailcam_edge.events import NOTHING, PERSON, UNKNOWN
from trailcam_edge.recognition.settings import VisitSettings
from trailcam_edge.recognition.visits import name_outcome


@dataclass(frozen=True)
class Sighting:
    """One label in part of a sequence.

    ``started_s`` and ``ended_s`` count from the beginning of the sequence. ``photographs`` are the files in which it
    was seen, ``clip_frames`` counts frames of clips. ``picture`` is (H, W, 3) uint8 RGB and ``source`` its file;
    ``box`` is the place of the animal in it, None if it was classified as a whole. ``pictured_s`` is when it was taken,
    None if unknown.
    """

    label: str
    confidence: float
    started_s: float
    ended_s: float
    source: str
    latency_ms: float
    photographs: frozenset[str] = frozenset()
    clip_frames: int = 0
    picture: Image | None = field(repr=False, compare=False, default=None)
    box: Box | None = None
    pictured_s: float | None = None

    @property
    def frames(self) -> int:
        """Photographs and frames in which it was seen, each once."""
        return len(self.photographs) + self.clip_frames


def outcome(answer: Classification, settings: VisitSettings) -> str:
    """Return the label that an answer counts as: "unknown" below the confidence that it needs."""
    label = name_outcome(answer, settings)
    if label in (NOTHING, UNKNOWN):
        return label
    needed = settings.label_confidence.get(label, settings.confidence)
    return label if answer.confidence >= needed else UNKNOWN


def combine(sightings: Iterable[Sighting], keep_persons: bool = False) -> list[Sighting]:
    """Return one sighting for each label, in the order in which they began.

    "unknown" and "nothing" are left out where anything was named, and "nothing" where something unknown was seen.

    Args:
        sightings: of one sequence.
        keep_persons: keep the pictures of people.
    """
    merged: dict[str, Sighting] = {}
    for sighting in sightings:
        before = merged.get(sighting.label)
        merged[sighting.label] = sighting if before is None else _join(before, sighting)
    for outcome_label in (NOTHING, UNKNOWN):
        if outcome_label in merged and len(merged) > 1:
            del merged[outcome_label]
    found = sorted(merged.values(), key=lambda each: (each.started_s, each.label))
    return [each if keep_persons or each.label != PERSON else replace(each, picture=None, box=None) for each in found]


def _join(first: Sighting, second: Sighting) -> Sighting:
    """Return both as one; the picture is that of the more confident, the earlier of equals."""
    best = second if second.confidence > first.confidence else first
    frames = max(1, first.frames + second.frames)
    return replace(
        best,
        started_s=min(first.started_s, second.started_s),
        ended_s=max(first.ended_s, second.ended_s),
        photographs=first.photographs | second.photographs,
        clip_frames=first.clip_frames + second.clip_frames,
        latency_ms=(first.latency_ms * first.frames + second.latency_ms * second.frames) / frames,
    )
