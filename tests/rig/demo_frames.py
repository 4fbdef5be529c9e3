"""The demonstration frames of the product as JPEG, numbered, with the label that each must get."""

import json
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from roots import CHECKOUT

_FOLDER = CHECKOUT / "edge/trailcam_edge/data/demo"
_QUALITY = 95


def write_jpegs(folder: Path) -> list[str | None]:
    """Write 0.jpg, 1.jpg, ... and nothing else; return the expected labels, None where there is no animal."""
    folder.mkdir(parents=True, exist_ok=True)
    records = json.loads((_FOLDER / "frames.json").read_text(encoding="utf-8"))
    for number, record in enumerate(records):
        (folder / f"{number}.jpg").write_bytes(jpeg(cv2.imread(str(_FOLDER / record["file"]))))
    return [record["expected"] for record in records]


def jpeg(bgr: npt.NDArray[np.uint8]) -> bytes:
    """Return a BGR picture as the bytes of a JPEG."""
    _, encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return encoded.tobytes()
