"""Pictures to measure accuracy on, in one folder per class."""

from collections.abc import Sequence
from pathlib import Path

from trailcam_benchmarks.results.rows import Picture
from trailcam_core.datasets.class_folders import is_image, scan_class_folders
from trailcam_core.errors import DataError


def find_pictures(folder: Path) -> tuple[Picture, ...]:
    """Return all pictures below ``folder``, each labelled by the folder of its class, ordered by path.

    Raises:
        DataError: no such folder, no picture, or pictures outside the class folders.
    """
    found = scan_class_folders(folder)
    loose = [path for path in found.loose if is_image(path)]
    if loose:
        raise DataError(f"{loose[0]}: is in no folder of a label, expected {folder}/LABEL/PICTURE.")
    pictures = tuple(Picture(path, name) for name in found.folders for path in found.images(name))
    if not pictures:
        raise DataError(f"{folder}: holds no picture. Name a folder with one folder of photographs per class.")
    return pictures


def sample_evenly(pictures: Sequence[Picture], limit: int) -> tuple[Picture, ...]:
    """Return at most ``limit`` (at least 1) of ``pictures``, evenly spread over them."""
    step = max(1.0, len(pictures) / limit)
    return tuple(pictures[int(number * step)] for number in range(min(limit, len(pictures))))
