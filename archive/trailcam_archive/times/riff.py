"""The recording time of an AVI file: the chunk ``IDIT`` of its header, which cameras write as local time.

Source: Multimedia Programming Interface and Data Specifications 1.0 (RIFF), OpenDML AVI 1.02 section 5, and the forms
of the text as cameras write it: "Sat Jun 09 14:21:07 2012", "2012:06:09 14:21:07", "2012/06/09/ 14:21".
"""

import re
from collections.abc import Iterator
from datetime import datetime

from trailcam_archive.times.bounded import BoundedFile
from trailcam_archive.times.exif import make_time, read_time

_MAX_CHUNKS = 500
_LONGEST_TEXT = 64
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_NAMED = re.compile(r"[a-z]{3},? +([a-z]{3}) +(\d{1,2}) +(\d\d):(\d\d):(\d\d) +(\d{4})", re.IGNORECASE)
_MINUTES = re.compile(r"(\d{4})/(\d\d)/(\d\d)/? +(\d\d):(\d\d)")

Chunk = tuple[bytes, int, int]  # kind, start and length of the content


def iter_chunks(file: BoundedFile, start: int, end: int) -> Iterator[Chunk]:
    """Yield the chunks between two places; ends at one that does not fit."""
    position = start
    for _ in range(_MAX_CHUNKS):
        if position + 8 > end:
            return
        kind, length = file.numbers("<4sI", position)
        if position + 8 + length > end:
            return
        yield kind, position + 8, length
        position += 8 + length + (length & 1)


def avi_time(file: BoundedFile) -> datetime | None:
    """Return when an AVI file was recorded, without a zone; None if it does not state it.

    Raises:
        MalformedError: the file is damaged.
        OSError: the disk is failing.
    """
    for kind, start, length in iter_chunks(file, 12, file.size_bytes):
        if kind == b"IDIT":
            return _read(file, start, length)
        if kind == b"LIST" and file.read(start, 4) in (b"hdrl", b"INFO"):
            for name, place, size in iter_chunks(file, start + 4, start + length):
                if name == b"IDIT":
                    return _read(file, place, size)
    return None


def avi_duration_s(file: BoundedFile) -> float:
    """Return the duration that an AVI file states, 0 if it states none; raises as ``avi_time`` does."""
    for kind, start, length in iter_chunks(file, 12, file.size_bytes):
        if kind != b"LIST" or file.read(start, 4) != b"hdrl":
            continue
        for name, place, size in iter_chunks(file, start + 4, start + length):
            if name == b"avih" and size >= 20:
                frame_us, *_, frames = file.numbers("<5I", place)
                return float(frame_us * frames / 1e6)
    return 0.0


def _read(file: BoundedFile, start: int, length: int) -> datetime | None:
    text = file.read(start, min(length, _LONGEST_TEXT)).split(b"\0")[0].decode("ascii", "replace").strip()
    named = _NAMED.match(text)
    if named is not None and named[1].lower() in _MONTHS:
        day, hour, minute, second, year = map(int, named.groups()[1:])
        return make_time(year, 1 + _MONTHS.index(named[1].lower()), day, hour, minute, second)
    minutes = _MINUTES.match(text)
    if minutes is not None:
        year, month, day, hour, minute = map(int, minutes.groups())
        return make_time(year, month, day, hour, minute, 0)
    return read_time(text)
