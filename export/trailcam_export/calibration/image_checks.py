"""Checks of a calibration image: reject black, flat, noisy and wrongly scaled pictures.

A popular exporter calibrates on black images, reports success, and produces a model that only guesses. Noise is as
harmful: it drives every layer to values that no photograph reaches. Simple pixel statistics detect both.
"""

import cv2
import numpy as np
import numpy.typing as npt

from trailcam_core.images.resize import Image

# Of 7,171 photographs of Animals-10 at 224 px, see docs/calibration.md.
_DARKEST_LEVEL = 16  # no pixel above it: a covered lens or a dead sensor
_LEAST_DEVIATION = 4.0  # levels: a picture of one colour
_LEAST_CORRELATION = 0.3  # of neighbouring pixels; photographs reach 0.9, pure noise 0.0
_LEAST_SET_RANGE = 128  # levels between the darkest and the brightest of a whole set


def unfit_reason(image: Image) -> str | None:
    """Return the reason why an (H, W, 3) uint8 RGB picture cannot calibrate, None if it can."""
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
    """Return the reason why pictures with levels ``lowest`` to ``highest`` cannot calibrate, None if they can."""
    if highest - lowest >= _LEAST_SET_RANGE:
        return None
    return (
        f"wrong range: all pictures together reach only from level {lowest} to {highest} of 0 to 255, as when they "
        "were scaled before they were saved"
    )


def _correlation(first: npt.NDArray[np.float32], second: npt.NDArray[np.float32]) -> float:
    first, second = first - first.mean(), second - second.mean()
    scale = float(np.sqrt((first * first).sum() * (second * second).sum()))
    return float((first * second).sum()) / scale if scale > 0 else 1.0
