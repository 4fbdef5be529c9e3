"""Put answers for single frames together to what a person would say was seen, as a pure function of the answers."""

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Sighting", "find_sightings"]


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
        if label is not None and label == previous:
            open_one = found[-1]
            best = max(open_one.confidence, confidence)
            found[-1] = Sighting(label, open_one.first, sequence, open_one.frames + 1, best)
        elif label is not None:
            found.append(Sighting(label, sequence, sequence, 1, confidence))
        previous = label
    return tuple(found)
