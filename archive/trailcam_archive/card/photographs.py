"""Classify the photographs of a sequence: crops of what moves between them, or the photographs as a whole."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from trailcam_archive.card.bursts import find_moving
from trailcam_archive.card.settings import CardSettings
from trailcam_archive.card.sightings import Sighting, outcome
from trailcam_core.classifier import Classification, Classifier
from trailcam_core.images.boxes import Box, square_crop
from trailcam_core.images.resize import Image, fit_image
from trailcam_edge.events import NOTHING, UNKNOWN
from trailcam_edge.regions import Following, MeanLogits, add_logits, follow, shrink_luma
from trailcam_edge.sources.pixels import PackedPixels

MAX_BURST = 8  # photographs in memory at a time; a longer sequence is cut
_WHOLE_LOOKS = 3  # photographs that are classified as a whole where nothing moves
_STORED_PX = 1920  # longer side of a picture in the store; the card keeps the original


@dataclass(frozen=True, eq=False)
class Photograph:
    """A decoded photograph: ``image`` is (H, W, 3) uint8 RGB, ``at_s`` seconds since the sequence began."""

    image: Image
    at_s: float
    source: str


@dataclass(frozen=True, eq=False)
class _Look:
    photograph: Photograph
    box: Box | None
    logits: npt.NDArray[np.float32]
    latency_ms: float


def classify_burst(burst: Sequence[Photograph], classifier: Classifier, settings: CardSettings) -> list[Sighting]:
    """Return what is seen in a few photographs of one sequence, in their order.

    Raises:
        BundleError: the model fails.
    """
    lumas = [shrink_luma(PackedPixels(each.image, "RGB").luma()) for each in burst]
    moving = find_moving(lumas, settings.motion)
    if not any(moving):
        looks = [_look(each, None, classifier, settings) for each in _spread(burst, _WHOLE_LOOKS)]
        return [_sighting(looks, burst, classifier, settings)]
    following = Following()
    regions: dict[int, list[_Look]] = {}
    for photograph, boxes in zip(burst, moving, strict=True):
        following, identifiers = follow(following, boxes, photograph.at_s, settings.motion)
        for identifier, box in zip(identifiers, boxes, strict=True):
            if identifier is not None:
                regions.setdefault(identifier, []).append(_look(photograph, box, classifier, settings))
    return [_sighting(looks, [look.photograph for look in looks], classifier, settings) for looks in regions.values()]


def stored_picture(image: Image) -> Image:
    """Return a picture for the store: its longer side has at most 1920 px, its proportions are kept."""
    height, width = image.shape[:2]
    scale = _STORED_PX / max(height, width)
    if scale >= 1:
        return image
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def _look(photograph: Photograph, box: Box | None, classifier: Classifier, settings: CardSettings) -> _Look:
    start_s = time.perf_counter()
    image = photograph.image
    if box is not None:
        crop = square_crop(box, image.shape[:2], settings.motion.crop_margin, settings.motion.min_crop_px)
        image = image[crop.top : crop.top + crop.height, crop.left : crop.left + crop.width]
    logits = classifier.logits_of_input(fit_image(image, classifier.input))
    return _Look(photograph, box, logits, 1e3 * (time.perf_counter() - start_s))


def _sighting(
    looks: Sequence[_Look], seen_in: Sequence[Photograph], classifier: Classifier, settings: CardSettings
) -> Sighting:
    """Return the label of the mean of several crops of one place, with the crop that shows it best.

    Args:
        looks: at least one.
        seen_in: the photographs that the label holds for, in order.
        classifier: answers.
        settings: of visits.
    """
    mean: MeanLogits | None = None
    for look in looks:
        mean = add_logits(mean, look.logits)
    assert mean is not None  # noqa: S101 - there is at least one look; for the type checker
    label = outcome(classifier.answer(mean.logits), settings.visits)
    best, confidence = _best(looks, label, classifier)
    return Sighting(
        label=label,
        confidence=confidence,
        started_s=seen_in[0].at_s,
        ended_s=seen_in[-1].at_s,
        source=best.photograph.source,
        latency_ms=sum(look.latency_ms for look in looks) / len(looks),
        photographs=frozenset(each.source for each in seen_in),
        picture=stored_picture(best.photograph.image),
        box=best.box,
        pictured_s=best.photograph.at_s,
    )


def _best(looks: Sequence[_Look], label: str, classifier: Classifier) -> tuple[_Look, float]:
    """Return the look with the highest probability of a label, and that probability; the largest one of an outcome."""
    answers = [classifier.answer(look.logits, len(classifier.output.labels)) for look in looks]
    if label in (NOTHING, UNKNOWN):
        areas = [0.0 if look.box is None else look.box.area for look in looks]
        number = areas.index(max(areas))
        return looks[number], answers[number].confidence
    scores = [_probability(answer, label) for answer in answers]
    number = scores.index(max(scores))
    return looks[number], scores[number]


def _probability(answer: Classification, label: str) -> float:
    """Return the probability of a label; that of the best candidate for an outcome such as "person"."""
    named = (candidate.probability for candidate in answer.top if candidate.label == label)
    return next(named, answer.confidence)


def _spread(burst: Sequence[Photograph], number: int) -> list[Photograph]:
    """Return at most ``number`` photographs, evenly over the burst."""
    if len(burst) <= number:
        return list(burst)
    return [burst[round(step * (len(burst) - 1) / (number - 1))] for step in range(number)]
