"""Classify what moves: one crop of one region for each frame, and the answer of that region so far.

luma of the frame --> regions --> the region whose turn it is --> crop from the largest picture --> logits
|
answer of the region <-- mean of its logits <-----------------------+
"""

import time
from dataclasses import dataclass, replace

from trailcam_core.classifier import Classification, Classifier
from trailcam_core.images.boxes import Box, square_crop
from trailcam_core.images.resize import Image, fit_image
from trailcam_edge.regions import (
    FinderState,
    MeanLogits,
    RegionSettings,
    add_logits,
    advance,
    choose,
    may_open_visit,
    note_look,
    shrink_luma,
)
from trailcam_edge.sources import Frame


@dataclass(frozen=True)
class RegionAnswer:
    """Answer for one region.

    ``region`` is its number, ``box`` its place in this frame; ``answer`` is made of the mean logits of its crops.
    ``crop`` is (h, w, 3) uint8 RGB, the model's input. ``may_open`` is False for what never moved: it opens no visit.
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
    """

    def __init__(self, classifier: Classifier, settings: RegionSettings) -> None:
        self._classifier = classifier
        self._settings = settings
        self._state = FinderState()
        self._means: dict[int, MeanLogits] = {}
        self._frames = 0

    @property
    def boxes(self) -> tuple[Box, ...]:
        """Places of all regions in the newest frame."""
        return tuple(region.box for region in self._state.regions)

    @property
    def alive(self) -> frozenset[int]:
        """Numbers of all regions that are followed, those that are out of sight for a moment included."""
        return frozenset(region.identifier for region in self._state.following.regions)

    def classify(self, frame: Frame) -> RegionAnswer | None:
        """Return the answer of the region whose turn it is; None where nothing moves.

        Raises:
            BundleError: the model fails.
        """
        start_s = time.perf_counter()
        if self._state.background is None:  # a model that fails is found out at once, not when an animal comes
            self._classifier.logits_of_input(frame.fitted(self._classifier.input))
        luma = shrink_luma(frame.pixels.luma())
        self._state = advance(self._state, luma, frame.timestamp_s, self._settings)
        following = self._state.following
        alive = self.alive
        self._means = {number: mean for number, mean in self._means.items() if number in alive}
        region = choose(following)
        if region is None:
            return None
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
