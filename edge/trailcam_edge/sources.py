"""Where frames come from: folders, videos and the built-in demo, behind one small protocol.

A source is opened with ``open_source`` and is a context manager; ``frames`` yields until it ends. Cameras and network
streams are not among them yet.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import cv2
import numpy as np

from trailcam_edge.errors import SourceError
from trailcam_edge.preprocessing import IMAGE_SUFFIXES, Image, read_image

__all__ = ["DEMO_FRAMES", "FolderSource", "Frame", "Source", "VideoSource", "list_pictures", "open_source"]

DEMO_FRAMES = Path(__file__).parent / "data" / "demo"
_OPEN_TIMEOUT_MS = 5_000  # a damaged container can keep FFmpeg searching for a minute
_READ_TIMEOUT_MS = 5_000

OnBadFrame = Callable[[SourceError], None]


@dataclass(frozen=True)
class Frame:
    """One picture from a source.

    ``image`` is (H, W, 3) uint8 RGB, ``timestamp_s`` monotonic seconds at its arrival, ``sequence`` counts from 0, and
    ``name`` is what a person would call it.
    """

    image: Image
    timestamp_s: float
    sequence: int
    name: str


class Source(Protocol):
    """Something that delivers frames until it ends."""

    def frames(self) -> Iterator[Frame]:
        """Yield frames in order.

        Raises:
            SourceError: the source cannot deliver at all.
        """

    def __enter__(self) -> Self:
        """Take hold of the source."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go of the source."""


def list_pictures(folder: Path) -> list[Path]:
    """Return the picture files below ``folder``, by their suffix, sorted by path; hidden ones are left out.

    Raises:
        SourceError: there is none, or the folder cannot be read.
    """
    if not folder.is_dir():
        raise SourceError(f"{folder}: no such folder.")
    found = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in IMAGE_SUFFIXES
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.is_file()
    )
    if not found:
        suffixes = " ".join(sorted(IMAGE_SUFFIXES))
        raise SourceError(f"{folder}: holds no picture ({suffixes}). Name a folder with photographs in it.")
    return found


class FolderSource:
    """The pictures of a folder, sorted by path; one that cannot be read is reported and left out."""

    def __init__(self, folder: Path, on_bad_frame: OnBadFrame) -> None:
        self._folder = folder
        self._paths = list_pictures(folder)
        self._on_bad_frame = on_bad_frame

    def frames(self) -> Iterator[Frame]:
        """Yield one frame per readable picture."""
        for sequence, path in enumerate(self._paths):
            try:
                image = read_image(path)
            except SourceError as error:
                self._on_bad_frame(error)
                continue
            yield Frame(image, time.monotonic(), sequence, str(path.relative_to(self._folder)))

    def __enter__(self) -> Self:
        """Nothing to take hold of: files are opened one by one."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to let go of."""


class VideoSource:
    """A video file, every frame of it in turn, as fast as they are taken.

    Raises:
        SourceError: the file cannot be opened as a video, or not one frame of it decodes.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        limits = [
            cv2.CAP_PROP_OPEN_TIMEOUT_MSEC,
            _OPEN_TIMEOUT_MS,
            cv2.CAP_PROP_READ_TIMEOUT_MSEC,
            _READ_TIMEOUT_MS,
        ]
        self._capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, limits)
        if not self._capture.isOpened():
            raise SourceError(f"{path}: cannot be opened as a video. It may be damaged, or of a format FFmpeg lacks.")

    def frames(self) -> Iterator[Frame]:
        """Yield every frame, upright as the file says."""
        sequence = 0
        while True:
            taken, decoded = self._capture.read()
            if not taken:
                break
            image = np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), np.uint8)
            yield Frame(image, time.monotonic(), sequence, f"{self._path.name} #{sequence}")
            sequence += 1
        if sequence == 0:
            raise SourceError(f"{self._path}: opens as a video, but not one frame of it decodes. It may be cut off.")

    def __enter__(self) -> Self:
        """The file is open already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self._capture.release()


def open_source(name: str, on_bad_frame: OnBadFrame) -> Source:
    """Open the source that a person named: ``demo``, a folder of pictures, or a video file.

    Args:
        name: as on the command line.
        on_bad_frame: told of each picture that cannot be read; the rest goes on.

    Raises:
        SourceError: there is no such source, or it cannot be opened.
    """
    if name == "demo":
        return FolderSource(DEMO_FRAMES, on_bad_frame)
    path = Path(name)
    if path.is_dir():
        return FolderSource(path, on_bad_frame)
    if path.suffix.lower() in IMAGE_SUFFIXES and path.exists():
        raise SourceError(f'{path}: one picture, not a source of frames. Use "trailcam classify {path}".')
    if path.exists():
        return VideoSource(path)
    raise SourceError(f'{name}: no such folder or video. A source is "demo", a folder of pictures or a video file.')
