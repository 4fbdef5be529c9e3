"""The part of a file that a browser asks for: it seeks in a video by ranges of bytes."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

_RANGE = re.compile(r"bytes=([0-9]{0,15})-([0-9]{0,15})")
_PIECE_BYTES = 65_536
_KEEP = {"Accept-Ranges": "bytes", "Cache-Control": "private, max-age=86400"}


@dataclass(frozen=True)
class FilePart:
    """An answer: its status, the bytes of the file, and headers."""

    status: int
    part: range
    headers: dict[str, str]

    def read(self, file: BinaryIO) -> Iterator[bytes]:
        """Yield the bytes in pieces."""
        file.seek(self.part.start)
        left = len(self.part)
        while left and (piece := file.read(min(left, _PIECE_BYTES))):
            yield piece
            left -= len(piece)


def file_part(header: str | None, size: int) -> FilePart:
    """Return what to answer to a request with this header "Range" for a file of this size in bytes."""
    part = byte_range(header, size)
    if part is None:
        return FilePart(416, range(0), {"Content-Range": f"bytes */{size}"})
    if len(part) == size:
        return FilePart(200, part, _KEEP)
    return FilePart(206, part, _KEEP | {"Content-Range": f"bytes {part.start}-{part.stop - 1}/{size}"})


def byte_range(header: str | None, size: int) -> range | None:
    """Return the bytes to send, or None if the file has none of those that are asked for.

    Source: RFC 9110, section 14.2: a header of another form, such as several ranges, is ignored.

    Args:
        header: of the request, such as "bytes=0-499"; None if there is none.
        size: of the file in bytes.
    """
    found = _RANGE.fullmatch(header.strip()) if header is not None else None
    if found is None or not (found[1] or found[2]):
        return range(size)
    if not found[1]:  # the last bytes
        number = min(int(found[2]), size)
        return range(size - number, size) if number else None
    first, last = int(found[1]), int(found[2] or size)
    if last < first:
        return range(size)
    return range(first, min(last + 1, size)) if first < size else None
