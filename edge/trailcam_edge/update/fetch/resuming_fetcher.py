"""Resume interrupted downloads, minutes later after a lost connection or days later after a power cut.

A partial file has the name of the target, which begins with the digest that TUF has signed; it is flushed as it grows.
The completed file is checked against that digest here, so that a part of another file is discarded and fetched again
once, and against the signed length and digests by python-tuf, which is not aware of resuming.
"""

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from tuf.api.exceptions import DownloadError, DownloadHTTPError, DownloadLengthMismatchError, SlowRetrievalError
from tuf.ngclient.fetcher import FetcherInterface

from trailcam_core.files.atomic import make_folder, sync_directory, write_file
from trailcam_core.files.digest import file_sha256
from trailcam_edge.update.fetch.fetchers import RangedFetcher

_NAMED_BY_DIGEST = re.compile(r"([0-9a-f]{64})\.[A-Za-z0-9._-]{1,150}")
_VALIDATOR_SUFFIX = ".etag"
_UNNAMED = "unnamed"
_FLUSH_BYTES = 1 << 20  # lost at most by a power cut
_MAX_PARTS = 2  # of unfinished releases; each may be as large as a model


def partial_bytes(folder: Path) -> int:
    """Return the size of the partial downloads in a folder; 0 if there is none."""
    return sum(item.stat().st_size for item in folder.iterdir()) if folder.is_dir() else 0


class ResumingFetcher(FetcherInterface):
    """Keep the fetched part of a file until the file has been verified.

    Args:
        fetcher: downloads; with ranges only the missing part is requested, otherwise the whole file.
        folder: of the parts; created if it is missing.
        attempts: maximum number of connections. One that delivered nothing is the last.
        pause_s: before each of them.
    """

    def __init__(self, fetcher: FetcherInterface, folder: Path, attempts: int = 5, pause_s: float = 2.0) -> None:
        self._fetcher = fetcher
        self._folder = folder
        self._attempts = attempts
        self._pause_s = pause_s
        self._last = "root.json"

    @property
    def last(self) -> str:
        """The name of the file that was requested last, for messages."""
        return self._last

    def _fetch(self, url: str) -> Iterator[bytes]:
        return self._fetcher.fetch(url)

    def download_bytes(self, url: str, max_length: int) -> bytes:
        """Fetch a small file without resuming: metadata."""
        previous, self._last = self._last, url.rpartition("/")[2]
        content = bytearray()
        try:
            chunks = self.fetch(url)
        except DownloadHTTPError:
            self._last = previous  # no such file, such as the root metadata after the newest
            raise
        for chunk in chunks:
            content += chunk
            if len(content) > max_length:
                raise DownloadLengthMismatchError(f"{url}: more than the {max_length:,} bytes expected")
        return bytes(content)

    @contextmanager
    def download_file(self, url: str, max_length: int) -> Iterator[IO[bytes]]:
        """Open the complete file for python-tuf to verify; it is deleted afterwards.

        Args:
            url: a name that begins with the content's SHA-256 can be resumed.
            max_length: the signed length.

        Raises:
            DownloadError: the host does not deliver it; the part is kept for the next attempt.
            OSError: the disk is full, read-only or failing; nothing is kept.
        """
        make_folder(self._folder)
        self._last = name = url.rpartition("/")[2]
        found = _NAMED_BY_DIGEST.fullmatch(name)
        part = self._folder / (_UNNAMED if found is None else name)
        self._drop_others(part)
        if found is None:
            self._drop(part)
        try:
            pieced = self._complete(url, part, max_length)
            if pieced and found is not None and file_sha256(part) != found[1]:
                self._drop(part)
                self._complete(url, part, max_length)
        except (DownloadLengthMismatchError, OSError):
            self._drop(part)
            raise
        try:
            with open(part, "rb") as file:
                yield file
        finally:
            self._drop(part)  # it was copied, or is not the signed file

    def _complete(self, url: str, part: Path, length: int) -> bool:
        """Complete a part over several connections if necessary; return True if it took more than one."""
        for attempt in range(1, self._attempts + 1):
            before = _size(part)
            if before == length > 0:
                break
            try:
                self._resume(url, part, before, length)
                return before > 0
            except (DownloadHTTPError, DownloadLengthMismatchError, SlowRetrievalError):
                raise
            except DownloadError:
                if attempt == self._attempts or _size(part) == before:
                    raise
            time.sleep(self._pause_s)
        return True

    def _resume(self, url: str, part: Path, size: int, length: int) -> None:
        """Append the missing rest to a part, or replace the part by the whole file."""
        tag = part.with_name(part.name + _VALIDATOR_SUFFIX)
        if size > length:
            self._drop(part)
            size = 0
        if isinstance(self._fetcher, RangedFetcher):
            piece = self._fetcher.fetch_from(url, size, _read_tag(tag) if size else None)
            offset, chunks = piece.offset, piece.chunks
            if piece.validator is None:
                tag.unlink(missing_ok=True)
            else:
                write_file(tag, piece.validator.encode("ascii"))
        else:
            offset, chunks = 0, self._fetcher.fetch(url)
        with open(part, "r+b" if part.exists() else "xb", buffering=0) as file:
            file.truncate(offset)
            file.seek(offset)
            sync_directory(self._folder)
            try:
                _write_flushed(file, chunks, offset, length, url)
            finally:
                os.fsync(file.fileno())
        if _size(part) < length:  # without a stated length a lost connection resembles the end
            raise DownloadError(f"{url}: ended after {_size(part):,} of {length:,} bytes")

    def _drop_others(self, part: Path) -> None:
        """Keep the newest parts of other files: an intermediate release may be withdrawn again."""
        parts = [item for item in self._folder.iterdir() if item != part and item.suffix != _VALIDATOR_SUFFIX]
        for old in sorted(parts, key=lambda item: item.stat().st_mtime, reverse=True)[_MAX_PARTS:]:
            self._drop(old)

    def _drop(self, part: Path) -> None:
        for path in (part.with_name(part.name + _VALIDATOR_SUFFIX), part):
            path.unlink(missing_ok=True)


def _write_flushed(file: IO[bytes], chunks: Iterator[bytes], offset: int, length: int, url: str) -> None:
    unflushed = 0
    for chunk in chunks:
        offset += len(chunk)
        if offset > length:
            raise DownloadLengthMismatchError(f"{url}: more than the {length:,} bytes that were signed")
        view = memoryview(chunk)
        while view:
            view = view[file.write(view) :]
        unflushed += len(chunk)
        if unflushed >= _FLUSH_BYTES:
            os.fsync(file.fileno())
            unflushed = 0


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _read_tag(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii")
    except (FileNotFoundError, UnicodeDecodeError):
        return None
