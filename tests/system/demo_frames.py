"""Demonstration photographs of the product as JPEG, numbered, with the label that each must get.

The system tests check the way from a camera to an answer, not the model. So they show the photographs that the built-in
bundle answers right on this machine, with a margin; ``trailcam demo`` shows the others too, and counts its mistakes.
"""

import json
from itertools import zip_longest
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from roots import CHECKOUT

from trailcam_core.bundle.folder import open_bundle
from trailcam_core.classifier import BUILTIN_BUNDLE, Classifier

_FOLDER = CHECKOUT / "edge/trailcam_edge/data/demo"
_QUALITY = 95
_SIZE_PX = (640, 480)  # all alike, as a camera gives them; the built-in bundle stretches a picture anyway
_SURE, _UNSURE = 0.9, 0.7  # probability from which an animal, and of any animal up to which "unknown", stays right
_ANIMALS, _UNKNOWN = 8, 8  # labels, and pictures of none, below which a test would prove little
_EMPTY_FRAMES, _STEPS = 15, 8  # of a picture that crosses the scene


def write_jpegs(folder: Path) -> list[str | None]:
    """Write 0.jpg, 1.jpg, ... and nothing else; return the expected labels, None where "unknown" is right.

    Animals and others take turns, so that a camera to which they are shown has a visit to store every few seconds.
    """
    folder.mkdir(parents=True, exist_ok=True)
    classifier = Classifier.open(num_threads=1)
    output = open_bundle(BUILTIN_BUNDLE).manifest.output
    silent = {*output.blank_labels, *output.unknown_labels}
    animals: list[tuple[str | None, Path]] = []
    others: list[tuple[str | None, Path]] = []
    for record in json.loads((_FOLDER / "frames.json").read_text(encoding="utf-8")):
        picture = cv2.resize(cv2.imread(str(_FOLDER / record["file"])), _SIZE_PX, interpolation=cv2.INTER_AREA)
        path = folder / f"{Path(record['file']).stem}.candidate.jpg"
        path.write_bytes(jpeg(np.asarray(picture, np.uint8)))
        answer = classifier.classify_file(path)
        label = record["expected"]
        named = max(each.probability for each in answer.top if each.label not in silent)
        sure = named < _UNSURE if label is None else named > _SURE
        if answer.label == label and sure:
            (others if label is None else animals).append((label, path))
        else:
            path.unlink()
    if len({label for label, _ in animals}) < _ANIMALS or len(others) < _UNKNOWN:
        raise ValueError(f"the built-in bundle is sure of {len(animals)} animals and {len(others)} others only")
    chosen = [shown for pair in zip_longest(animals, others[: len(animals)]) for shown in pair if shown is not None]
    for number, (_, path) in enumerate(chosen):
        path.rename(folder / f"{number}.jpg")
    for path in folder.glob("*.candidate.jpg"):
        path.unlink()
    return [label for label, _ in chosen]


def jpeg(bgr: npt.NDArray[np.uint8]) -> bytes:
    """Return a BGR picture as the bytes of a JPEG."""
    _, encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return encoded.tobytes()


def walking(pictures: list[bytes]) -> list[bytes]:
    """Return frames of 1280x960 px, to be shown at 5 a second, in which each picture crosses an empty scene.

    A camera classifies what moves, so a picture that only appears is a change of the whole scene.
    """
    scene = np.random.default_rng(0).integers(105, 120, (960, 1280, 3)).astype(np.uint8)
    empty = jpeg(scene)
    found: list[bytes] = []
    for picture in pictures:
        image = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR)
        found += [empty] * _EMPTY_FRAMES
        for left in np.linspace(40, 600, _STEPS).astype(int):
            frame = scene.copy()
            frame[240:720, left : left + 640] = image
            found.append(jpeg(frame))
    return found
