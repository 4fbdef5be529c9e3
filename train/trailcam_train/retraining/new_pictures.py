"""The new pictures of a training that takes up an earlier run, and where they came from.

A data set of ``trailcam data import`` is taken whole: ``photos``, ``negatives`` and ``import.csv``. Any other folder
has one folder of pictures per class.
"""

import csv
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from trailcam_core.datasets.class_folders import scan_class_folders
from trailcam_core.errors import DataError, reason_of
from trailcam_core.field.views import CROPS
from trailcam_core.files.names import folder_name
from trailcam_train.data.class_names import choose_label_map
from trailcam_train.data.dataset import Dataset, Picture, list_class_folders
from trailcam_train.data.groups import read_groups
from trailcam_train.field.negatives import NOTHING, find_negatives
from trailcam_train.field.settings import FieldSettings

JOURNAL_FILE = "import.csv"
_PHOTOS, _NEGATIVES = "photos", "negatives"
_WHOLE_PICTURES = "new"
_DIGEST_DIGITS = 8


@dataclass(frozen=True)
class NewPicture:
    """A picture file, its label, its path below its label in a prepared folder, and its group.

    ``origin`` is its row of the journal of an import, empty if no import made it.
    """

    path: Path
    label: str
    place: str
    group: str | None
    origin: Mapping[str, str]


@dataclass(frozen=True)
class NewData:
    """What the user named: photographs by class, negatives if any, a label map and groups, as the command has them."""

    photos: Path
    negatives: Path | None = None
    label_map: str | None = None
    group_by: str | None = None


def find_new_data(data: Path, negatives: Path | None, label_map: str | None, group_by: str | None) -> NewData:
    """Return the parts of a data folder; one of ``trailcam data import`` may be named itself, or its ``photos``.

    An import has a folder of each camera and day, so its pictures are grouped by folder by default.
    """
    root = data if (data / JOURNAL_FILE).is_file() and (data / _PHOTOS).is_dir() else None
    photos = data if root is None else data / _PHOTOS
    if root is not None and negatives is None and (data / _NEGATIVES).is_dir():
        negatives = data / _NEGATIVES
    imported = (photos.parent / JOURNAL_FILE).is_file()
    return NewData(photos, negatives, label_map, group_by or ("folder" if imported else None))


def list_new_pictures(new: NewData, settings: FieldSettings) -> tuple[NewPicture, ...]:
    """List the new pictures, in the order of their paths; they are not opened.

    Args:
        new: where they are.
        settings: name the labels of negatives.

    Raises:
        DataError: a folder is missing or empty, or its label map or groups do not fit.
    """
    return (*_list_photos(new), *(_list_negatives(new, settings) if new.negatives is not None else ()))


def read_journal(photos: Path) -> dict[str, dict[str, str]]:
    """Return the rows of an import's journal by file; none without a journal.

    Raises:
        DataError: it cannot be read.
    """
    root = photos.parent
    path = root / JOURNAL_FILE
    if not path.is_file():
        return {}
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            rows = [{key: value or "" for key, value in row.items() if key} for row in reader]
    except (OSError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read ({reason_of(error)}). Import the data set again.") from error
    if "file" not in (reader.fieldnames or ()):
        raise DataError(
            f"{path}: its first line is {reader.fieldnames}, expected the columns of an import. If another program "
            "saved it with semicolons, save it with commas."
        )
    return {row["file"]: row for row in rows if row.get("file")}


def _list_photos(new: NewData) -> list[NewPicture]:
    labels = choose_label_map(list_class_folders(new.photos), new.label_map)
    found = scan_class_folders(new.photos)
    listed = [(path, label) for folder, label in labels.items() for path in found.images(folder)]
    files = [path.relative_to(new.photos).as_posix() for path, _ in listed]
    groups = _groups(new, files, [label for _, label in listed])
    journal = read_journal(new.photos)
    return [
        _picture(path, label, file, group, journal.get(f"{new.photos.name}/{file}", {}))
        for (path, label), file, group in zip(listed, files, groups, strict=True)
    ]


def _list_negatives(new: NewData, settings: FieldSettings) -> list[NewPicture]:
    root = new.negatives
    if root is None:
        return []
    journal = read_journal(root)
    pictures = []
    for item in find_negatives(root):
        file = item.path.relative_to(root).as_posix()
        blank = item.label == NOTHING
        label = settings.blank_label if blank else settings.unknown_label
        folder = str(PurePosixPath(file).parent)
        group = item.group if not blank else folder.removeprefix("scenes/") if folder != "." else None
        pictures.append(_picture(item.path, label, file, group, journal.get(f"{root.name}/{file}", {})))
    return pictures


def _picture(path: Path, label: str, file: str, group: str | None, origin: Mapping[str, str]) -> NewPicture:
    kind = CROPS if origin.get("box") else _WHOLE_PICTURES
    digest = hashlib.sha256(file.encode("utf-8", "surrogateescape")).hexdigest()[:_DIGEST_DIGITS]
    parts = [kind, *([folder_name(group)] if group else []), f"{path.stem}.{digest}{path.suffix.lower()}"]
    return NewPicture(path, label, "/".join(parts), group, origin)


def _groups(new: NewData, files: list[str], labels: list[str]) -> list[str | None]:
    if new.group_by is None:
        return [None] * len(files)
    if new.group_by == "folder":
        stated = [PurePosixPath(file).parts[1:2] if file.count("/") > 1 else () for file in files]
        if all(stated):
            return [part[0] for part in stated]
    pictures = tuple(Picture(file, label, "", 1, 1) for file, label in zip(files, labels, strict=True))
    numbers = read_groups(new.group_by, Dataset(new.photos, tuple(sorted(set(labels))), pictures))
    return [f"group {number}" for number in numbers]
