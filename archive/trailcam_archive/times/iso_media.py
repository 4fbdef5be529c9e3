"""Boxes of the ISO base media file format: MP4, MOV, HEIC and AVIF.

Source: ISO/IEC 14496-12 sections 4.2 (boxes), 8.2.2 (mvhd), 8.11.1, 8.11.3 and 8.11.6 (meta, iloc, iinf).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from trailcam_archive.times.bounded import BoundedFile, MalformedError
from trailcam_archive.times.exif import FIRST_YEAR, LAST_YEAR

_EPOCH = datetime(1904, 1, 1, tzinfo=UTC)  # of QuickTime; also of the Macintosh
_MAX_BOXES = 500
_MAX_ITEMS = 2_000
_LARGEST_SECONDS = 1 << 34


@dataclass(frozen=True)
class Span:
    """From ``start`` to before ``end``, in bytes of the file."""

    start: int
    end: int


Box = tuple[bytes, Span]  # kind and content


def iter_boxes(file: BoundedFile, span: Span) -> Iterator[Box]:
    """Yield the boxes inside of a span; ends at one that does not fit into it."""
    position = span.start
    for _ in range(_MAX_BOXES):
        if position + 8 > span.end:
            return
        size, kind = file.numbers(">I4s", position)
        head = 8
        if size == 1:
            size, head = file.numbers(">Q", position + 8)[0], 16
        if size == 0:  # up to the end of the file
            size = span.end - position
        if size < head or position + size > span.end:
            return
        yield kind, Span(position + head, position + size)
        position += size


def find_box(boxes: Iterable[Box], kind: bytes) -> Span | None:
    """Return the content of the first box of a kind."""
    return next((span for name, span in boxes if name == kind), None)


def movie_time(file: BoundedFile) -> datetime | None:
    """Return the creation time of an MP4 or MOV file, in UTC, as the standard defines it; None if it states none.

    Raises:
        MalformedError: the file is damaged.
        OSError: the disk is failing.
    """
    movie = find_box(iter_boxes(file, Span(0, file.size_bytes)), b"moov")
    header = None if movie is None else find_box(iter_boxes(file, movie), b"mvhd")
    if header is None:
        return None
    is_long = file.read(header.start, 1) == b"\1"
    seconds = int(file.numbers(">Q" if is_long else ">I", header.start + 4)[0])
    if not 0 < seconds < _LARGEST_SECONDS:
        return None
    time = _EPOCH + timedelta(seconds=seconds)
    return time if FIRST_YEAR <= time.year <= LAST_YEAR else None


def movie_duration_s(file: BoundedFile) -> float:
    """Return the duration that an MP4 or MOV file states, 0 if it states none; raises as ``movie_time`` does."""
    movie = find_box(iter_boxes(file, Span(0, file.size_bytes)), b"moov")
    header = None if movie is None else find_box(iter_boxes(file, movie), b"mvhd")
    if header is None:
        return 0.0
    is_long = file.read(header.start, 1) == b"\1"
    scale, duration = file.numbers(">IQ" if is_long else ">II", header.start + (20 if is_long else 12))
    return duration / scale if scale and duration < 1 << (63 if is_long else 31) else 0.0


def item_of_type(file: BoundedFile, meta: Span, kind: bytes) -> int | None:
    """Return the number of the first item of a type in the ``meta`` box of a HEIF file."""
    span = find_box(iter_boxes(file, Span(meta.start + 4, meta.end)), b"iinf")
    if span is None:
        return None
    head = 6 if file.read(span.start, 1) == b"\0" else 8  # version, flags and number of items
    for _, entry in iter_boxes(file, Span(span.start + head, span.end)):
        version = file.read(entry.start, 1)[0]
        if version < 2:
            continue
        form = ">HH4s" if version == 2 else ">IH4s"
        number, _, found = file.numbers(form, entry.start + 4)
        if found == kind:
            return int(number)
    return None


def heif_item(file: BoundedFile, meta: Span, item: int) -> Span | None:
    """Return where an item of one part lies in the file."""
    span = find_box(iter_boxes(file, Span(meta.start + 4, meta.end)), b"iloc")
    if span is None:
        return None
    table = _Numbers(file.read(span.start, span.end - span.start))
    version = table.take(1)
    table.take(3)
    sizes = table.take(2)
    offset_size, length_size, base_size, index_size = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    wide = 4 if version == 2 else 2
    for _ in range(min(_MAX_ITEMS, table.take(wide))):
        number = table.take(wide)
        method = table.take(2) & 15 if version else 0
        table.take(2)
        base = table.take(base_size)
        for extent in range(min(_MAX_ITEMS, table.take(2))):
            if version and index_size:
                table.take(index_size)
            start, length = base + table.take(offset_size), table.take(length_size)
            if number == item and extent == 0 and method == 0:
                return Span(start, start + length)
    return None


class _Numbers:
    """Unsigned numbers of different widths, one after the other."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._position = 0

    def take(self, size: int) -> int:
        """Return the next number of ``size`` bytes, 0 for none."""
        part = self._content[self._position : self._position + size]
        if len(part) != size:
            raise MalformedError("a table ends early")
        self._position += size
        return int.from_bytes(part, "big")
