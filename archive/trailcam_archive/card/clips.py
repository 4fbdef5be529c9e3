"""Classify a clip with the live loop, and frames of it as a whole where nothing moves.

A trail camera starts when something is there already, and what stands still from the first frame on is background.
"""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from trailcam_archive.card.photographs import stored_picture
from trailcam_archive.card.settings import CardSettings
from trailcam_archive.card.sightings import Sighting, outcome
from trailcam_core.classifier import Classifier
from trailcam_core.errors import SourceError
from trailcam_core.images.resize import Image
from trailcam_edge.events import UNKNOWN, KeptPicture, Visit
from trailcam_edge.events.clock import RecordingClock
from trailcam_edge.recognition.frame_result import FrameResult
from trailcam_edge.recognition.loop import watch
from trailcam_edge.recognition.settings import LoopSettings
from trailcam_edge.regions import MeanLogits, add_logits
from trailcam_edge.sources import Frame
from trailcam_edge.sources.frame import WrappedSource
from trailcam_edge.sources.video import VideoSource

_FRAME_S = 0.09  # at most eleven frames a second: regions and votes need no more
_WHOLE_S = 2.0  # between two frames that are kept to be classified as a whole
_MAX_WHOLE = 6
_HOLE_S = 2.0  # a longer step between two frames is a hole


@dataclass(frozen=True)
class ClipResult:
    """What is seen in a clip, how long it lasts, and its holes as seconds from its beginning."""

    sightings: list[Sighting]
    duration_s: float
    holes: list[tuple[float, float]] = field(default_factory=list)


class _Thinned(WrappedSource):
    """The frames of a video, without those that follow another one too soon."""

    def frames(self) -> Iterator[Frame]:
        """Yield frames at least ``_FRAME_S`` apart."""
        due_s = float("-inf")
        for frame in super().frames():
            if frame.timestamp_s < due_s:
                frame.give_back()
                continue
            due_s = frame.timestamp_s + _FRAME_S
            yield frame


@dataclass
class _Seen:
    """What the loop has reported of a clip so far."""

    first_s: float | None = None
    last_s: float = 0.0
    answers: int = 0
    unknown_s: float | None = None
    wholes: list[tuple[float, Image, Image]] = field(default_factory=list)  # time, input of the model, picture
    holes: list[tuple[float, float]] = field(default_factory=list)
    visits: list[Visit] = field(default_factory=list)


def classify_clip(
    path: Path,
    name: str,
    classifier: Classifier,
    settings: CardSettings,
    stop: threading.Event,
    on_problem: Callable[[SourceError], None],
) -> ClipResult:
    """Return what is seen in a clip; if ``stop`` is set meanwhile, what was seen up to then.

    Args:
        path: the file; it is decoded in a child process.
        name: of the file below its card.
        classifier: answers.
        settings: of motion and visits.
        stop: ends the reading.
        on_problem: called with the error of a part that does not decode; the frames behind it are read.

    Raises:
        SourceError: not one frame can be read.
        BundleError: the model fails.
    """
    loop = LoopSettings(motion=settings.motion, visits=settings.visits)
    seen = _Seen()
    source = _Thinned(VideoSource(path, on_bad_frame=on_problem))
    clock = RecordingClock()
    for event in watch(lambda: source, classifier, loop, stop, clock):
        if isinstance(event, FrameResult):
            clock.moment(event.frame.timestamp_s)  # the first frame is the beginning
            _note(seen, event, classifier)
        elif isinstance(event, Visit):
            seen.visits.append(event)
    sightings = [_of_visit(visit, name) for visit in seen.visits]
    if not sightings:
        sightings = [_nothing_named(seen, name, classifier, settings)]
    return ClipResult(sightings, seen.last_s, seen.holes)


def _note(seen: _Seen, result: FrameResult, classifier: Classifier) -> None:
    frame = result.frame
    seen.first_s = frame.timestamp_s if seen.first_s is None else seen.first_s
    at_s = frame.timestamp_s - seen.first_s
    if at_s - seen.last_s > _HOLE_S:
        seen.holes.append((seen.last_s, at_s))
    seen.last_s = at_s
    seen.answers += result.answer is not None
    due_s = seen.wholes[-1][0] + _WHOLE_S if seen.wholes else 0.0
    if at_s >= due_s and len(seen.wholes) < _MAX_WHOLE:
        seen.wholes.append((at_s, frame.fitted(classifier.input), stored_picture(frame.picture())))


def _of_visit(visit: Visit, name: str) -> Sighting:
    return Sighting(
        label=visit.label,
        confidence=visit.confidence,
        started_s=visit.started.monotonic_s,
        ended_s=visit.ended.monotonic_s,
        source=name,
        latency_ms=visit.latency_ms,
        clip_frames=visit.frames,
        picture=_stored(visit.best_frame),
        box=visit.box,
    )


def _stored(picture: Image | KeptPicture | None) -> Image | None:
    if picture is None:
        return None
    return stored_picture(picture if isinstance(picture, np.ndarray) else picture.image())


def _nothing_named(seen: _Seen, name: str, classifier: Classifier, settings: CardSettings) -> Sighting:
    """Return the sighting of a clip without a visit: unknown if something moved, or the answer for whole frames."""
    mean: MeanLogits | None = None
    for _, fitted, _ in seen.wholes:
        mean = add_logits(mean, classifier.logits_of_input(fitted))
    if mean is None:
        raise SourceError(f"{name}: not one frame was read.")
    answer = classifier.answer(mean.logits)
    label = UNKNOWN if seen.answers >= settings.visits.votes else outcome(answer, settings.visits)
    _, _, picture = seen.wholes[len(seen.wholes) // 2]
    return Sighting(
        label=label,
        confidence=answer.confidence,
        started_s=0.0,
        ended_s=seen.last_s,
        source=name,
        latency_ms=answer.latency_ms,
        clip_frames=len(seen.wholes),
        picture=picture,
    )
