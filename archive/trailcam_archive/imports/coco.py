"""COCO Camera Traps: images, annotations and categories in one JSON file, which may have a million boxes.

Source: https://github.com/agentmorris/MegaDetector, "The COCO Camera Traps format". Boxes are in pixels of images that
state their size; without a size a box is left out, and the whole picture is taken.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from trailcam_archive.imports.sample import Sample, clipped_box, is_blank
from trailcam_archive.rows.json_stream import JsonStreamError, read_members
from trailcam_core.errors import DataError
from trailcam_core.images.boxes import Box

_EXPECTED = "Expected a COCO Camera Traps file with images, annotations and categories"
_TABLES = """
CREATE TABLE images (id TEXT PRIMARY KEY, file TEXT, width REAL, height REAL, camera TEXT, sequence TEXT);
CREATE TABLE annotations (image TEXT, category TEXT, x REAL, y REAL, width REAL, height REAL);
CREATE TABLE categories (id TEXT PRIMARY KEY, name TEXT);
"""
_QUERY = """
SELECT images.file, images.width, images.height, images.camera, images.sequence, categories.name,
       annotations.x, annotations.y, annotations.width, annotations.height
FROM annotations JOIN images ON images.id = annotations.image LEFT JOIN categories ON categories.id = category
ORDER BY annotations.rowid
"""


def read_coco(path: Path, media: Path) -> Iterator[Sample]:
    """Yield the labelled pictures of a file; its parts may come in any order, and are kept on the disk meanwhile.

    Args:
        path: the JSON file.
        media: folder of the pictures.

    Raises:
        DataError: not such a file.
    """
    with closing(sqlite3.connect("")) as database:  # a temporary file
        database.executescript(_TABLES)
        try:
            with open(path, "rb") as file:
                for key, element in read_members(file, {"images", "annotations", "categories"}):
                    _store(database, key, element)
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error.strerror}).") from error
        except JsonStreamError as error:
            raise DataError(f"{path}: {error}. {_EXPECTED}.") from error
        except (AttributeError, KeyError, TypeError, ValueError, ArithmeticError, sqlite3.Error) as error:
            raise DataError(f"{path}: an entry is not as expected ({error!r}). {_EXPECTED}.") from error
        found = False
        for file_name, width, height, camera, sequence, name, *sides in database.execute(_QUERY):
            found = True
            if name is None:
                raise DataError(f"{path}: an annotation of {file_name} has a category that is not defined.")
            label = None if is_blank(name) else str(name)
            group = "-".join(str(part) for part in (camera, sequence) if part is not None) or file_name
            box = None if label is None else _box(width, height, sides)
            yield Sample(str(media / file_name), label, group, box)
        if not found:
            raise DataError(f"{path}: has no annotation of an image. {_EXPECTED}.")


def _store(database: sqlite3.Connection, key: str, element: Any) -> None:
    if key == "images":
        camera, sequence = element.get("location"), element.get("seq_id")
        size_px = (None if element.get(side) is None else float(element[side]) for side in ("width", "height"))
        names = None if camera is None else str(camera), None if sequence is None else str(sequence)
        row = (str(element["id"]), str(element["file_name"]), *size_px, *names)
        database.execute("INSERT INTO images VALUES (?, ?, ?, ?, ?, ?)", row)
    elif key == "annotations":
        sides = element.get("bbox") or (None,) * 4
        x, y, width, height = (None if side is None else float(side) for side in sides)
        names = str(element["image_id"]), str(element["category_id"])
        database.execute("INSERT INTO annotations VALUES (?, ?, ?, ?, ?, ?)", (*names, x, y, width, height))
    elif key == "categories":
        database.execute("INSERT INTO categories VALUES (?, ?)", (str(element["id"]), str(element["name"])))


def _box(width_px: float | None, height_px: float | None, sides: list[float | None]) -> Box | None:
    x, y, width, height = sides
    if not width_px or not height_px or x is None or y is None or width is None or height is None:
        return None
    return clipped_box(x / width_px, y / height_px, width / width_px, height / height_px)
