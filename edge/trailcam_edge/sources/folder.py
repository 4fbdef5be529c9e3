"""Pictures of a folder as a source of frames, and the built-in demo, which is one."""

import json
import logging
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from trailcam_core.datasets.class_folders import find_images
from trailcam_core.errors import DataError, SourceError
from trailcam_core.images.decode import IMAGE_SUFFIXES, read_image
from trailcam_edge.sources.frame import Delivery, Frame, OnBadFrame
from trailcam_edge.sources.orientation import UNCHANGED, Orientation
from trailcam_edge.sources.pixels import PackedPixels

_log = logging.getLogger(__name__)
DEMO_FRAMES = Path(__file__).parents[1] / "data" / "demo"


def list_pictures(folder: Path) -> list[Path]:
    """Return the picture files below ``folder``, by path; photographs of other formats are logged and left out.

    Raises:
        SourceError: there is none, or the folder cannot be read.
    """
    if not folder.is_dir():
        raise SourceError(f"{folder}: no such folder.")
    try:
        found, left_out = find_images(folder)
    except DataError as error:
        raise SourceError(str(error)) from error
    if not found:
        suffixes = " ".join(sorted(IMAGE_SUFFIXES))
        hint = left_out or "Name a folder with photographs in it."
        raise SourceError(f"{folder}: holds no picture ({suffixes}). {hint}")
    if left_out is not None:
        _log.warning("%s: %s", folder, left_out)
    return found


def demo_pictures() -> list[Path]:
    """Return the built-in photographs in the order of their list: animals, other animals, empty scenes."""
    entries = json.loads((DEMO_FRAMES / "frames.json").read_text(encoding="utf-8"))
    return [DEMO_FRAMES / entry["file"] for entry in entries]


class FolderSource:
    """The pictures of a folder, sorted by path or as listed; one that cannot be read is reported and left out."""

    delivery: Delivery = "stills"

    def __init__(
        self,
        folder: Path,
        on_bad_frame: OnBadFrame,
        orientation: Orientation | None = None,
        paths: Sequence[Path] | None = None,
    ) -> None:
        self._folder = folder
        self._paths = list_pictures(folder) if paths is None else paths
        self._on_bad_frame = on_bad_frame
        self._orientation = orientation or UNCHANGED

    def frames(self) -> Iterator[Frame]:
        """Yield one frame per readable picture."""
        for sequence, path in enumerate(self._paths):
            try:
                image = read_image(path)
            except SourceError as error:
                self._on_bad_frame(error)
                continue
            name = str(path.relative_to(self._folder))
            yield Frame(PackedPixels(image, "RGB", self._orientation), time.monotonic(), sequence, name)

    def __enter__(self) -> Self:
        """Return the source; files are opened one by one."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Do nothing: no file is open."""
