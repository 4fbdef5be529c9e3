"""Small pictures of visits, made from the stored JPEG on request, a bounded number of them kept in memory.

Nothing is written: a card wears out. A thumbnail of a 1920x1080 picture is 320x180 and 5 to 12 kB; OpenCV decodes at a
quarter of the size, so it costs a fifth of decoding the picture whole. Browsers keep theirs for a day.
"""

import threading
import time
from collections import OrderedDict
from pathlib import Path

import cv2
import numpy as np

from trailcam_edge.store.disk.jpeg import jpeg_size, reduced_flag

WIDTH_PX = 320
VIEW_WIDTH_PX = 1280  # of the picture of one visit: 60 to 200 kB
_QUALITY = 65
_VIEW_QUALITY = 82
_MAX_CACHE_BYTES = 1_000_000
_MAX_FILE_BYTES = 20_000_000
_MAX_REST_S = 0.05
_MAX_PIXELS = 50_000_000


class Thumbnails:
    """Make and keep thumbnails; any thread may use it."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._making = threading.Lock()  # one at a time: the loop has the other cores
        self._kept: OrderedDict[Path, bytes] = OrderedDict()
        self._bytes = 0

    def thumbnail(self, path: Path) -> bytes | None:
        """Return the thumbnail of a picture as a JPEG, None if the picture is gone or cannot be decoded."""
        with self._guard:
            if path in self._kept:
                self._kept.move_to_end(path)
                return self._kept[path]
        with self._making:
            start_s = time.monotonic()
            made = shrink_picture(path, WIDTH_PX, _QUALITY)
            time.sleep(min(_MAX_REST_S, time.monotonic() - start_s))  # half of the time belongs to the loop
        if made is not None:
            self._keep(path, made)
        return made

    def view(self, path: Path) -> bytes | None:
        """Return a picture of at most ``VIEW_WIDTH_PX``, None as for ``thumbnail``; it is not kept."""
        with self._making:
            return shrink_picture(path, VIEW_WIDTH_PX, _VIEW_QUALITY)

    def _keep(self, path: Path, content: bytes) -> None:
        with self._guard:
            self._bytes += len(content) - len(self._kept.pop(path, b""))
            self._kept[path] = content
            while self._bytes > _MAX_CACHE_BYTES:
                self._bytes -= len(self._kept.popitem(last=False)[1])


def shrink_picture(path: Path, width_px: int, quality: int) -> bytes | None:
    """Return a JPEG of at most ``width_px`` pixels, None if the file is gone, too large, or not a JPEG."""
    try:
        if path.stat().st_size > _MAX_FILE_BYTES:
            return None
        content = np.fromfile(path, np.uint8)
    except OSError:
        return None
    size = jpeg_size(bytes(content[:65_536]))
    if size is None or size[0] * size[1] > _MAX_PIXELS:
        return None
    if size[0] <= width_px:
        return bytes(content)
    image = cv2.imdecode(content, reduced_flag(size[0], width_px))
    if image is None:
        return None
    if image.shape[1] > width_px:
        height = max(1, round(image.shape[0] * width_px / image.shape[1]))
        image = cv2.resize(image, (width_px, height), interpolation=cv2.INTER_AREA)
    done, small = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return bytes(small) if done else None
