"""Views of a field camera, drawn anew for every step: photographs, cut-outs in scenes, empty scenes, decoys."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from trailcam_core.errors import DataError
from trailcam_core.field.cutouts import Cutout, cut_out
from trailcam_core.images.decode import read_image
from trailcam_core.images.resize import Image, fit_image
from trailcam_core.jobs.progress import Progress
from trailcam_core.spec import InputSpec
from trailcam_train.field.camera_look import draw_look, stems
from trailcam_train.field.compositing import Box, crop_square, decoy
from trailcam_train.field.prepare import make_crop
from trailcam_train.field.settings import FieldSettings

PARTS = {"photographs": 21, "crops": 8, "others": 7, "other crops": 4, "empties": 6, "decoys": 2}
BATCH = sum(PARTS.values())

_LONGER_SIDE_PX = 620  # of a picture in memory
_CLEAN, _INFRARED, _STEMS = 0.35, 0.34, 0.16  # shares of the looks of a photograph; the rest draws all of them
_CROP_AREA_MIN = 0.62
_EMPTY_SHARES = (0.12, 1.0)  # of the shorter side of a scene
_LEAST_CROP_PX = 48
_FROM_TEACHER = 0.45  # share of its answers in a target, where it is right

Floats = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Sources:
    """The pictures that views are drawn from: photographs with class ids, other animals, scenes; and cut-outs."""

    photographs: Sequence[tuple[Path, int]]
    others: Sequence[Path]
    scenes: Sequence[Path]
    cutouts: Sequence[tuple[Cutout, int]]
    other_cutouts: Sequence[Cutout]


def cut_animals(files: Sequence[Path], progress: Progress) -> list[tuple[Path, Cutout]]:
    """Return the animals that could be cut out of these photographs."""
    found = []
    for done, file in enumerate(files, start=1):
        cutout = cut_out(read_small(file))
        if cutout is not None:
            found.append((file, cutout))
        progress("cutting out", done, len(files))
    return found


def read_small(file: Path) -> Image:
    """Return a picture of at most 620 px a side, (H, W, 3) uint8 RGB."""
    image = read_image(file)
    factor = _LONGER_SIDE_PX / max(image.shape[:2])
    if factor >= 1:
        return image
    return np.asarray(cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8)


class Views:
    """Draws batches of ``BATCH`` views and their targets.

    Args:
        sources: see ``Sources``; every part needs at least one.
        labels: of the network, with the blank and the unknown label of ``settings``.
        answers: probabilities of the teacher, (K,), by photograph.
        spec: of the network's input.
        settings: of device crops and looks.
        seed: of all chance; the views of a step depend on it and on the number of the step alone.
    """

    def __init__(
        self,
        sources: Sources,
        labels: Sequence[str],
        answers: dict[Path, Floats],
        spec: InputSpec,
        settings: FieldSettings,
        seed: int,
    ) -> None:
        if not all((sources.photographs, sources.others, sources.scenes, sources.cutouts, sources.other_cutouts)):
            raise DataError("No photographs, other animals, scenes or cut-outs: expected at least one of each.")
        self._sources, self._answers, self._spec, self._settings = sources, answers, spec, settings
        self._count = len(labels)
        self._blank = list(labels).index(settings.blank_label)
        self._unknown = list(labels).index(settings.unknown_label)
        self._seed, self._rng = seed, np.random.default_rng(seed)
        self._pictures: dict[Path, Image] = {}

    def batch(self, step: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
        """Return the views of a step, (BATCH, height, width, 3) uint8, and targets, (BATCH, K) probabilities."""
        self._rng = np.random.default_rng([self._seed, step])
        drawn = [self._draw(part) for part, count in PARTS.items() for _ in range(count)]
        return np.stack([view for view, _ in drawn]), np.stack([target for _, target in drawn]).astype(np.float32)

    def _draw(self, part: str) -> tuple[Image, Floats]:
        sources = self._sources
        if part == "photographs":
            file, number = self._one(sources.photographs)
            return self._photograph(self._read(file)), self._target(number, self._answers.get(file))
        if part == "others":
            return self._photograph(self._read(self._one(sources.others))), self._target(self._unknown)
        if part == "crops":
            cutout, number = self._one(sources.cutouts)
            return self._crop(cutout), self._target(number)
        if part == "other crops":
            return self._crop(self._one(sources.other_cutouts)), self._target(self._unknown)
        if part == "empties":
            return self._empty(), self._target(self._blank)
        outline = self._one(sources.cutouts)[0].alpha
        return self._crop(decoy(outline, self._piece())), self._target(self._blank)

    def _target(self, number: int, answer: Floats | None = None) -> Floats:
        target = np.zeros(self._count)
        target[number] = 1
        if answer is None or answer.argmax() != number:
            return target
        return np.asarray((1 - _FROM_TEACHER) * target + _FROM_TEACHER * answer)

    def _photograph(self, image: Image) -> Image:
        """Return a photograph as a camera may give it; half of the time its look is drawn on its own pixels."""
        rng, look = self._rng, self._settings.look
        view = _part_of(image[:, ::-1] if rng.random() < 1 / 2 else image, rng)
        first = rng.random() < 1 / 2
        view = self._fit(view) if first else np.ascontiguousarray(view)
        chance = rng.random()
        if chance >= _CLEAN + _INFRARED + _STEMS:
            view = draw_look(view, look, rng)
        elif chance >= _CLEAN + _INFRARED:
            view = stems(view, float(rng.uniform(0.1, look.stems_share)), rng)
        elif chance >= _CLEAN:
            view = draw_look(view, replace(look, turn=0, stems=0, motion_blur=0, infrared=1), rng)
        return view if first else self._fit(view)

    def _crop(self, cutout: Cutout) -> Image:
        scene = self._read(self._one(self._sources.scenes))
        return self._fit(make_crop(cutout, scene, self._settings, self._rng))

    def _empty(self) -> Image:
        view = self._fit(self._piece() if self._rng.random() < 2 / 3 else self._read(self._one(self._sources.scenes)))
        return draw_look(view, self._settings.look, self._rng)

    def _piece(self) -> Image:
        """Return a square of a scene."""
        scene, rng = self._read(self._one(self._sources.scenes)), self._rng
        shorter = min(scene.shape[:2])
        side = min(max(float(np.exp(rng.uniform(*np.log(_EMPTY_SHARES)))) * shorter, _LEAST_CROP_PX), shorter)
        left, top = rng.uniform(0, scene.shape[1] - side), rng.uniform(0, scene.shape[0] - side)
        return crop_square(scene, Box(float(left), float(top), side, side))

    def _fit(self, image: Image) -> Image:
        return np.asarray(fit_image(np.ascontiguousarray(image), self._spec))

    def _read(self, file: Path) -> Image:
        if file not in self._pictures:
            self._pictures[file] = read_small(file)
        return self._pictures[file]

    def _one(self, items: Sequence[Any]) -> Any:
        return items[int(self._rng.integers(len(items)))]


def _part_of(image: Image, rng: np.random.Generator) -> Image:
    """Return 0.62 to 1 of the area of a picture, its proportions changed by at most 12 %."""
    height, width = image.shape[:2]
    side, stretch = float(rng.uniform(_CROP_AREA_MIN, 1)) ** 0.5, float(np.exp(rng.uniform(-0.12, 0.12)))
    tall, wide = min(height, int(height * side * stretch)), min(width, int(width * side / stretch))
    top, left = int(rng.integers(0, height - tall + 1)), int(rng.integers(0, width - wide + 1))
    return image[top : top + tall, left : left + wide]
