"""Compose the field sequence of ``trailcam demo``: a cow walks small through an empty meadow.

    python tools/compose_demo_sequence.py [OUT]

Both photographs are demo photographs. The outline was traced by hand, path and size were fixed beforehand, and no model
is asked. The cow glides: its legs do not move. Exposure drift and sensor noise come from a seeded generator.
"""

import argparse
import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

DEMO = Path(__file__).parents[1] / "edge/trailcam_edge/data/demo"
NAME = "walk.mp4"
SCENE, ANIMAL, LABEL = "empty_meadow_autumn.webp", "cow_1.webp", "cow"
SIZE_PX = (640, 360)  # width, height
RATE_HZ = 5.0
FRAMES = 60
FIRST, LAST = 8, 51  # frames with any part of the cow
HEIGHT_PX = 62  # of the cow: a sixth of the picture
SEED = 15

_GROUND_PX = (292, 322)  # where the hoofs are, on the right and on the left: it comes closer by a little
_BOB_PX, _STEP_FRAMES = 1.0, 4.0
_BRIGHTNESS = 0.8  # sunlight in one photograph, clouds in the other
_SHADOW = 0.35
_NOISE_LEVELS, _DRIFT = 1.5, 0.015
_BGR = npt.NDArray[np.uint8]
_Array = npt.NDArray[np.float32]

# Clockwise from the muzzle, in thousandths of the photograph's width and height.
_OUTLINE = (
    (228, 572), (235, 553), (246, 528), (254, 493), (258, 469), (252, 458), (252, 441), (267, 438), (274, 440),
    (279, 416), (292, 404), (306, 407), (313, 425), (327, 431), (343, 432), (352, 434), (366, 424), (386, 415),
    (414, 402), (448, 390), (490, 385), (542, 386), (625, 392), (688, 394), (750, 390), (812, 386), (854, 383),
    (875, 392), (891, 413), (898, 458), (902, 555), (904, 667), (904, 722), (905, 777), (903, 833), (904, 878),
    (894, 891), (876, 889), (875, 861), (880, 805), (873, 750), (860, 715), (846, 683), (836, 672), (831, 694),
    (830, 750), (812, 794), (797, 819), (783, 850), (769, 880), (752, 893), (737, 889), (741, 871), (758, 841),
    (774, 805), (779, 764), (773, 722), (769, 694), (755, 700), (734, 692), (723, 681), (688, 692), (646, 701),
    (604, 697), (562, 685), (531, 671), (524, 681), (521, 736), (523, 792), (521, 847), (524, 883), (517, 897),
    (498, 901), (489, 892), (498, 868), (502, 833), (496, 792), (489, 757), (485, 722), (483, 757), (475, 792),
    (471, 833), (467, 872), (454, 890), (437, 892), (433, 880), (446, 861), (451, 819), (450, 778), (451, 736),
    (450, 710), (427, 708), (404, 694), (387, 674), (375, 639), (367, 611), (357, 590), (349, 562), (335, 570),
    (312, 583), (286, 597), (269, 608), (253, 619), (237, 611), (229, 594),
)  # fmt: skip


