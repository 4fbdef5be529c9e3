"""The built-in photographs as a camera that never ends: for the live page without a camera."""

import time
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from trailcam_core.images.decode import read_image
from trailcam_edge.sources.folder import demo_pictures
from trailcam_edge.sources.frame import Delivery, Frame
from trailcam_edge.sources.orientation import UNCHANGED, Orientation
from trailcam_edge.sources.pixels import PackedPixels

DEMO_LOOP = "demo:loop"
_RATE_HZ = 5.0
_FRAMES_PER_PICTURE = 5  # a second each: long enough for votes, and each animal comes back after its cool-down


class DemoLoopSource:
    """Shows each built-in picture for a second, in turn, without end; a frame that is not taken in time is dropped."""

    delivery: Delivery = "live"

    def __init__(self, orientation: Orientation | None = None) -> None:
        self._paths = demo_pictures()
        self._orientation = orientation or UNCHANGED

    def frames(self) -> Iterator[Frame]:
        """Yield five frames a second."""
        sequence = 0
        start_s = time.monotonic()
        while True:
            for path in self._paths:
                pixels = PackedPixels(read_image(path), "RGB", self._orientation)
                for _ in range(_FRAMES_PER_PICTURE):
                    time.sleep(max(0.0, start_s + sequence / _RATE_HZ - time.monotonic()))
                    yield Frame(pixels, time.monotonic(), sequence, path.name)
                    sequence += 1

    def __enter__(self) -> Self:
        """Nothing to take hold of."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to let go of."""
