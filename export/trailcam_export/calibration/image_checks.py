"""Is a picture fit to set the ranges of a model, and does a set of pictures hold one that must not be in it?

A popular exporter calibrates on black images, prints success, and gives a model at the level of chance. Noise does the
same more quietly: it drives every layer to values that no photograph reaches. Both are told from photographs by simple
statistics of the pixels.
"""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from trailcam_core.images.resize import Image

__all__ = ["NEAR_BITS", "Hashes", "nearest", "picture_hash", "stack_hashes", "unfit_reason", "unfit_set_reason"]

Hashes = npt.NDArray[np.bool_]  # (N, 128)

# Of 7,171 photographs of Animals-10 at 224 px, see docs/calibration.md.
_DARKEST_LEVEL = 16  # no pixel above it: a covered lens or a dead sensor
_LEAST_DEVIATION = 4.0  # levels: a picture of one colour
_LEAST_CORRELATION = 0.3  # of neighbouring pixels; photographs reach 0.9, pure noise 0.0
_LEAST_SET_RANGE = 128  # levels between the darkest and the brightest of a whole set

_SIDE = 8
NEAR_BITS = 8  # of 128: a third of Animals-10 training pictures come within 11 bits of a test picture, none closer


def unfit_reason(image: Image) -> str | None:
    """Return why an (H, W, 3) uint8 RGB picture cannot calibrate, None where it can."""
    highest = int(image.max())
    if highest <= _DARKEST_LEVEL:
        return f"black: no level above {highest} of 255"
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    deviation = float(max(image[..., channel].std() for channel in range(3)))
    if deviation < _LEAST_DEVIATION:
        return f"one flat colour: its levels deviate by {deviation:.1f}"
    correlation = min(_correlation(grey[:, 1:], grey[:, :-1]), _correlation(grey[1:], grey[:-1]))
    if correlation < _LEAST_CORRELATION:
        return f"noise: neighbouring pixels correlate by {correlation:.2f}, in photographs by 0.9"
    return None


def unfit_set_reason(lowest: int, highest: int) -> str | None:
    """Return why pictures that reach from level ``lowest`` to ``highest`` cannot calibrate, None where they can."""
    if highest - lowest >= _LEAST_SET_RANGE:
        return None
    return (
        f"wrong range: all pictures together reach only from level {lowest} to {highest} of 0 to 255, as when they "
        "were scaled before they were saved"
    )


def picture_hash(image: Image) -> npt.NDArray[np.bool_]:
    """Return the (128,) difference hash of an (H, W, 3) uint8 RGB picture: is each of 8x8 cells brighter than the next.

    Copies of a picture that were resized, recompressed or slightly recoloured differ in a few bits.

    Source: N. Krawetz, "Kind of Like That", 2013 (dHash), in both directions.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    across = cv2.resize(grey, (_SIDE + 1, _SIDE), interpolation=cv2.INTER_AREA)
    down = cv2.resize(grey, (_SIDE, _SIDE + 1), interpolation=cv2.INTER_AREA)
    return np.concatenate([(across[:, 1:] > across[:, :-1]).ravel(), (down[1:] > down[:-1]).ravel()])


def nearest(one: npt.NDArray[np.bool_], others: Hashes) -> tuple[int, int]:
    """Return the place of the hash in ``others``, at least one, that is nearest to ``one``, and in how many bits."""
    bits = (others ^ one).sum(axis=1)
    place = int(bits.argmin())
    return place, int(bits[place])


def _correlation(first: npt.NDArray[np.float32], second: npt.NDArray[np.float32]) -> float:
    first, second = first - first.mean(), second - second.mean()
    scale = float(np.sqrt((first * first).sum() * (second * second).sum()))
    return float((first * second).sum()) / scale if scale > 0 else 1.0


def stack_hashes(hashes: Sequence[npt.NDArray[np.bool_]]) -> Hashes:
    """Return (N, 128) hashes of N single ones, also for N = 0."""
    return np.stack(hashes) if hashes else np.zeros((0, 2 * _SIDE * _SIDE), np.bool_)
