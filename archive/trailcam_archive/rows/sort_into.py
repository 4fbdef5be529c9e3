"""Copy or link pictures into one folder per label."""

import errno
import filecmp
import itertools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Literal

from trailcam_archive.rows.columns import FileRecord, ModelFacts
from trailcam_archive.rows.distinct_name import NO_PREFIXES, distinct_name
from trailcam_core.errors import DataError
from trailcam_core.files.atomic import STAGING_PREFIX, make_folder
from trailcam_core.files.names import folder_name, printable

_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)  # the others concern one file
SortMode = Literal["copy", "link"]


def sort_into(
    folder: Path,
    records: Iterable[FileRecord],
    model: ModelFacts,
    mode: SortMode,
    on_problem: Callable[[str], None],
    prefixes: Mapping[str, str] = NO_PREFIXES,
) -> int:
    """Put every classified file below FOLDER/LABEL/, at its path below the source; return their number.

    A file of several labels goes into the folder of each. One that is there already is left as it is, so a stopped run
    goes on. Nothing is replaced: where another file has that name, such as one of the card before, the name gets a
    number.

    Args:
        folder: is made if it does not exist.
        records: with paths on disks; addresses are left out.
        model: its limit decides what is unknown.
        mode: ``copy`` keeps the time of change; ``link`` makes symbolic links to the absolute path.
        on_problem: called with a sentence about a file that could not be put there.
        prefixes: see ``source_prefixes``; paths are those below the folder that all sources share.

    Raises:
        OSError: the disk is full or read-only.
    """
    number = 0
    for item in records:
        original = Path(item.folder) / item.relative
        for label in sorted({answer.species(model.score_limit) for answer in item.record.answers}):
            place = folder / folder_name(label) / distinct_name(prefixes, item.folder, item.relative)
            try:
                number += _put(original, place, mode)
            except OSError as error:
                if error.errno in _DISK_ERRORS:
                    raise
                on_problem(f"{printable(str(original))}: not put into {printable(str(place))} ({error.strerror})")
    return number


def check_sort_folder(folder: Path, sources: Iterable[str]) -> None:
    """Check a folder for sorted pictures, before work begins.

    Raises:
        DataError: it is inside of a source, whose next run would find the copies, or it is a file.
    """
    for source in sources:
        if folder.resolve().is_relative_to(Path(source).resolve()):
            raise DataError(
                f"{folder}: is inside of {source}, whose next run would find the copies. Name another folder."
            )
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder}: a file, expected a folder for the sorted pictures.")


def _candidates(place: Path) -> Iterator[Path]:
    """Yield a.jpg, a-2.jpg, a-3.jpg and so on."""
    yield place
    for number in itertools.count(2):
        yield place.with_name(f"{place.stem}-{number}{place.suffix}")


def _is_same(original: Path, place: Path, mode: SortMode) -> bool:
    """Return whether what is at a place is this file, or a link to it."""
    if mode == "link":
        return place.is_symlink() and os.readlink(place) == str(original.absolute())  # noqa: PTH115 - as a text
    if not place.is_file():
        return False
    there, here = place.stat(), original.stat()
    if there.st_size != here.st_size:
        return False
    return there.st_mtime_ns == here.st_mtime_ns or filecmp.cmp(original, place, shallow=False)


def _put(original: Path, place: Path, mode: SortMode) -> bool:
    """Copy or link one file in one step; return False if it is there already."""
    for candidate in _candidates(place):
        if not os.path.lexists(candidate):
            place = candidate
            break
        if _is_same(original, candidate, mode):
            return False
    make_folder(place.parent)
    staging = Path(tempfile.mkdtemp(prefix=STAGING_PREFIX, dir=place.parent))
    try:
        staged = staging / "file"
        if mode == "link":
            original.stat()
            staged.symlink_to(original.absolute())
        else:
            shutil.copy2(original, staged)
        staged.replace(place)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return True
