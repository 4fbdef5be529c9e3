"""Scan a folder of images, with or without one folder per class. Every dataset of the project is read by these rules.

    ROOT/
        fox/                a class folder
            a.jpg
            camera-3/b.jpg  files may be nested
        c.jpg               a loose file, outside any class folder

Hidden files and folders (a name that begins with a dot) and folders of an operating system or network storage, such as
its thumbnails, are skipped. Links are followed, but no folder is entered twice. A file is an image if its suffix is one
of ``IMAGE_SUFFIXES``, in upper or lower case. Files are ordered by path. Photographs of other formats, and videos, are
left out; ``describe_left_out`` names them.
"""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from trailcam_core.errors import DataError
from trailcam_core.files.names import counted
from trailcam_core.images.decode import IMAGE_SUFFIXES

SYSTEM_FOLDERS = frozenset(  # in lower case
    {
        "@eadir",  # thumbnails of Synology
        "@__thumb",  # of QNAP
        "@tmp",
        "#recycle",
        "@recycle",
        "@recently-snapshot",
        "#snapshot",
        "$recycle.bin",
        "system volume information",
        "__macosx",
        "lost+found",
    }
)
# fmt: off
OTHER_PHOTOGRAPHS = (
    ".heic", ".heif", ".hif", ".avif", ".jxl", ".jp2", ".j2k", ".tif", ".tiff", ".gif", ".dng", ".cr2",
    ".cr3", ".crw", ".nef", ".nrw", ".arw", ".srf", ".sr2", ".orf", ".rw2", ".raf", ".pef", ".srw", ".x3f",
    ".3fr", ".raw", ".svg", ".psd", ".tga", ".ppm", ".pgm"
)
_VIDEOS = (
    ".mp4", ".mov", ".avi", ".mkv", ".m4v", ".mts", ".m2ts", ".3gp", ".wmv", ".webm", ".mpg", ".mpeg"
)
# fmt: on
_NAMED = 3  # files in a message


@dataclass(frozen=True)
class ClassFolders:
    """The files below ``root``: those of each class folder, by its name, and the loose ones."""

    root: Path
    folders: dict[str, tuple[Path, ...]]
    loose: tuple[Path, ...]

    def images(self, name: str) -> tuple[Path, ...]:
        """Return the images of one class folder."""
        return tuple(path for path in self.folders[name] if is_image(path))


def is_image(path: Path) -> bool:
    """Return whether a file is an image by its suffix."""
    return path.suffix.lower() in IMAGE_SUFFIXES


def scan_class_folders(root: Path) -> ClassFolders:
    """List the files below ``root`` by class folder.

    Raises:
        DataError: ``root`` is no folder, or a folder cannot be read.
    """
    if not root.is_dir():
        what = "a file" if root.exists() else "no such folder"
        raise DataError(f"{root}: {what}, expected a folder with one folder of pictures per class. Check the path.")
    folders: dict[str, list[Path]] = {
        item.name: [] for item in sorted(root.iterdir()) if item.is_dir() and not is_system_name(item.name)
    }
    loose: list[Path] = []
    for path in _walk(root):
        parts = path.relative_to(root).parts
        (folders[parts[0]] if len(parts) > 1 else loose).append(path)
    return ClassFolders(root, {name: tuple(files) for name, files in folders.items()}, tuple(loose))


def list_images(folder: Path) -> list[Path]:
    """Return the images below ``folder``.

    Raises:
        DataError: a folder cannot be read.
    """
    return find_images(folder)[0]


def find_images(folder: Path) -> tuple[list[Path], str | None]:
    """Return the images below ``folder``, and a sentence about the photographs and videos that are left out, if any.

    Raises:
        DataError: a folder cannot be read.
    """
    files = _walk(folder)
    return [path for path in files if is_image(path)], describe_left_out(folder, files)


def describe_left_out(folder: Path, files: Iterable[Path]) -> str | None:
    """Return a sentence about the files below ``folder`` that are photographs of other formats, or videos."""
    sentences = []
    for kind, suffixes, cure in (
        ("photograph", OTHER_PHOTOGRAPHS, "Trailcam reads JPEG, PNG, WebP and BMP: convert them."),
        ("video", _VIDEOS, '"trailcam watch --source FILE" reads one.'),
    ):
        found = [path for path in files if path.suffix.lower() in suffixes]
        if not found:
            continue
        forms = sorted({path.suffix.lower() for path in found})
        names = ", ".join(str(path.relative_to(folder)) for path in found[:_NAMED])
        more = f" and {len(found) - _NAMED:,} more" if len(found) > _NAMED else ""
        verb = "is" if len(found) == 1 else "are"
        sentences.append(f"{counted(len(found), kind)} ({' '.join(forms)}) {verb} left out: {names}{more}. {cure}")
    return " ".join(sentences) or None


def _walk(folder: Path) -> list[Path]:
    return sorted(_walk_unsorted(folder))


def _walk_unsorted(root: Path) -> Iterator[Path]:
    entered: set[tuple[int, int]] = set()
    for place, folders, files in os.walk(root, onerror=_refuse, followlinks=True):
        status = Path(place).stat()
        if (status.st_dev, status.st_ino) in entered:
            folders.clear()
            continue
        entered.add((status.st_dev, status.st_ino))
        folders[:] = sorted(name for name in folders if not is_system_name(name))
        for name in files:
            if not name.startswith("."):
                yield Path(place) / name


def is_system_name(name: str) -> bool:
    """Return whether a folder is hidden, or one of an operating system or network storage."""
    return name.startswith(".") or name.lower() in SYSTEM_FOLDERS


def _refuse(error: OSError) -> None:
    raise DataError(
        f"{error.filename}: the folder cannot be read ({error.strerror}). Correct its permissions."
    ) from error
