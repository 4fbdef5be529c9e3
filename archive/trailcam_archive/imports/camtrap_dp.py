"""Camera Trap Data Packages: deployments, media and observations as CSV, below a ``datapackage.json``.

Source: https://camtrap-dp.tdwg.org. Observations of a medium give its label; observations of an event give the label of
every medium of the event.
"""

import csv
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from trailcam_archive.batch.references import is_web_address
from trailcam_archive.imports.sample import Sample
from trailcam_core.errors import DataError
from trailcam_core.images.boxes import Box, fraction_box

_PICTURE = "image/"
Row = dict[str, str]


def read_camtrap_dp(package: Path, media: Path | None = None) -> Iterator[Sample]:
    """Yield the labelled pictures of a package; observations of people are left out.

    Args:
        package: the folder, or its ``datapackage.json``.
        media: folder of the pictures, if their paths are not relative to the package.

    Raises:
        DataError: a table is missing or lacks a column.
    """
    folder = package if package.is_dir() else package.parent
    by_medium: dict[str, list[Row]] = defaultdict(list)
    by_event: dict[str, list[Row]] = defaultdict(list)
    for row in _rows(folder / "observations.csv", ("observationType", "scientificName", "deploymentID")):
        if row.get("mediaID"):
            by_medium[row["mediaID"]].append(row)
        elif row.get("eventID"):
            by_event[row["eventID"]].append(row)
    for medium in _rows(folder / "media.csv", ("mediaID", "deploymentID", "filePath", "fileMediatype")):
        if not medium["fileMediatype"].startswith(_PICTURE):
            continue
        observations = by_medium.get(medium["mediaID"]) or by_event.get(medium.get("eventID", ""), [])
        path = medium["filePath"]
        reference = path if is_web_address(path) else str((media or folder) / path)
        group = "-".join(part for part in (medium["deploymentID"], medium.get("eventID")) if part)
        for row in observations:
            yield from _sample(row, reference, group, folder)


def _sample(row: Row, reference: str, group: str, folder: Path) -> Iterator[Sample]:
    kind = row["observationType"]
    by_person = row.get("classificationMethod") != "machine"
    probability = 1.0 if by_person else _number(row, "classificationProbability", folder, 0.0)
    if kind == "blank":
        yield Sample(reference, None, group, None, probability)
    elif kind == "animal" and row["scientificName"]:
        yield Sample(reference, row["scientificName"], group, _box(row, folder), probability)


def _box(row: Row, folder: Path) -> Box | None:
    if not row.get("bboxX"):
        return None
    sides = [_number(row, f"bbox{name}", folder) for name in ("X", "Y", "Width", "Height")]
    try:
        return fraction_box(*sides)
    except ValueError as error:
        raise DataError(f"{folder / 'observations.csv'}: {row.get('observationID', '')}: {error}.") from error


def _number(row: Row, column: str, folder: Path, default: float | None = None) -> float:
    text = row.get(column) or ""
    if not text and default is not None:
        return default
    try:
        return float(text)
    except ValueError:
        raise DataError(f"{folder / 'observations.csv'}: {column} is {text!r}, expected a number.") from None


def _rows(path: Path, columns: tuple[str, ...]) -> Iterator[Row]:
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            missing = [column for column in columns if column not in (reader.fieldnames or ())]
            if missing:
                raise DataError(f"{path}: lacks the column {missing[0]}, expected a table of Camtrap DP.")
            for row in reader:
                yield {name: value or "" for name, value in row.items() if isinstance(value, str | None) and name}
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}). Expected a folder of Camtrap DP.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: is no CSV file in UTF-8 ({error}).") from error
