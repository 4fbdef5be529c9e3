"""DateUTC of a Matroska or WebM file.

Source: RFC 9559 section 5.1.2 (Info, DateUTC) and RFC 8794 sections 4 to 7 (EBML); dates count nanoseconds from 2001.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from trailcam_archive.times.bounded import BoundedFile
from trailcam_archive.times.exif import FIRST_YEAR, LAST_YEAR

_EPOCH = datetime(2001, 1, 1, tzinfo=UTC)
_SEGMENT, _INFO, _DATE, _CLUSTER = 0x18538067, 0x1549A966, 0x4461, 0x1F43B675
_MAX_ELEMENTS = 200

Element = tuple[int, int, int]  # identifier, start and end of the content


def matroska_time(file: BoundedFile) -> datetime | None:
    """Return when a Matroska file was recorded, in UTC; None if it does not state it.

    Raises:
        MalformedError: the file is damaged.
        OSError: the disk is failing.
    """
    span = 0, file.size_bytes
    for wanted in (_SEGMENT, _INFO, _DATE):
        found = next(((start, end) for name, start, end in _elements(file, *span) if name == wanted), None)
        if found is None:
            return None
        span = found
    start, end = span
    if end - start != 8:
        return None
    time = _EPOCH + timedelta(microseconds=file.numbers(">q", start)[0] // 1000)
    return time if FIRST_YEAR <= time.year <= LAST_YEAR else None


def _elements(file: BoundedFile, start: int, end: int) -> Iterator[Element]:
    """Yield the elements of a span, up to the first pictures; one of unknown length reaches to the end."""
    position = start
    for _ in range(_MAX_ELEMENTS):
        if position + 2 > end:
            return
        name, name_bytes = _number(file, position, keep_mark=True)
        if name == _CLUSTER:
            return
        length, length_bytes = _number(file, position + name_bytes, keep_mark=False)
        content = position + name_bytes + length_bytes
        is_unknown = length == (1 << 7 * length_bytes) - 1
        stop = end if is_unknown else content + length
        yield name, content, min(stop, end)
        position = stop


def _number(file: BoundedFile, position: int, keep_mark: bool) -> tuple[int, int]:
    """Return a number of variable length, and its length in bytes."""
    first = file.read(position, 1)[0]
    size = 9 - first.bit_length() if first else 8
    value = int.from_bytes(file.read(position, min(size, 8)), "big")
    return (value if keep_mark else value & ((1 << 7 * size) - 1)), size
