"""Read parts of a file that may be damaged or hostile, within bounds of size and number."""

import os
import struct
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

_MAX_PART_BYTES = 1_000_000  # an EXIF block of a JPEG has at most 64 kB
_MAX_TOTAL_BYTES = 8_000_000
_MAX_READS = 4_000


class MalformedError(ValueError):
    """The file ends early, points outside of itself, or has more parts than any camera writes."""


class BoundedFile:
    """A file that is read by parts: each, their sum and their number are bounded.

    Args:
        path: the file, or its content.

    Raises:
        OSError: it cannot be opened.
    """

    def __init__(self, path: Path | bytes) -> None:
        self._file: IO[bytes] = path.open("rb", buffering=16_384) if isinstance(path, Path) else BytesIO(path)
        self.size_bytes = os.fstat(self._file.fileno()).st_size if isinstance(path, Path) else len(path)
        self._reads = self._total_bytes = 0

    def read(self, start: int, size: int) -> bytes:
        """Return ``size`` bytes from ``start``.

        Raises:
            MalformedError: they are not in the file, or a bound is exceeded.
            OSError: the disk is failing.
        """
        self._reads += 1
        self._total_bytes += size
        if start < 0 or size < 0 or start + size > self.size_bytes:
            raise MalformedError("a part lies outside of the file")
        if size > _MAX_PART_BYTES or self._total_bytes > _MAX_TOTAL_BYTES or self._reads > _MAX_READS:
            raise MalformedError("more parts, or larger ones, than a camera writes")
        self._file.seek(start)
        content = self._file.read(size)
        if len(content) != size:
            raise MalformedError("the file ends early")
        return content

    def numbers(self, form: str, start: int) -> tuple[Any, ...]:
        """Return the numbers of a ``struct`` format; raises as ``read`` does."""
        return struct.unpack(form, self.read(start, struct.calcsize(form)))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        """Return the open file."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self.close()
