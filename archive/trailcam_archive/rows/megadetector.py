"""MegaDetector batch output: write it, and read the boxes of a file of any size.

Source: https://lila.science/megadetector-output-format, version 1.6; files of 1.0 and later are read.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from trailcam_archive.media_files import media_kind
from trailcam_archive.rows.columns import FileRecord, ModelFacts
from trailcam_archive.rows.distinct_name import NO_PREFIXES, distinct_name
from trailcam_archive.rows.json_stream import JsonStreamError, read_members
from trailcam_archive.rows.record import NOTHING, UNKNOWN, Answer, Detection
from trailcam_core.errors import DataError
from trailcam_core.files.names import printable
from trailcam_core.images.boxes import fraction_box

FORMAT_VERSION = "1.6"
_CATEGORIES = {"1": "animal", "2": "person", "3": "vehicle"}
_WHOLE = (0.0, 0.0, 1.0, 1.0)  # the box of an answer for the whole picture


@dataclass(frozen=True)
class DetectedPicture:
    """The boxes of one picture of the file, by its path there."""

    file: str
    detections: tuple[Detection, ...]


def write_megadetector(
    file: BinaryIO,
    records: Iterable[FileRecord],
    model: ModelFacts,
    labels: tuple[str, ...],
    detector: str | None,
    prefixes: Mapping[str, str] = NO_PREFIXES,
) -> None:
    """Write the whole document; one record at a time is in memory.

    An answer for a whole picture is an animal with a box round everything; "nothing" has no detection.

    Args:
        file: opened for writing.
        records: in the order of the document.
        model: the classifier.
        labels: of the classifier, in its order; "unknown" follows them.
        detector: what made the boxes, None where there are none.
        prefixes: see ``source_prefixes``.
    """
    categories = {str(number): label for number, label in enumerate((*labels, UNKNOWN))}
    numbers = {label: number for number, label in categories.items()}
    detection_numbers = {name: number for number, name in _CATEGORIES.items()}
    info = {
        "format_version": FORMAT_VERSION,
        **({"detector": detector} if detector else {}),
        "classifier": model.name,
        "classification_completion_time": datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S"),
    }
    file.write(f'{{\n"info": {json.dumps(info)},\n"images": ['.encode())
    between = "\n"
    for record in records:
        name = printable(distinct_name(prefixes, record.folder, record.relative))
        entry = {"file": name} | _entry(record, model, numbers, detection_numbers)
        file.write(f"{between}{json.dumps(entry)}".encode())
        between = ",\n"
    found = {number: name for name, number in detection_numbers.items()}
    file.write(f'\n],\n"detection_categories": {json.dumps(found)},\n'.encode())
    file.write(f'"classification_categories": {json.dumps(categories)}\n}}\n'.encode())


def _entry(
    file: FileRecord, model: ModelFacts, numbers: dict[str, str], detection_numbers: dict[str, str]
) -> dict[str, Any]:
    record = file.record
    entry: dict[str, Any] = {}
    if record.taken is not None:
        entry["datetime"] = record.taken
    if record.clip is not None:
        entry |= {"frame_rate": record.clip.rate_hz, "frames_processed": list(record.clip.frames)}
    if record.error is not None:
        clip = {"frame_rate": -1, "frames_processed": []} if media_kind(file.relative) == "clip" else {}
        return entry | clip | {"failure": printable(record.error), "detections": None}
    found = []
    for answer in record.answers:
        species = answer.species(model.score_limit)
        if species == NOTHING:
            continue
        found.append(_detection(answer, species, numbers, detection_numbers))
    return entry | {"detections": found}


def _detection(
    answer: Answer, species: str, numbers: dict[str, str], detection_numbers: dict[str, str]
) -> dict[str, Any]:
    seen = answer.detection or Detection("animal", answer.confidence, _WHOLE)
    category = detection_numbers.setdefault(seen.category, str(len(detection_numbers) + 1))
    detection: dict[str, Any] = {
        "category": category,
        "conf": round(float(seen.confidence), 4),
        "bbox": [round(float(side), 4) for side in seen.box],
    }
    if answer.frame is not None:
        detection["frame_number"] = answer.frame
    if species in numbers and answer.kind != "detected":
        detection["classifications"] = [[numbers[species], round(answer.confidence, 4)]]
    return detection


def read_detections(path: Path) -> Iterator[DetectedPicture]:
    """Yield the pictures of a MegaDetector document; its images are read one by one.

    Pictures with a failure are left out.

    Raises:
        DataError: not such a document.
    """
    has_images = False
    try:
        categories = _read_categories(path)
        with open(path, "rb") as file:
            for key, image in read_members(file, {"images"}):
                if key == "images":
                    has_images = True
                    found = _read_image(image, categories, path)
                    if found is not None:
                        yield found
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).") from error
    except JsonStreamError as error:
        raise DataError(f"{path}: {error}. Expected MegaDetector batch output (JSON).") from error
    if not has_images:
        raise DataError(f"{path}: names no image, expected MegaDetector batch output (JSON).")


def _read_categories(path: Path) -> dict[str, str]:
    """Return the detection categories, which may be written behind the images."""
    with open(path, "rb") as file:
        for key, value in read_members(file, {"images"}):
            if key == "detection_categories" and isinstance(value, dict):
                return {str(number): str(name) for number, name in value.items()}
    raise DataError(f"{path}: has no detection_categories, expected MegaDetector batch output (JSON).")


def _read_image(image: Any, categories: dict[str, str], path: Path) -> DetectedPicture | None:
    try:
        if image.get("detections") is None and "file" in image:
            return None
        found = tuple(_read_detection(item, categories) for item in image["detections"])
        name = str(image["file"]).replace("\\", "/").removeprefix("./")
        os.fsencode(name)  # raises for a name that no file can have
        return DetectedPicture(name, found)
    except (AttributeError, KeyError, TypeError, ValueError, ArithmeticError) as error:
        reason = f"{error.args[0]}" if type(error) is ValueError else "its form is another one"
        raise DataError(
            f"{path}: an entry of its images is not as in MegaDetector batch output: {reason}: {str(image)[:120]}."
        ) from error


def _read_detection(item: dict[str, Any], categories: dict[str, str]) -> Detection:
    x, y, width, height = (float(side) for side in item["bbox"])
    box = fraction_box(x, y, width, height)
    confidence = float(item["conf"])
    if not 0 <= confidence <= 1:
        raise ValueError(f"the confidence {confidence} is outside of 0 to 1")
    number = str(item["category"])
    return Detection(categories.get(number, number), confidence, (box.x, box.y, box.width, box.height))
