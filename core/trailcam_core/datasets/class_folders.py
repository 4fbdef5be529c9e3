"""Scan a folder of images, with or without one folder per class. Every dataset of the project is read by these rules.

    ROOT/
        fox/                a class folder
            a.jpg
            camera-3/b.jpg  files may be nested
        c.jpg               a loose file, outside any class folder

Hidden files and folders (a name that begins with a dot) are skipped. Links are followed, but no folder is entered
twice. A file is an image if its suffix is one of ``IMAGE_SUFFIXES``, in upper or lower case. Files are ordered by path.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from trailcam_core.errors import DataError
from trailcam_core.images.decode import IMAGE_SUFFIXES


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
        item.name: [] for item in sorted(root.iterdir()) if item.is_dir() and not item.name.startswith(".")
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
    return [path for path in _walk(folder) if is_image(path)]


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
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in files:
            if not name.startswith("."):
                yield Path(place) / name


def _refuse(error: OSError) -> None:
    raise DataError(
        f"{error.filename}: the folder cannot be read ({error.strerror}). Correct its permissions."
    ) from error
