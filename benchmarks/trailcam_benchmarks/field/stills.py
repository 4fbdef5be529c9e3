"""Single pictures in which every name is wrong: empty scenes, whole and as crops, and other animals as device crops."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from trailcam_benchmarks.field.types import CutOut, Image
from trailcam_core.classifier import Classifier
from trailcam_core.images.boxes import Box, square_crop

EMPTY_WHOLE, EMPTY_CROPS, OTHER_CROPS = "empty scenes: whole", "empty scenes: crops", "other animals: pasted crops"
_CROPS = 8  # of each empty scene
_CROP_SIDES = (0.15, 0.9)  # of the height
_SIZES = (0.5, 0.25, 0.12)  # of the height, of another animal
_JITTER = 0.1  # of the longer side, by which a region is off its animal
_MARGIN, _MIN_CROP_PX = 1.3, 160  # of the camera's own crops
_MAX_WIDTH = 0.9  # of the frame


@dataclass(frozen=True)
class StillResult:
    """One picture: its kind, the scene, and whether it was named."""

    kind: str
    scene: str
    is_named: bool


def measure_empty(classifier: Classifier, scene: tuple[str, Image], seed: int) -> Iterator[StillResult]:
    """Yield the results of a scene without an animal, whole and as crops.

    Args:
        classifier: answers.
        scene: name and (H, W, 3) uint8 RGB.
        seed: of the crops.
    """
    name, picture = scene
    yield StillResult(EMPTY_WHOLE, name, classifier.classify(picture).label is not None)
    random = np.random.default_rng(seed)
    height, width = picture.shape[:2]
    for _ in range(_CROPS):
        side = min(round(float(np.exp(random.uniform(*np.log(_CROP_SIDES)))) * height), height, width)
        top, left = int(random.integers(height - side + 1)), int(random.integers(width - side + 1))
        crop = np.ascontiguousarray(picture[top : top + side, left : left + side])
        yield StillResult(EMPTY_CROPS, name, classifier.classify(crop).label is not None)


def measure_others(
    classifier: Classifier, scenes: Sequence[tuple[str, Image]], others: Sequence[CutOut], seed: int
) -> Iterator[StillResult]:
    """Yield the results of other animals, each pasted at three sizes and cropped as the camera crops.

    Args:
        classifier: answers.
        scenes: names and (H, W, 3) uint8 RGB, at least one; they take turns.
        others: animals that are none of the labels.
        seed: of the places.
    """
    for number, other in enumerate(others):
        random = np.random.default_rng((seed, number))
        name, picture = scenes[number % len(scenes)]
        for size in _SIZES:
            crop = _crop_of(picture, other, size, random)
            yield StillResult(OTHER_CROPS, name, classifier.classify(crop).label is not None)


def _crop_of(picture: Image, animal: CutOut, size: float, random: np.random.Generator) -> Image:
    height, width = picture.shape[:2]
    high, wide = animal.rgba.shape[:2]
    scale = min(size * height / high, _MAX_WIDTH * width / wide)
    size_px = max(2, round(wide * scale)), max(2, round(high * scale))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    rgba = np.asarray(cv2.resize(animal.rgba, size_px, interpolation=way), np.float32)
    left, top = int(random.integers(width - size_px[0] + 1)), int(random.integers(height - size_px[1] + 1))
    frame, alpha = picture.copy(), rgba[..., 3:] / 255
    part = frame[top : top + size_px[1], left : left + size_px[0]]
    part[:] = part * (1 - alpha) + rgba[..., :3] * alpha
    x_px, y_px = random.uniform(-_JITTER, _JITTER, 2) * max(size_px)
    box = Box((left + x_px) / width, (top + y_px) / height, size_px[0] / width, size_px[1] / height)
    crop = square_crop(box, (height, width), _MARGIN, _MIN_CROP_PX)
    return np.ascontiguousarray(frame[crop.top : crop.top + crop.height, crop.left : crop.left + crop.width])
