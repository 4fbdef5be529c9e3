"""Groups of pictures that a split must keep together: one number per picture."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from trailcam_core.datasets.near_duplicates import Forest, number_groups
from trailcam_core.errors import DataError
from trailcam_train.data.dataset import Dataset

_COLUMNS = ("file", "group")


def read_groups(group_by: str, dataset: Dataset) -> tuple[int, ...]:
    """Read the group of each picture, for example its camera or site.

    Args:
        group_by: "folder" for the first folder below the class folder (``fox/site-3/a.jpg`` is of ``site-3``, as is
            ``hare/site-3/b.jpg``), or the path of a CSV file with the columns ``file`` and ``group``.
        dataset: whose pictures to group.

    Returns:
        One number per picture, in the order of ``dataset.pictures``; equal numbers stay together.

    Raises:
        DataError: a picture has no group, or the CSV file cannot be read.
    """
    if group_by == "folder":
        return number_groups(_folder_keys(dataset))
    table = _read_table(Path(group_by))
    missing = [picture.file for picture in dataset.pictures if picture.file not in table]
    if missing:
        raise DataError(
            f"{group_by}: has no group for {missing[0]!r} and {len(missing) - 1:,} other pictures of {dataset.root}. "
            "Expected one line per picture, its file relative to the data folder with forward slashes."
        )
    return number_groups(table[picture.file] for picture in dataset.pictures)


def merge_groups(*groupings: Sequence[int]) -> tuple[int, ...]:
    """Return the finest grouping in which pictures stay together that do so in any of ``groupings``."""
    if not groupings or len({len(grouping) for grouping in groupings}) != 1:
        raise ValueError(f"expected groupings of one length, got {[len(grouping) for grouping in groupings]}")
    forest = Forest(len(groupings[0]))
    for grouping in groupings:
        first: dict[int, int] = {}
        for position, number in enumerate(grouping):
            forest.join(first.setdefault(number, position), position)
    return forest.numbers()


def _folder_keys(dataset: Dataset) -> list[str]:
    keys = []
    for picture in dataset.pictures:
        parts = PurePosixPath(picture.file).parts
        if len(parts) < 3:
            raise DataError(
                f"{dataset.root / picture.file}: lies directly in its class folder, but grouping by folder needs a "
                "folder per camera or site in between, such as fox/site-3/a.jpg. Move it, or name a CSV file with "
                "the columns file and group."
            )
        keys.append(parts[1])
    return keys


def _read_table(path: Path) -> dict[str, str]:
    try:
        reader = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline=""), strict=True)
        lines = [(reader.line_num, line) for line in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f'{path}: cannot be read as groups ({error}). Expected "folder" or a CSV file.') from error
    if not set(_COLUMNS) <= set(reader.fieldnames or ()):
        raise DataError(f"{path}: its columns are {reader.fieldnames}, expected at least {' and '.join(_COLUMNS)}.")
    table: dict[str, str] = {}
    for number, line in lines:
        file, group = line["file"], line["group"]
        if not file or not group:
            raise DataError(f"{path}: line {number} has no {'group' if file else 'file'}. Fill it in or remove it.")
        if table.setdefault(file, group) != group:
            raise DataError(f"{path}: line {number}: {file!r} is in the groups {table[file]!r} and {group!r}.")
    return table
