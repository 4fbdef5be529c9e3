"""Move harmful files out of a dataset, reversibly.

The quarantine folder keeps the files under their relative paths and a journal, ``moved.csv``. A line is on the disk
before its file moves, so a power cut leaves at most a line whose file has not moved yet; ``restore_files`` skips it.
"""

import csv
import errno
import io
import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from trailcam_core.errors import DataError, reason_of
from trailcam_core.files.atomic import sync_directory, write_file
from trailcam_train.data.dataset import Dataset

JOURNAL = "moved.csv"
_HEADER = ["file", "from", "reason"]


@dataclass(frozen=True)
class Move:
    """A file to move, as its path below the data folder, and the reason."""

    file: str
    reason: str


def plan_moves(dataset: Dataset) -> tuple[Move, ...]:
    """Choose the files to move: unreadable ones, and of equal files in one class all but the first.

    Equal files in two classes stay: one of the labels is wrong, and the user has to decide which.
    """
    # A name that is not UTF-8 is shown in another spelling, under which there is no file to move.
    moves = [Move(item.file, item.reason) for item in dataset.unreadable if (dataset.root / item.file).exists()]
    same: dict[tuple[str, str], list[str]] = defaultdict(list)
    for picture in dataset.pictures:
        same[picture.label, picture.sha256].append(picture.file)
    for first, *others in (sorted(files) for files in same.values()):
        moves += [Move(file, f"the same file as {first}") for file in others]
    return tuple(sorted(moves, key=lambda move: move.file))


def move_files(root: Path, moves: Sequence[Move], folder: Path) -> None:
    """Move files from the data folder to the quarantine folder, journal first.

    Raises:
        DataError: the quarantine lies in the data folder, or a file of that name is in it already; nothing was moved.
        OSError: the disk is full or read-only; what is in the journal and the quarantine was moved, the rest was not.
    """
    if folder.resolve().is_relative_to(root.resolve()):
        raise DataError(f"{folder}: lies in the data folder, where it would be read again. Choose a folder outside.")
    for move in moves:
        if (folder / move.file).exists():
            raise DataError(f"{folder / move.file}: is in quarantine already. Choose another folder.")
    folder.mkdir(parents=True, exist_ok=True)
    journal = folder / JOURNAL
    begun = journal.exists()
    with open(journal, "a", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        if not begun:
            writer.writerow(_HEADER)
            sync_directory(folder)
        for move in moves:
            source = root / move.file
            writer.writerow([move.file, str(source.resolve()), move.reason])
            file.flush()
            os.fsync(file.fileno())
            _move(source, folder / move.file)


def restore_files(folder: Path) -> tuple[Path, ...]:
    """Move every file of a quarantine folder back to its original place.

    Returns:
        The restored files.

    Raises:
        DataError: no journal, a damaged one, or another file has the path of one; nothing was moved.
    """
    pending = []
    for file, target in _read_journal(folder / JOURNAL):
        if not (folder / file).exists():
            continue
        if target.exists():
            raise DataError(f"{target}: another file has this path. Move it away to restore {folder / file}.")
        pending.append((folder / file, target))
    for source, target in pending:
        _move(source, target)
    return tuple(target for _, target in pending)


def _move(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        source.rename(target)
        sync_directory(target.parent)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        write_file(target, source.read_bytes())  # another disk: the copy is safe before the file goes
        source.unlink()


def _read_journal(path: Path) -> list[tuple[str, Path]]:
    try:
        lines = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline=""), strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            f'{path}: cannot be read ({reason_of(error)}). Name a folder that "--quarantine" made.'
        ) from error
    if not lines or lines[0] != _HEADER:
        raise DataError(f"{path}: its first line is {lines[0] if lines else 'missing'}, expected {_HEADER}.")
    found = []
    for number, line in enumerate(lines[1:], start=2):
        if len(line) != len(_HEADER) or ".." in PurePosixPath(line[0]).parts or PurePosixPath(line[0]).is_absolute():
            raise DataError(f"{path}: line {number} is damaged. Correct it or move the files back by hand.")
        found.append((line[0], Path(line[1])))
    return found
