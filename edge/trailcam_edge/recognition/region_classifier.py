"""Classify what moves: one crop of one region for each frame, and the answer of that region so far.

luma of the frame --> regions --> the region whose turn it is --> crop from the largest picture --> logits
|
answer of the region <-- mean of its logits <-----------------------+

While nothing moves, and ``zoom_every_s`` is set, the crop is now and then where the whole frame has the most energy.
"""

import time
from dataclasses import dataclass, replace

from trailcam_core.classifier import Classification, Classifier
from trailcam_core.errors import SourceError
from trailcam_core.images.boxes import Box, square_crop
from trailcam_core.images.resize import Image, fit_image
from trailcam_edge.regions import (
    MIN_LUMA_PX,
    STILL_REGION,
    FinderState,
    MeanLogits,
    RegionSettings,
    StillLooks,
    add_logits,
    advance,
    choose,
    end_series,
    is_due,
    may_open,
    may_open_visit,
    note_look,
    note_still_look,
    shrink_luma,
)
from trailcam_edge.sources import Frame

_SPARSE_S = 0.5  # between two frames


@dataclass(frozen=True)
class RegionAnswer:
    """Answer for one region.

    ``region`` is its number, ``box`` its place in this frame; ``answer`` is made of the mean logits of its crops.
    ``crop`` is (h, w, 3) uint8 RGB, the model's input. ``may_open`` is False for what never moved: it opens no visit.
    The number of an answer for a second look is ``STILL_REGION``.
    """

    region: int
    box: Box
    answer: Classification
    crop: Image
    may_open: bool


class RegionClassifier:
    """Keeps the background and the regions of one camera.

    Args:
        classifier: answers; it is used by the calling thread only.
        settings: see ``RegionSettings``.

    Raises:
        BundleError: ``zoom_every_s`` is set, and the model has no feature map.
    """

    def __init__(self, classifier: Classifier, settings: RegionSettings) -> None:
        if settings.zoom_every_s:
            classifier.check_zoom()
        self._classifier = classifier
        self._settings = settings
        self._state = FinderState()
        self._still = StillLooks()
        self._means: dict[int, MeanLogits] = {}
        self._frames = 0
        self._seen_s: float | None = None
        self._spacing_s = 0.0
        self._was_known = False

    @property
    def boxes(self) -> tuple[Box, ...]:
        """Places of all regions in the newest frame."""
        return tuple(region.box for region in self._state.regions)

    @property
    def alive(self) -> frozenset[int]:
        """Numbers of all regions that are followed, those that are out of sight for a moment included."""
        still = (STILL_REGION,) if self._still.looks else ()
        return frozenset((*still, *(region.identifier for region in self._state.following.regions)))

    @property
    def is_blind(self) -> bool:
        """True if nothing could be proposed in the newest frame, and frames are so far apart that an animal may go."""
        return not self._was_known and self._spacing_s >= _SPARSE_S

    def classify(self, frame: Frame) -> RegionAnswer | None:
        """Return the answer of the region whose turn it is; None where nothing moves and no second look is due.

        Raises:
            BundleError: the model fails.
            SourceError: the frame is too small to find motion in.
        """
        start_s = time.perf_counter()
        if self._state.background is None:  # a model that fails is found out at once, not when an animal comes
            self._classifier.logits_of_input(frame.fitted(self._classifier.input))
        luma = shrink_luma(frame.pixels.luma())
        if min(luma.shape) < MIN_LUMA_PX:
            height, width = frame.pixels.size
            raise SourceError(
                f"{frame.name}: {width} x {height} px are too few, or too narrow, to find motion in. Check the size of "
                "the images and roi in [camera]; without motion (enabled = false in [motion]) every size is classified."
            )
        self._spacing_s = 0.0 if self._seen_s is None else frame.timestamp_s - self._seen_s
        self._seen_s = frame.timestamp_s
        self._was_known = self._state.is_known
        self._state = advance(self._state, luma, frame.timestamp_s, self._settings)
        following = self._state.following
        alive = self.alive
        self._means = {number: mean for number, mean in self._means.items() if number in alive}
        region = choose(following)
        if region is None:
            quiet = not following.regions and not self._state.scene_changed
            is_second = quiet and is_due(self._still, frame.timestamp_s, self._settings)
            return self._look_twice(frame, start_s) if is_second else None
        self._still = end_series(self._still)
        settings = self._settings
        part = square_crop(region.box, frame.picture_size, settings.crop_margin, settings.min_crop_px)
        crop = fit_image(frame.part(part), self._classifier.input)
        mean = add_logits(self._means.get(region.identifier), self._classifier.logits_of_input(crop))
        self._means[region.identifier] = mean
        self._frames += 1
        may_open = may_open_visit(following, region, settings)
        following = note_look(following, region.identifier, self._frames)
        self._state = replace(self._state, following=following)
        answer = self._classifier.answer(mean.logits, start_s=start_s)
        return RegionAnswer(region.identifier, region.box, answer, crop, may_open)

    def _look_twice(self, frame: Frame, start_s: float) -> RegionAnswer:
        """Return the answer for the part of a still frame that differs most from the rest; two runs of the model."""
        classifier, before = self._classifier, self._still
        _, box = classifier.logits_and_box(frame.fitted(classifier.input), frame.picture_size)
        crop = fit_image(frame.part(square_crop(box, frame.picture_size, 1.0, 1)), classifier.input)
        mean = add_logits(self._means.get(STILL_REGION) if before.looks else None, classifier.logits_of_input(crop))
        answer = classifier.answer(mean.logits, start_s=start_s)
        self._still = note_still_look(before, box, answer.label is not None, frame.timestamp_s, self._settings)
        self._means[STILL_REGION] = mean
        return RegionAnswer(STILL_REGION, box, answer, crop, may_open(before, box))
