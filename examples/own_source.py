"""Watch another kind of frame source, here a NumPy file: ``python examples/own_source.py frames.npy``."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from trailcam import Classifier
from trailcam_edge.events import Visit
from trailcam_edge.recognition.loop import watch
from trailcam_edge.sources import Delivery, Frame
from trailcam_edge.sources.pixels import PackedPixels


class ArraySource:
    """Deliver the (N, H, W, 3) uint8 RGB array of a ``.npy`` file as a recording of ``rate_hz``."""

    delivery: Delivery = "recording"  # "live" if frames do not wait, so that only the newest one counts

    def __init__(self, path: Path, rate_hz: float = 5.0) -> None:
        self._array = np.load(path, mmap_mode="r")
        self._rate_hz = rate_hz

    def frames(self) -> Iterator[Frame]:
        """Yield the frames with the timestamps of the recording."""
        started_s = time.monotonic()
        for number, picture in enumerate(self._array):
            pixels = PackedPixels(np.array(picture), "RGB")
            yield Frame(pixels, started_s + number / self._rate_hz, number, f"frame {number}")

    def __enter__(self) -> Self:
        """Open the camera here, if there is one."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Release the camera here, if there is one."""


def main(path: Path) -> int:
    """Print each visit when it ends."""
    for event in watch(lambda: ArraySource(path), Classifier.open()):
        if isinstance(event, Visit):
            print(f"visit: {event.label} {event.confidence:.0%}, {event.frames} frames")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
