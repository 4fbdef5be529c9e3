"""The time that a photograph or clip states, in any of the formats."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from trailcam_archive.times.bounded import BoundedFile, MalformedError
from trailcam_archive.times.iso_media import movie_duration_s, movie_time
from trailcam_archive.times.matroska import matroska_time
from trailcam_archive.times.photograph import photograph_time
from trailcam_archive.times.riff import avi_duration_s, avi_time

if TYPE_CHECKING:
    from trailcam_archive.media_files import MediaKind

_LONGEST_S = 86_400.0

TimeBasis = Literal["exif", "container"]


@dataclass(frozen=True)
class StatedTime:
    """When a recording began, as its file states it.

    ``time`` has a zone if the file states one, or its format is defined in UTC; otherwise it is what the clock of the
    camera showed.
    """

    time: datetime
    basis: TimeBasis


def recorded_time(path: Path | bytes, kind: "MediaKind") -> StatedTime | None:
    """Return the time that a file states; None if it states none, or one that no camera can have.

    A damaged file is not an error here: what cannot be read states no time.

    Args:
        path: the file, or its content.
        kind: photograph or clip.

    Raises:
        OSError: the file cannot be read.
    """
    with BoundedFile(path) as file:
        try:
            time = photograph_time(file) if kind == "photograph" else _clip_time(file)
        except MalformedError:
            return None
    return None if time is None else StatedTime(time, "exif" if kind == "photograph" else "container")


def clip_duration_s(path: Path) -> float:
    """Return the duration that an MP4, MOV or AVI file states, at most a day; 0 if it states none.

    Raises:
        OSError: the file cannot be read.
    """
    with BoundedFile(path) as file:
        try:
            head = file.read(0, min(12, file.size_bytes))
            duration_s = avi_duration_s(file) if head[:4] == b"RIFF" else movie_duration_s(file)
        except MalformedError:
            return 0.0
    return duration_s if 0 <= duration_s <= _LONGEST_S else 0.0


def _clip_time(file: BoundedFile) -> datetime | None:
    head = file.read(0, min(12, file.size_bytes))
    if head[:4] == b"RIFF":
        return avi_time(file)
    if head[:4] == b"\x1a\x45\xdf\xa3":
        return matroska_time(file)
    return movie_time(file) if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot") else None
