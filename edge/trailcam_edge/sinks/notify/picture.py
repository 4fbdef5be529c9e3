"""Picture and clip of a message: small enough for a thin link."""

import logging
import threading
from dataclasses import dataclass, field
from pathlib import Path

from trailcam_edge.store.disk.jpeg import jpeg_size, reduced_flag

_log = logging.getLogger(__name__)
_one_at_a_time = threading.Lock()  # sections that send at the same moment would each hold a decoded picture


@dataclass(frozen=True)
class Attachments:
    """The files of a message: a JPEG, and an MP4; None if there is none."""

    picture: bytes | None = field(default=None, repr=False)
    clip: bytes | None = field(default=None, repr=False)


def small_picture(path: Path, longest_px: int, quality: int) -> bytes | None:
    """Return a picture as a JPEG whose longer side has at most ``longest_px`` pixels; None if it is gone or damaged.

    Args:
        path: of a JPEG.
        longest_px: 1 or more.
        quality: of the JPEG, 1 to 100.
    """
    import cv2
    import numpy as np

    try:
        content = path.read_bytes()
    except OSError:
        return None  # deleted meanwhile: the message is sent without it
    try:
        with _one_at_a_time:
            size_px = max(jpeg_size(content) or (0, 0))
            image = cv2.imdecode(np.frombuffer(content, np.uint8), reduced_flag(size_px, longest_px))
            if image is None:
                raise ValueError("not a picture")
            factor = longest_px / max(image.shape[:2])
            if factor < 1:
                size = (max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor)))
                image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
            return bytes(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1])
    except (cv2.error, ValueError) as error:
        _log.warning("%s: cannot be sent with a message (%s).", path, error)
        return None


def small_clip(path: Path, max_bytes: float) -> bytes | None:
    """Return the content of a clip; None if it is gone, or larger than ``max_bytes``."""
    try:
        size = path.stat().st_size
        if size <= max_bytes:
            return path.read_bytes()
    except OSError:
        return None  # deleted meanwhile: the message is sent without it
    _log.info("%s: %d bytes, more than clip_mb; the message is sent without it.", path, size)
    return None
