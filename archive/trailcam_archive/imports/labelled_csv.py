"""A CSV file of labelled pictures: the columns ``file`` and ``label``, and ``group``, ``x y width height`` if known.

The names of Timelapse and camtrapR are understood as well: ``File`` with ``RelativePath``, ``Species``, ``Station``.
"""

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path

from trailcam_archive.imports.sample import Sample, is_blank
from trailcam_core.errors import DataError
from trailcam_core.images.boxes import fraction_box

_FILE, _LABEL, _GROUP = ("file", "path", "filename"), ("label", "species"), ("group", "sequence", "station")
_OF_A_MODEL = frozenset({"species", "best", "scorerule", "scorelimit"})  # columns of "trailcam classify --out"
_OF_EVENTS = frozenset({"visit_id", "label", "bundle"})  # columns of "trailcam events --csv"
_SIDES = ("x", "y", "width", "height")


def read_labelled_csv(path: Path, media: Path | None = None) -> Iterator[Sample]:
    """Yield the pictures of a file; rows without a label are left out.

    Args:
        path: the CSV file.
        media: folder to which its paths are relative; the folder of the file if None.

    Raises:
        DataError: a column is missing, a number is none, or a model gave the labels.
    """
    root = media or path.parent
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)  # a quote without its end would swallow all rows behind it
            _refuse_own_rows({name.strip().lower() for name in reader.fieldnames or ()}, path)
            for row in reader:
                cells = {name.lower(): (value or "").strip() for name, value in row.items() if isinstance(name, str)}
                yield from _sample(cells, root, f"{path}:{reader.line_num}")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: is no CSV file in UTF-8 ({error}).") from error


def _refuse_own_rows(columns: set[str], path: Path) -> None:
    """Refuse the rows that Trailcam writes: a training on its own answers would count them as those of people."""
    if columns >= _OF_A_MODEL:
        raise DataError(
            f'{path}: has the answers of a model, as "trailcam classify --out" writes them, expected labels that '
            "people gave. Import the store of the camera or card once its visits are reviewed "
            '("trailcam review STORE"), or a CSV file with the columns file and label alone.'
        )
    if columns >= _OF_EVENTS:
        raise DataError(
            f'{path}: is the list of "trailcam events --csv", which has answers of a model. Import the store itself: '
            'its reviewed visits are taken, with their pictures ("trailcam data import STORE").'
        )


def _sample(cells: Mapping[str, str], root: Path, place: str) -> Iterator[Sample]:
    name, label = _first(cells, _FILE), _first(cells, _LABEL)
    if name is None or label is None:
        raise DataError(f"{place}: expected the columns file and label, got {', '.join(cells) or 'none'}.")
    if not label or not name:
        return
    below = root / cells["relativepath"].replace("\\", "/") if cells.get("relativepath") else root
    group = _first(cells, _GROUP) or str(Path(name).parent)
    box = None
    if all(cells.get(side) for side in _SIDES):
        try:
            x, y, width, height = (float(cells[side]) for side in _SIDES)
            box = fraction_box(x, y, width, height)
        except ValueError as error:
            raise DataError(f"{place}: {error}. x, y, width and height must be fractions from 0 to 1.") from error
    blank = is_blank(label)
    yield Sample(str(below / name.replace("\\", "/")), None if blank else label, group, None if blank else box)


def _first(cells: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    return next((cells[name] for name in names if name in cells), None)
