"""Which reader takes a source of labelled pictures."""

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from trailcam_archive.imports.camtrap_dp import read_camtrap_dp
from trailcam_archive.imports.coco import read_coco
from trailcam_archive.imports.labelled_csv import read_labelled_csv
from trailcam_archive.imports.megadetector import read_sorted_pictures
from trailcam_archive.imports.sample import Sample
from trailcam_archive.imports.store import is_store, read_store
from trailcam_archive.rows.json_stream import JsonStreamError, read_members
from trailcam_core.errors import DataError

_DETECTOR_CONFIDENCE = 0.2  # as MegaDetector's own documents suggest for its version 5
_PACKED = frozenset({".zip", ".gz", ".tgz", ".tar", ".7z", ".rar", ".xz", ".bz2", ".zst"})
_KINDS = (
    "the store of a camera, a folder or datapackage.json of Camtrap DP, a COCO Camera Traps file, MegaDetector batch "
    "output, or a CSV file with the columns file and label"
)


def read_source(source: Path, media: Path | None) -> Iterator[Sample]:
    """Return the labelled pictures of a source.

    Args:
        source: a file or folder of another program.
        media: folder of its pictures, if that is not the folder of the source.

    Raises:
        DataError: of no known kind.
    """
    root = media or source.parent
    if is_store(source):
        return read_store(source)
    if (source / "datapackage.json").is_file() or source.name == "datapackage.json":
        return read_camtrap_dp(source, media)
    if source.suffix.lower() in _PACKED:
        raise DataError(f"{source}: is a packed archive. Unpack it, and import the folder or file that it holds.")
    if source.suffix.lower() == ".csv":
        return read_labelled_csv(source, media)
    if source.suffix.lower() == ".json":
        keys = _first_members(source)
        if _is_of_a_classifier_alone(keys.get("info")):
            raise DataError(
                f'{source}: has the answers of a model for whole pictures, as "trailcam classify --out" writes them, '
                "expected labels that people gave. Import the store of the camera or card once its visits are reviewed "
                '("trailcam review STORE"), or a CSV file with the columns file and label.'
            )
        if "detection_categories" in keys or _has_detections(source):
            return read_sorted_pictures(source, root, _DETECTOR_CONFIDENCE)
        return read_coco(source, root)
    raise DataError(f"{source}: cannot be imported. Expected {_KINDS}.")


def _is_of_a_classifier_alone(info: Any) -> bool:
    return isinstance(info, dict) and "classifier" in info and "detector" not in info


def _first_members(path: Path) -> dict[str, Any]:
    try:
        with open(path, "rb") as file:
            return dict(islice(read_members(file, {"images", "annotations"}), 8))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).") from error
    except (JsonStreamError, json.JSONDecodeError) as error:
        raise DataError(f"{path}: {error}. Expected {_KINDS}.") from error


def _has_detections(path: Path) -> bool:
    with open(path, "rb") as file:
        for key, element in read_members(file, {"images", "annotations"}):
            if key == "images":
                return isinstance(element, dict) and "detections" in element
    return False
