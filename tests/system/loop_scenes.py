"""Days of a camera, composed: photographs of animals cross camera-trap scenes, one after the other, in a dated clip.

The photographs are not a part of the project, and nothing of them is kept: the clips lie in the scratch folder of the
test.
"""

import random
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import cv2
import numpy as np

RATE_HZ = 5.0
SIZE_PX = (640, 480)
_EMPTY_FRAMES, _STEPS = 14, 11
_QUIET_FRAMES = 500  # after the last animal: 100 s, in which a camera draws a moment of 1,000 a day
_ANIMAL_PX = 230  # longer side of a photograph in the scene
_MAC_EPOCH_S = 2_082_844_800  # from 1904, as in the header of a movie, to 1970


@dataclass(frozen=True)
class Passage:
    """An animal that crosses the scene; seconds in the clip."""

    kind: str
    start_s: float
    end_s: float


Day = tuple[datetime, list[Passage]]  # when its clip began, and what is shown in it


def compose_day(
    path: Path, animals: Sequence[tuple[str, Path]], scene: Path, began: datetime, seed: int
) -> list[Passage]:
    """Write a clip in which animals cross a scene in random order, and then none; return what was shown when.

    Args:
        path: an .mp4 file.
        animals: kind and photograph of each.
        scene: the background, a picture without an animal.
        began: when the clip began, as its header states it.
        seed: of order and paths.
    """
    chance = random.Random(seed)
    order = list(animals)
    chance.shuffle(order)
    background = cv2.resize(cv2.imread(str(scene)), SIZE_PX, interpolation=cv2.INTER_AREA)
    noise = np.random.default_rng(seed)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), RATE_HZ, SIZE_PX)
    passages: list[Passage] = []
    frames = 0
    for kind, photo in order:
        for _ in range(_EMPTY_FRAMES):
            writer.write(_grained(background, noise))
        frames += _EMPTY_FRAMES
        animal = _fitted(cv2.imread(str(photo)))
        top = chance.randint(10, SIZE_PX[1] - animal.shape[0] - 10)
        way = np.linspace(5, SIZE_PX[0] - animal.shape[1] - 5, _STEPS).astype(int)
        for left in way if chance.random() < 0.5 else way[::-1]:
            frame = background.copy()
            frame[top : top + animal.shape[0], left : left + animal.shape[1]] = animal
            writer.write(_grained(frame, noise))
        passages.append(Passage(kind, frames / RATE_HZ, (frames + _STEPS) / RATE_HZ))
        frames += _STEPS
    for _ in range(_QUIET_FRAMES):
        writer.write(_grained(background, noise))
    writer.release()
    _date(path, began)
    return passages


def _fitted(
    image: "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]",
) -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
    factor = _ANIMAL_PX / max(image.shape[:2])
    size = (round(image.shape[1] * factor), round(image.shape[0] * factor))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def _grained(
    frame: "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]", noise: np.random.Generator
) -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
    """Return a frame with the noise of a sensor."""
    grain = noise.integers(-2, 3, frame.shape, dtype=np.int16)
    return np.clip(frame + grain, 0, 255).astype(np.uint8)


def _date(path: Path, began: datetime) -> None:
    """Write into the header of a movie when it began."""
    content = bytearray(path.read_bytes())
    at = content.rindex(b"mvhd") + 4
    if content[at]:
        raise ValueError(f"{path}: a header of version {content[at]}, expected 0")
    struct.pack_into(">I", content, at + 4, int(began.timestamp()) + _MAC_EPOCH_S)
    path.write_bytes(content)
