"""Put answers for single frames together to what a person would say was seen, as a pure function of the answers."""

from collections.abc import Iterable, MutableSequence
from dataclasses import dataclass

__all__ = ["Sighting", "extend_sightings", "find_sightings"]


@dataclass(frozen=True)
class Sighting:
    """One label over consecutive frames: sequence numbers of the first and last, and the best confidence in 0..1."""

    label: str
    first: int
    last: int
    frames: int
    confidence: float


def find_sightings(answers: Iterable[tuple[int, str | None, float]]) -> tuple[Sighting, ...]:
    """Join consecutive frames with the same label; "unknown" (None) ends a sighting.

    Args:
        answers: sequence number, label or None, and confidence of each frame, in order.
    """
    found: list[Sighting] = []
    previous: str | None = None
    for sequence, label, confidence in answers:
        extend_sightings(found, previous, sequence, label, confidence)
        previous = label
    return tuple(found)


def extend_sightings(
    found: MutableSequence[Sighting], previous: str | None, sequence: int, label: str | None, confidence: float
) -> bool:
    """Take one more frame in, at the end of ``found``; return whether it begins a sighting.

    Args:
        found: sightings so far, changed; the last one must be there, older ones may have been let go.
        previous: label of the frame before, None for "unknown" or no frame.
        sequence: of this frame.
        label: of this frame.
        confidence: of this frame.
    """
    if label is None:
        return False
    if label == previous:
        last = found[-1]
        found[-1] = Sighting(label, last.first, sequence, last.frames + 1, max(last.confidence, confidence))
        return False
    found.append(Sighting(label, sequence, sequence, 1, confidence))
    return True
