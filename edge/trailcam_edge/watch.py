"""The live loop: take a frame, classify it, say what was seen."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from trailcam_edge.classifier import Classification, Classifier
from trailcam_edge.sources import Frame, Source

__all__ = ["Observation", "watch"]

_RATE_SMOOTHING = 0.2  # weight of the newest frame in the frame rate that is shown


@dataclass(frozen=True)
class Observation:
    """One frame and its answer; ``rate_hz`` is the smoothed frame rate of the whole loop, 0 until it is known."""

    frame: Frame
    answer: Classification
    rate_hz: float


def watch(source: Source, classifier: Classifier) -> Iterator[Observation]:
    """Classify the frames of a source one by one, each before the next is taken.

    Raises:
        SourceError: the source cannot deliver.
    """
    rate_hz = 0.0
    previous_s: float | None = None
    for frame in source.frames():
        answer = classifier.classify(frame.image)
        now_s = time.monotonic()
        if previous_s is not None and now_s > previous_s:
            newest_hz = 1 / (now_s - previous_s)
            rate_hz = newest_hz if rate_hz == 0 else rate_hz + _RATE_SMOOTHING * (newest_hz - rate_hz)
        previous_s = now_s
        yield Observation(frame, answer, rate_hz)
