"""Folders of pictures and clips: each file is complete or absent, and their total size is known without the disk."""

import logging
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from trailcam_core.files.atomic import make_folder, write_file

if TYPE_CHECKING:
    from trailcam_core.images.resize import Image
    from trailcam_edge.events import KeptPicture

_log = logging.getLogger(__name__)
_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_SUFFIX = ".jpg"
_BLOCK_BYTES = 4096  # what ext4 and F2FS on a card hand out


@dataclass(frozen=True)
class Sweep:
    """Result of a sweep: files without a row (removed), and rows whose file is missing or has another size."""

    orphans: int
    missing: tuple[str, ...]


def size_on_disk(size_bytes: int) -> int:
    """Return the disk space of a file of this size, in whole blocks."""
    return -(-size_bytes // _BLOCK_BYTES) * _BLOCK_BYTES


def encode_jpeg(picture: "Image | KeptPicture", quality: int) -> bytes:
    """Return an (H, W, 3) uint8 RGB image, or a picture that gives one, as a JPEG of this quality (1 to 100).

    It has no metadata.

    Raises:
        ValueError: another kind of array, or more than the 65,535 pixels a side that JPEG can hold.
    """
    import cv2  # only the device writes pictures; listing events needs no OpenCV
    import numpy as np

    image = picture if isinstance(picture, np.ndarray) else picture.bgr()
    if (
        image.ndim != 3
        or image.shape[2] != 3
        or image.dtype != "uint8"
        or min(image.shape) == 0
        or max(image.shape) > 65_535
    ):
        raise ValueError(f"an image of shape {image.shape} and type {image.dtype}, expected (H, W, 3) uint8")
    if image is picture:
        image = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2BGR), np.uint8)
    done, data = cv2.imencode(_SUFFIX, image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise ValueError(f"an image of shape {image.shape} cannot be encoded")
    return bytes(data)


class PictureFolder:
    """The pictures of one store, by visit, or its clips: files with another ``suffix``."""

    def __init__(self, path: Path, suffix: str = _SUFFIX) -> None:
        """Name the folder; it is made by the first ``sweep``."""
        self.path = path
        self._suffix = suffix
        self.bytes_on_disk = 0

    def place(self, visit_id: str) -> Path:
        """Return the path of the picture of a visit.

        Raises:
            ValueError: the identifier cannot be a file name.
        """
        if not _SAFE_NAME.fullmatch(visit_id):
            raise ValueError(f"visit_id is {visit_id[:120]!r}, expected 1 to 100 of A-Z a-z 0-9 . _ -, no dot in front")
        return self.path / (visit_id + self._suffix)

    def write(self, visit_id: str, content: bytes) -> None:
        """Put a picture on the disk; it is durable when this returns.

        Raises:
            OSError: the disk is full, read-only or failing; nothing is left behind.
        """
        place = self.place(visit_id)
        before = _status(place)
        try:
            write_file(place, content)
        except OSError:
            after = _status(place)
            if after is not None and (before is None or after.st_ino != before.st_ino):
                self._count(before, after)
                self.remove(visit_id)  # it is there, but its folder could not be flushed
            raise
        self._count(before, _status(place))

    def _count(self, before: os.stat_result | None, after: os.stat_result | None) -> None:
        for status, sign in ((before, -1), (after, 1)):
            self.bytes_on_disk += sign * size_on_disk(status.st_size) if status is not None else 0

    def remove(self, visit_id: str) -> None:
        """Delete a picture, if it is there."""
        place = self.place(visit_id)
        try:
            size_bytes = place.stat().st_size
            place.unlink()
        except FileNotFoundError:
            return
        self.bytes_on_disk -= size_on_disk(size_bytes)

    def size_bytes(self, visit_id: str) -> int:
        """Return the size of a picture, 0 if there is none.

        Raises:
            OSError: the folder cannot be read.
        """
        try:
            return self.place(visit_id).stat().st_size
        except FileNotFoundError:
            return 0

    def sweep(self, known: Mapping[str, int]) -> Sweep:
        """Make folder and rows consistent after a crash: remove files that are not ``known``, count the rest.

        Args:
            known: the size in bytes of the picture of each visit that has one.

        Raises:
            OSError: the folder cannot be made or read.
        """
        make_folder(self.path)
        self.bytes_on_disk = 0
        orphans = 0
        found = set()
        with os.scandir(self.path) as entries:
            for entry in entries:
                visit_id = entry.name.removesuffix(self._suffix)
                size_bytes = entry.stat(follow_symlinks=False).st_size
                if entry.name.endswith(self._suffix) and known.get(visit_id) == size_bytes:
                    found.add(visit_id)
                    self.bytes_on_disk += size_on_disk(size_bytes)
                elif not entry.is_dir(follow_symlinks=False):
                    orphans += self._remove_orphan(entry)
        return Sweep(orphans, tuple(visit_id for visit_id in known if visit_id not in found))

    def _remove_orphan(self, entry: "os.DirEntry[str]") -> bool:
        """Remove a file without a row; one that cannot be removed counts as taken space and stays."""
        try:
            Path(entry.path).unlink()
        except OSError as error:
            _log.warning("%s: without an event, and cannot be removed (%s).", entry.path, error.strerror)
            self.bytes_on_disk += size_on_disk(entry.stat(follow_symlinks=False).st_size)
            return False
        return True


def _status(place: Path) -> os.stat_result | None:
    try:
        return place.stat()
    except FileNotFoundError:
        return None
