"""Generate a clip: frames of a scene through which animals walk, and where they truly are.

scene -> stems -> sway -> shadow -> animal behind the stems -> light -> infrared -> shake -> noise
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from trailcam_benchmarks.field.generator.clip_settings import LUMA_WIDTH_PX, ClipSettings
from trailcam_benchmarks.field.generator.light import Light, Noise, cast_shadow, to_infrared
from trailcam_benchmarks.field.generator.movement import Path, Sway, remap, shake
from trailcam_benchmarks.field.types import CutOut, Image, Levels
from trailcam_core.images.boxes import Box

_MAX_WIDTH = 0.9  # of the frame, for an animal that is longer than high
_MIN_VISIBLE = 0.1  # of the animal: less is no animal in the picture
_STEM_WIDTH = 0.09  # of the animal's width
_SECOND_DELAY = 0.2  # of the time, that the second animal comes later


@dataclass(frozen=True)
class TrueAnimal:
    """An animal in a frame: the box of what is inside of the frame, and which fraction of the animal that is."""

    number: int
    label: str
    box: Box
    visible_fraction: float


@dataclass(frozen=True, eq=False)
class ClipFrame:
    """One frame: ``image`` is (H, W, 3) uint8 RGB."""

    number: int
    time_s: float
    image: Image
    animals: tuple[TrueAnimal, ...]

    def small(self, size_px: tuple[int, int] = (640, 480)) -> Image:
        """Return the small stream, which a camera squeezes to its own proportions."""
        return np.asarray(cv2.resize(self.image, size_px, interpolation=cv2.INTER_AREA), np.uint8)

    def luma(self, width_px: int = LUMA_WIDTH_PX) -> Image:
        """Return (H, W) uint8 brightness, ``width_px`` wide."""
        height_px = round(self.image.shape[0] * width_px / self.image.shape[1])
        small = cv2.resize(self.image, (width_px, height_px), interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8)


def generate(scene: Image, cut_outs: Sequence[CutOut], settings: ClipSettings, seed: int) -> Iterator[ClipFrame]:
    """Yield the frames of a clip in order.

    Args:
        scene: (H, W, 3) uint8 RGB without an animal; it is resized to the clip's size.
        cut_outs: one for each animal of the settings.
        settings: what happens.
        seed: of everything that is drawn.
    """
    if len(cut_outs) < settings.animals:
        raise ValueError(f"expected {settings.animals} cut-outs, got {len(cut_outs)}")
    random = np.random.default_rng(seed)
    size_px = settings.frame_size_px
    unit_px = size_px[0] / LUMA_WIDTH_PX
    picture = np.asarray(cv2.resize(scene, size_px, interpolation=cv2.INTER_AREA), np.uint8)
    sway = Sway(settings.sway_px * unit_px, size_px, random)
    light = Light(settings, random)
    offsets_px = shake(settings.frames, settings.shake_px * unit_px, random)
    lamp = to_infrared(size_px, random.uniform(0.4, 1.0)) if settings.infrared else None
    noise = Noise(settings.noise * (2.5 if settings.infrared else 1.0), size_px, random)
    walkers = [_Walker(cut_outs[number], number, settings, random) for number in range(settings.animals)]
    stems = _draw_stems(settings, walkers[0].width_px if walkers else size_px[0] * 0.2, random)
    side = 1 if random.random() < 0.5 else -1
    if stems is not None:
        picture = _lay_over(picture, stems)
    for number in range(settings.frames):
        time_s = number / settings.rate_hz
        maps = sway.maps(time_s)
        frame = remap(picture, maps)
        animals = []
        for walker in walkers:
            frame, animal = walker.draw(frame, time_s, settings.shadow, side)
            animals += [animal] if animal else []
        if stems is not None and animals:
            frame = _lay_over(frame, remap(stems, maps))
        frame = _develop(frame, light.factor(time_s), lamp)
        if settings.shake_px:
            moved = np.array([[1, 0, offsets_px[number, 0]], [0, 1, offsets_px[number, 1]]], np.float32)
            frame = np.asarray(cv2.warpAffine(frame, moved, size_px, borderMode=cv2.BORDER_REFLECT), np.uint8)
        yield ClipFrame(number, time_s, noise.add(frame), tuple(animals))


class _Walker:
    """One animal of a clip, at its size, on its way."""

    def __init__(self, cut_out: CutOut, number: int, settings: ClipSettings, random: np.random.Generator) -> None:
        width, height = settings.frame_size_px
        high, wide = cut_out.rgba.shape[:2]
        scale = min(settings.size * height / high, _MAX_WIDTH * width / wide)
        size_px = (max(2, round(wide * scale)), max(2, round(high * scale)))
        way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        rgba = cv2.resize(cut_out.rgba, size_px, interpolation=way)
        self._alpha = rgba[..., 3:].astype(np.float32) / 255
        self._colours = rgba[..., :3].astype(np.float32)
        self._label, self._number = cut_out.label, number
        self._frame_px = (width, height)
        self.width_px, self._height_px = size_px
        begins_s = 0.0 if settings.starts_inside and number == 0 else settings.empty_s
        begins_s += number * _SECOND_DELAY * settings.walk_s
        span_s = (begins_s, settings.empty_s + settings.walk_s)
        fractions = (size_px[0] / width, size_px[1] / height)
        self._path = Path.draw(fractions, span_s, settings.starts_inside and number == 0, random)

    def draw(self, frame: Image, time_s: float, shadow: float, side: int) -> tuple[Image, TrueAnimal | None]:
        """Return the frame with the animal, and where it is; None outside of the frame."""
        place = self._path.place(time_s)
        if place is None:
            return frame, None
        width, height = self._frame_px
        left, top = round(place[0] * width), round(place[1] * height)
        inside_x = (max(0, left), min(width, left + self.width_px))
        inside_y = (max(0, top), min(height, top + self._height_px))
        if inside_x[0] >= inside_x[1] or inside_y[0] >= inside_y[1]:
            return frame, None
        rows, columns = slice(*inside_y), slice(*inside_x)
        own = (slice(inside_y[0] - top, inside_y[1] - top), slice(inside_x[0] - left, inside_x[1] - left))
        if shadow:
            frame = cast_shadow(frame, (left, top, self.width_px, self._height_px), shadow, side)
        frame = frame.copy()
        alpha = self._alpha[own]
        frame[rows, columns] = frame[rows, columns] * (1 - alpha) + self._colours[own] * alpha
        visible = float(alpha.sum() / max(self._alpha.sum(), 1e-6))
        x, y, wide, high = cv2.boundingRect((alpha[..., 0] > 0.5).astype(np.uint8))
        if visible < _MIN_VISIBLE or not wide:
            return frame, None
        box = Box((inside_x[0] + x) / width, (inside_y[0] + y) / height, wide / width, high / height)
        return frame, TrueAnimal(self._number, self._label, box, visible)


def _develop(frame: Image, factor: float, lamp: Levels | None) -> Image:
    """Return the frame in its light, under a lamp without colours."""
    if lamp is None:
        return np.asarray(cv2.convertScaleAbs(frame, alpha=factor), np.uint8)
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float32)
    middle = float(grey.mean())
    levels = np.clip((middle + (grey - middle) * lamp.max()) * (lamp / lamp.max()) * factor, 0, 255)
    return np.asarray(cv2.cvtColor(levels.astype(np.uint8), cv2.COLOR_GRAY2RGB), np.uint8)


def _draw_stems(settings: ClipSettings, width_px: float, random: np.random.Generator) -> Image | None:
    """Return (H, W, 4) stems that hide the fraction ``stems`` of what is behind, or None."""
    if not settings.stems:
        return None
    width, height = settings.frame_size_px
    stem_px = max(2, round(_STEM_WIDTH * width_px))
    layer = np.zeros((height, width, 4), np.uint8)
    step_px = stem_px / settings.stems
    for centre in np.arange(random.uniform(0, step_px), width, step_px):
        colour = (*(int(level) for level in random.uniform((45, 40, 25), (95, 85, 60))), 255)
        foot = round(centre + random.normal(0, stem_px))
        cv2.line(layer, (round(centre), 0), (foot, height - 1), colour, stem_px)
    return layer


def _lay_over(image: Image, layer: Image) -> Image:
    alpha = layer[..., 3:].astype(np.float32) / 255
    return (image * (1 - alpha) + layer[..., :3] * alpha).astype(np.uint8)