def main() -> int:
    """Write the sequence and the JSON beside it; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("out", type=Path, nargs="?", default=DEMO, metavar="OUT", help="folder to write to")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(out / NAME), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"mp4v"), RATE_HZ, SIZE_PX)
    for frame in compose():
        writer.write(frame)
    writer.release()
    facts = json.dumps(describe(), indent=1, ensure_ascii=False)
    (out / "walk.json").write_text(facts + "\n", encoding="utf-8")
    print(f"{FRAMES} frames, {(out / NAME).stat().st_size} bytes: {out / NAME}")
    return 0


def compose() -> Iterator[_BGR]:
    """Yield the frames, (360, 640, 3) uint8 BGR; the same ones each time."""
    generator = np.random.default_rng(SEED)
    width, height = SIZE_PX
    scene = _read(DEMO / SCENE)[-height:, :width].astype(np.float32)
    cut, mask = cut_out(_read(DEMO / ANIMAL), HEIGHT_PX)
    for number in range(FRAMES):
        frame = scene.copy()
        if FIRST <= number <= LAST:
            progress = (number - FIRST + 0.5) / (LAST - FIRST + 1)
            left_px = width - progress * (width + mask.shape[1])
            ground_px = _GROUND_PX[0] + progress * (_GROUND_PX[1] - _GROUND_PX[0])
            bob_px = _BOB_PX * math.sin(2 * math.pi * number / _STEP_FRAMES)
            _paste(frame, cut, mask, left_px, ground_px + bob_px - mask.shape[0])
        frame *= 1 + _DRIFT * math.sin(2 * math.pi * number / FRAMES)
        frame += generator.normal(0.0, _NOISE_LEVELS, frame.shape)
        yield np.clip(np.rint(frame), 0, 255).astype(np.uint8)


def cut_out(photograph: _BGR, height_px: int) -> tuple[_Array, _Array]:
    """Return the animal at ``height_px``: (H, W, 3) float32 BGR, and its (H, W, 1) opacity from 0 to 1."""
    rows, columns = photograph.shape[:2]
    outline = np.array(_OUTLINE) * (columns, rows) / 1000
    left, top = np.floor(outline.min(axis=0)).astype(int)
    right, bottom = np.ceil(outline.max(axis=0)).astype(int)
    inside = np.zeros((rows, columns), np.uint8)
    cv2.fillPoly(inside, [np.rint(outline).astype(np.int32)], 255)
    inside = np.asarray(cv2.erode(inside, np.ones((3, 3), np.uint8)), np.uint8)  # the rim is grass
    scale = height_px / (bottom - top)
    size = (round((right - left) * scale), height_px)
    small = cv2.resize(photograph[top:bottom, left:right], size, interpolation=cv2.INTER_AREA)
    mask = cv2.resize(inside[top:bottom, left:right], size, interpolation=cv2.INTER_AREA)
    opacity = np.asarray(mask, np.float32) / np.float32(255)
    return np.asarray(small, np.float32) * np.float32(_BRIGHTNESS), opacity[..., None]


def _read(path: Path) -> _BGR:
    image = cv2.imread(str(path))
    if image is None:
        sys.exit(f"{path}: cannot be read as a picture.")
    return np.asarray(image, np.uint8)


def _paste(frame: _Array, cut: _Array, mask: _Array, left_px: float, top_px: float) -> None:
    """Draw the animal and a soft shadow into ``frame`` at a position between pixels."""
    height, width = frame.shape[:2]
    shift = np.array([[1, 0, left_px], [0, 1, top_px]], np.float32)
    opacity = cv2.warpAffine(mask, shift, (width, height))[..., None]
    colour = cv2.warpAffine(cut, shift, (width, height))
    shadow = np.zeros((height, width), np.float32)
    centre = (round(left_px + 0.55 * mask.shape[1]), round(top_px + mask.shape[0]))
    cv2.ellipse(shadow, centre, (round(0.4 * mask.shape[1]), 4), 0, 0, 360, (_SHADOW,), -1)
    frame *= 1 - cv2.GaussianBlur(shadow, (0, 0), 3)[..., None]
    frame += opacity * (colour - frame)


def describe() -> dict[str, Any]:
    """Return what the sequence shows, frame by frame, and whose photographs are in it."""
    entries = json.loads((DEMO / "frames.json").read_text(encoding="utf-8"))
    used = [entry for name in (SCENE, ANIMAL) for entry in entries if entry["file"] == name]
    return {
        "file": NAME,
        "shows": "a cow walks through a meadow",
        "note": "a cow on open grass is an easy case",
        "expected": LABEL,
        "frames": FRAMES,
        "rate_hz": RATE_HZ,
        "size_px": SIZE_PX,
        "animal_frames": [FIRST, LAST],
        "animal_height_px": HEIGHT_PX,
        "made_by": "tools/compose_demo_sequence.py",
        "licence": "CC-BY-4.0",
        "licence_url": next(entry["licence_url"] for entry in used if entry["licence"] == "CC-BY-4.0"),
        "changes": "cow cut out, made smaller and darker, moved over the scene; shadow, noise and exposure drift added",
        "photographs": used,
    }


if __name__ == "__main__":
    sys.exit(main())
