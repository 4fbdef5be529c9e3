"""Pictures to measure accuracy on, in one folder per class."""

from collections.abc import Sequence
from pathlib import Path

from trailcam_benchmarks.results.rows import Picture
from trailcam_core.errors import DataError
from trailcam_edge.sources import list_pictures

__all__ = ["find_pictures", "sample_evenly"]


def find_pictures(folder: Path) -> tuple[Picture, ...]:
    """Return all pictures below ``folder``, each labelled by the folder of its class, ordered by path.

    Raises:
        DataError: pictures are beside the folders of the classes.
        SourceError: there is no picture.
    """
    paths = list_pictures(folder)
    loose = [path for path in paths if path.parent == folder]
    if loose:
        raise DataError(f"{loose[0]}: is in no folder of a label, expected {folder}/LABEL/PICTURE.")
    return tuple(Picture(path, path.relative_to(folder).parts[0]) for path in paths)


def sample_evenly(pictures: Sequence[Picture], limit: int) -> tuple[Picture, ...]:
    """Return at most ``limit`` (at least 1) of ``pictures``, evenly spread over them."""
    step = max(1.0, len(pictures) / limit)
    return tuple(pictures[int(number * step)] for number in range(min(limit, len(pictures))))
