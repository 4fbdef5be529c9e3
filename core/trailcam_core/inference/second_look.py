"""Where to look a second time: from the last feature map of a network to a square part of the picture.

    (h, w, C) features --feature_energy--> (h, w) --find_peak--> a place of the map --place_box--> Box of the picture

The energy of a place is how far its features are from the mean over the map. It knows no class and needs no weights: an
animal is where the network sees something other than the rest of the scene. Of 25 stills of camera traps the box held
the animal or person in 24 (``docs/field.md``).
"""

import cv2
import numpy as np
import numpy.typing as npt

from trailcam_core.images.boxes import Box
from trailcam_core.images.resize import plan_geometry
from trailcam_core.spec import InputSpec

Floats = npt.NDArray[np.float32]

BOX_FRACTION = 0.45  # side of the box, of the shorter side of the picture
_EQUAL = 1e-5  # relative: less is rounding


def feature_energy(features: Floats) -> Floats:
    """Return the energy of each place: (h, w, C) float32 to (h, w) float32, 0 or more.

    It is the length of the features minus their mean over the map. A map of equal places gives zeros.
    """
    if features.ndim != 3 or 0 in features.shape:
        raise ValueError(f"expected features of (h, w, C), got {features.shape}")
    return np.asarray(np.linalg.norm(features - features.mean(axis=(0, 1)), axis=2), np.float32)


def find_peak(energy: Floats) -> tuple[int, int]:
    """Return row and column of the highest energy after a mean over 3x3 places; of equal ones the middle.

    Beyond the border the places of the border count again, so that it draws the peak neither in nor out.
    """
    if energy.ndim != 2 or not energy.size or not np.isfinite(energy).all():
        raise ValueError(f"expected a finite map of (h, w), got {energy.shape}")
    blurred = cv2.blur(np.ascontiguousarray(energy, np.float32), (3, 3), borderType=cv2.BORDER_REPLICATE)
    highest = np.argwhere(blurred >= blurred.max() * (1 - _EQUAL))
    middle = highest[int(np.square(highest - highest.mean(axis=0)).sum(axis=1).argmin())]
    return int(middle[0]), int(middle[1])


def place_box(
    place: tuple[int, int],
    map_size: tuple[int, int],
    picture_size: tuple[int, int],
    spec: InputSpec,
    fraction: float = BOX_FRACTION,
) -> Box:
    """Return the square round a place of the map, moved to lie inside of the picture.

    Args:
        place: row and column.
        map_size: rows and columns of the map.
        picture_size: height and width of the picture in pixels, at least 1.
        spec: how the picture became the input of the model.
        fraction: side of the square, of the shorter side of the picture (above 0 to 1).
    """
    height, width = picture_size
    plan = plan_geometry(height, width, spec)
    row_px, column_px = (
        (position + 0.5) / count * side_px
        for position, count, side_px in zip(place, map_size, (spec.height, spec.width), strict=True)
    )
    y_px = plan.top + (row_px - plan.pad_top) / plan.height * plan.region_height
    x_px = plan.left + (column_px - plan.pad_left) / plan.width * plan.region_width
    side_px = fraction * min(height, width)
    left = min(max(x_px - side_px / 2, 0.0), width - side_px)
    top = min(max(y_px - side_px / 2, 0.0), height - side_px)
    return Box(left / width, top / height, side_px / width, side_px / height)


def find_box(features: Floats, picture_size: tuple[int, int], spec: InputSpec) -> Box:
    """Return where to look a second time.

    Args:
        features: (h, w, C) float32, the feature map of the whole picture.
        picture_size: height and width of the picture in pixels.
        spec: how the picture became the input of the model.
    """
    return place_box(find_peak(feature_energy(features)), features.shape[:2], picture_size, spec)
