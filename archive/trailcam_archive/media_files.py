"""Photographs and clips below a folder, in the order of their names.

The list is never in memory as a whole: a folder is read when the walk comes to it, so the first file is there at once.
"""

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from trailcam_core.datasets.class_folders import OTHER_PHOTOGRAPHS, is_system_name
from trailcam_core.errors import SourceError

MediaKind = Literal["photograph", "clip"]

PHOTOGRAPH_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".png", ".webp", ".bmp", ".heic", ".heif", ".avif", ".tif", ".tiff"}
)
LEFT_OUT_SUFFIXES = frozenset(OTHER_PHOTOGRAPHS) - PHOTOGRAPH_SUFFIXES  # RAW, GIF, JPEG 2000: no decoder reads them
CLIP_SUFFIXES = frozenset({".mp4", ".mov", ".m4v", ".avi", ".mkv", ".webm", ".mts", ".m2ts", ".mpg", ".mpeg", ".3gp"})


@dataclass(frozen=True)
class MediaFile:
    """One file: ``path`` as given, ``relative`` to the folder of the walk. Names may hold bytes that are not UTF-8."""

    path: Path
    relative: Path
    kind: MediaKind


def media_kind(name: str) -> MediaKind | None:
    """Return what a file of this name is expected to be, None if it is neither photograph nor clip."""
    suffix = os.path.splitext(name)[1].lower()  # noqa: PTH122 - a million names stay texts
    if suffix in PHOTOGRAPH_SUFFIXES:
        return "photograph"
    return "clip" if suffix in CLIP_SUFFIXES else None


def _is_left_out(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in LEFT_OUT_SUFFIXES  # noqa: PTH122 - as in media_kind


def _stem(name: str) -> str:
    return os.path.splitext(name)[0].casefold()  # noqa: PTH122 - as in media_kind


def walk_media(
    folder: Path, on_problem: Callable[[Path, str], None], on_left_out: Callable[[Path], None] | None = None
) -> Iterator[MediaFile]:
    """Yield photographs and clips below a folder, each once.

    Links to folders are followed, but no folder is entered twice. A link to a file inside of ``folder`` is left out,
    because the file itself is part of the walk. Hidden files, and folders of an operating system, are left out.

    Args:
        folder: where the walk starts.
        on_problem: called with a path that cannot be read, and the reason.
        on_left_out: called with a photograph of a format that is not read, such as RAW, unless a photograph of the
            same name lies beside it.

    Raises:
        SourceError: ``folder`` is no folder, or cannot be read.
    """
    try:
        with os.scandir(folder):
            status = folder.stat()
    except OSError as error:
        raise SourceError(f"{folder}: cannot be read as a folder ({error.strerror}).") from error
    return _Walk(folder, on_problem, on_left_out).files((status.st_dev, status.st_ino))


class _Walk:
    def __init__(
        self, top: Path, on_problem: Callable[[Path, str], None], on_left_out: Callable[[Path], None] | None
    ) -> None:
        self._top = top
        self._real_top = f"{top.resolve()}{os.sep}"
        self._on_problem = on_problem
        self._on_left_out = on_left_out
        self._waiting: list[tuple[Path, tuple[int, int]]] = []  # folders, the next one last

    def files(self, identity: tuple[int, int]) -> Iterator[MediaFile]:
        """Yield the files of every folder, then those of its sub-folders; ``identity`` is that of the top."""
        self._waiting = [(self._top, identity)]
        entered: set[tuple[int, int]] = set()
        while self._waiting:
            folder, identity = self._waiting.pop()
            if identity not in entered:
                entered.add(identity)
                yield from self._files_of(folder)

    def _files_of(self, folder: Path) -> Iterator[MediaFile]:
        try:
            with os.scandir(folder) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            self._on_problem(folder, str(error.strerror))
            return
        folders: list[tuple[Path, tuple[int, int]]] = []
        stems = {_stem(entry.name) for entry in found if media_kind(entry.name) == "photograph"}
        for entry in found:
            if is_system_name(entry.name):
                continue
            path, kind = folder / entry.name, media_kind(entry.name)
            try:
                if entry.is_dir():
                    status = entry.stat()
                    folders.append((path, (status.st_dev, status.st_ino)))
                elif kind is not None and self._is_wanted(entry, path):
                    yield MediaFile(path, path.relative_to(self._top), kind)
                elif self._on_left_out is not None and _is_left_out(entry.name) and _stem(entry.name) not in stems:
                    self._on_left_out(path)
            except OSError as error:
                self._on_problem(path, str(error.strerror))
        self._waiting += reversed(folders)

    def _is_wanted(self, entry: "os.DirEntry[str]", path: Path) -> bool:
        if not stat.S_ISREG(entry.stat().st_mode):  # raises for a link to nothing
            self._on_problem(path, "a device or pipe, expected a file")
            return False
        return not entry.is_symlink() or not str(path.resolve()).startswith(self._real_top)
