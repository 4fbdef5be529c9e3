"""Run the camera's own live loop on generated clips and compare its results with the truth."""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt

from trailcam_benchmarks.field.generator.clip import ClipFrame, TrueAnimal, generate
from trailcam_benchmarks.field.generator.clip_settings import ClipSettings
from trailcam_benchmarks.field.types import CutOut, Image
from trailcam_core.classifier import Classifier
from trailcam_core.images.boxes import Box
from trailcam_edge.events import NOTHING, UNKNOWN, Visit
from trailcam_edge.recognition.frame_result import FrameResult
from trailcam_edge.recognition.loop import watch
from trailcam_edge.recognition.settings import LoopSettings
from trailcam_edge.sources import Delivery, Frame
from trailcam_edge.sources.pixels import PackedPixels

_COVERED = 0.7  # of the animal's box that one region must hold
_WHOLLY_IN = 0.5  # of the animal: frames with less are not counted


@dataclass(frozen=True)
class ClipResult:
    """Results of one clip.

    ``frames`` counts frames with half of an animal or more in them: in ``covered`` of them a region holds 70 % of its
    box, and ``named_right`` and ``named_wrong`` have an answer with its label or another one. ``empty_frames`` come
    before any animal: ``empty_proposed`` have a region, ``empty_named`` a label. ``visits`` are the labels of all
    visits. ``invokes`` and the processor time of this thread, of the model (``invoke_ms``) and of the loop beside it
    (``loop_ms``, without the generator), are sums.
    """

    condition: str
    scene: str
    labels: tuple[str, ...]
    seconds: float
    all_frames: int
    frames: int
    covered: int
    named_right: int
    named_wrong: int
    empty_frames: int
    empty_proposed: int
    empty_named: int
    visits: tuple[str, ...]
    invokes: int
    invoke_ms: float
    loop_ms: float

    @property
    def is_right(self) -> bool:
        """True if every animal has a visit with its label."""
        return bool(self.labels) and set(self.labels) <= set(self.visits)

    @property
    def is_wrong(self) -> bool:
        """True if a visit has a label of no animal of the clip."""
        return bool(set(self.visits) - set(self.labels))


class _ClipSource:
    """A clip as a recording; ``truth`` holds the animals of the frame that was delivered last."""

    delivery: Delivery = "recording"

    def __init__(self, frames: Iterator[ClipFrame], small_px: tuple[int, int] | None) -> None:
        self._frames = frames
        self._small_px = small_px
        self.truth: tuple[TrueAnimal, ...] = ()
        self.cpu_s = 0.0

    def frames(self) -> Iterator[Frame]:
        start_s = time.thread_time()
        for frame in self._frames:
            self.truth = frame.animals
            large = PackedPixels(frame.image, "RGB")
            small = large if self._small_px is None else PackedPixels(frame.small(self._small_px), "RGB")
            self.cpu_s += time.thread_time() - start_s
            yield Frame(small, frame.time_s, frame.number, f"frame {frame.number}", large)
            start_s = time.thread_time()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Do nothing: frames are generated."""


class _Timed(Classifier):
    """A classifier that adds up the processor time of its model."""

    def __init__(self, inner: Classifier) -> None:
        self.__dict__.update(inner.__dict__)
        self.cpu_s = 0.0
        self.invokes = 0

    def logits_of_input(self, fitted: Image) -> npt.NDArray[np.float32]:
        """Return the logits, and note the time."""
        start_s = time.thread_time()
        logits = super().logits_of_input(fitted)
        self.cpu_s += time.thread_time() - start_s
        self.invokes += 1
        return logits


def measure_clip(
    condition: str,
    scene: tuple[str, Image],
    cut_outs: Sequence[CutOut],
    clip: ClipSettings,
    seed: int,
    classifier: Classifier,
    settings: LoopSettings,
) -> ClipResult:
    """Generate a clip and watch it.

    Args:
        condition: name of the row that the clip belongs to.
        scene: name and picture of the scene.
        cut_outs: animals, as many as the clip has.
        clip: what happens in it.
        seed: of everything that is drawn.
        classifier: answers; one thread.
        settings: of the loop.
    """
    timed = _Timed(classifier)
    source = _ClipSource(generate(scene[1], cut_outs, clip, seed), (640, 480))
    tally = _Tally(math.inf if not clip.animals else 0.0 if clip.starts_inside else clip.empty_s)
    visits: list[str] = []
    start_s = time.thread_time()
    for event in watch(lambda: source, timed, settings):
        if isinstance(event, Visit):
            visits.append(event.label)
        elif isinstance(event, FrameResult):
            tally.add(event, source.truth)
    cpu_s = time.thread_time() - start_s
    return ClipResult(
        condition=condition,
        scene=scene[0],
        labels=tuple(cut_out.label for cut_out in cut_outs[: clip.animals]),
        seconds=clip.frames / clip.rate_hz,
        all_frames=clip.frames,
        visits=tuple(visits),
        **tally.counts,
        invokes=timed.invokes,
        invoke_ms=timed.cpu_s * 1e3,
        loop_ms=(cpu_s - source.cpu_s - timed.cpu_s) * 1e3,
    )


class _Tally:
    """Counts over the frames of a clip."""

    def __init__(self, empty_until_s: float) -> None:
        names = ("frames", "covered", "named_right", "named_wrong", "empty_frames", "empty_proposed", "empty_named")
        self.counts = dict.fromkeys(names, 0)
        self._empty_until_s = empty_until_s

    def add(self, result: FrameResult, truth: tuple[TrueAnimal, ...]) -> None:
        """Count one frame."""
        label = None if result.answer is None else result.answer.label
        is_named = label is not None and result.outcome not in (NOTHING, UNKNOWN)
        counts = self.counts
        if result.frame.timestamp_s < self._empty_until_s:
            counts["empty_frames"] += 1
            counts["empty_proposed"] += bool(result.boxes)
            counts["empty_named"] += is_named
        inside = [animal for animal in truth if animal.visible_fraction >= _WHOLLY_IN]
        if inside:
            counts["frames"] += 1
            counts["covered"] += all(_is_covered(animal.box, result.boxes) for animal in inside)
            is_right = is_named and label in {animal.label for animal in truth}
            counts["named_right"] += is_right
            counts["named_wrong"] += is_named and not is_right


def _is_covered(box: Box, regions: Sequence[Box]) -> bool:
    return any(region.common_area(box) >= _COVERED * box.area for region in regions)
