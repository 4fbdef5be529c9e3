"""MegaDetector batch output beside folders of labels: the folder gives the label, the detection gives the box.

MegaDetector knows animals, people and vehicles. Pictures that are sorted into folders by species become
crops of the animal; a picture without a confident detection becomes an empty scene only if its folder has such a name.
"""

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from trailcam_archive.imports.sample import Sample, clipped_box, is_blank
from trailcam_archive.rows.megadetector import read_detections
from trailcam_core.errors import DataError

_ANIMAL = "animal"
_DRIVE = re.compile(r"[A-Za-z]:/")  # of Windows


def read_sorted_pictures(path: Path, media: Path, min_confidence: float) -> Iterator[Sample]:
    """Yield one sample per animal.

    Args:
        path: the JSON file.
        media: folder of the pictures; the first folder below it is the label, the others are the group.
        min_confidence: of a detection, 0 to 1.

    Raises:
        DataError: not such a file, or a picture lies in no folder.
    """
    for picture in read_detections(path):
        parts = _below(picture.file, media, path)
        if len(parts) < 2:
            raise DataError(f"{path}: {picture.file} lies in no folder. The first folder is the label: fox/a.jpg.")
        label, group = parts[0], "-".join(parts[1:-1]) or PurePosixPath(picture.file).stem
        reference = str(media.joinpath(*parts))
        if is_blank(label):
            yield Sample(reference, None, group)
            continue
        for found in picture.detections:
            if found.category == _ANIMAL and found.confidence >= min_confidence:
                yield Sample(reference, label, group, clipped_box(*found.box))


def _below(file: str, media: Path, path: Path) -> tuple[str, ...]:
    """Return the parts of the path of a picture below the folder of the pictures.

    Raises:
        DataError: it is elsewhere, so no folder of it is a label.
    """
    found = PurePosixPath(file)
    top = PurePosixPath(media.absolute().as_posix())
    if found.is_absolute() and found.is_relative_to(top):
        found = found.relative_to(top)
    if found.is_absolute() or ".." in found.parts or _DRIVE.match(file):
        raise DataError(
            f"{path}: {file} is not below {media}. Expected paths below the folder of the pictures, which --media "
            "names."
        )
    return found.parts
