"""Pictures from disk to batches of inputs, through the device's own preprocessing.

Only a few batches are in memory at a time, however large the split is.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt

from trailcam_core.images.decode import read_image
from trailcam_core.images.resize import Image, fit_image
from trailcam_core.jobs.cores import usable_cores
from trailcam_core.spec import InputSpec

Images = npt.NDArray[np.uint8]  # (N, H, W, 3) RGB
Logits = npt.NDArray[np.float32]  # (N, K)

BATCH = 32  # pictures at a time: enough to keep the cores busy, 9 MB at 299 px


def fit_file(path: Path, spec: InputSpec) -> Image:
    """Read a picture file as the device does: (spec.height, spec.width, 3) uint8 RGB.

    Raises:
        SourceError: it cannot be read as a picture.
    """
    return fit_image(read_image(path, spec), spec)


def stream_batches(paths: Sequence[Path], spec: InputSpec) -> Iterator[Images]:
    """Yield the pictures in order, ``BATCH`` at a time, reading the next batch while the caller works on this one.

    Raises:
        SourceError: a picture cannot be read.
    """
    with ThreadPoolExecutor(usable_cores()) as pool:
        ahead = [pool.submit(fit_file, path, spec) for path in paths[:BATCH]]
        for start in range(BATCH, len(paths) + BATCH, BATCH):
            current = ahead
            ahead = [pool.submit(fit_file, path, spec) for path in paths[start : start + BATCH]]
            yield np.stack([reading.result() for reading in current])
