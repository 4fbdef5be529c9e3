"""Go on with a download where it was cut off: minutes ago by a bad line, or days ago by a power failure.

Part of a file lies under the file's own name, which begins with the digest that TUF has signed; it is flushed as it
grows. What it has become is held against that digest here, so that a part of something else is thrown away and fetched
once anew, and against the signed length and digests once more by python-tuf, which knows nothing of all this.
"""

import hashlib
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from tuf.api.exceptions import DownloadError, DownloadHTTPError, DownloadLengthMismatchError, SlowRetrievalError
from tuf.ngclient.fetcher import FetcherInterface

from trailcam_core.files.atomic import sync_directory, write_file
from trailcam_edge.update.fetch.fetchers import RangedFetcher

__all__ = ["ResumingFetcher", "held_bytes"]

_NAMED_BY_DIGEST = re.compile(r"([0-9a-f]{64})\.[A-Za-z0-9._-]{1,150}")
_VALIDATOR_SUFFIX = ".etag"
_UNNAMED = "unnamed"
_FLUSH_BYTES = 1 << 20  # what a power cut costs at most
_CHUNK_BYTES = 1 << 20
_KEPT_PARTS = 2  # of releases that were never finished; each may be as large as a model


def held_bytes(folder: Path) -> int:
    """Return the room that parts of downloads take in a folder; 0 where there is none."""
    return sum(item.stat().st_size for item in folder.iterdir()) if folder.is_dir() else 0


class ResumingFetcher(FetcherInterface):
    """Keeps what was fetched of a file until the file has been verified.

    Args:
        fetcher: does the work; one that knows ranges is asked for what is missing, any other for everything.
        folder: of the parts; made where it is missing.
        attempts: how often a connection that is lost is made again. One that brought nothing is the last.
        pause_s: before each of them.
    """

    def __init__(self, fetcher: FetcherInterface, folder: Path, attempts: int = 5, pause_s: float = 2.0) -> None:
        self._fetcher = fetcher
        self._folder = folder
        self._attempts = attempts
        self._pause_s = pause_s

    def _fetch(self, url: str) -> Iterator[bytes]:
        return self._fetcher.fetch(url)

    def download_bytes(self, url: str, max_length: int) -> bytes:
        """Fetch something small, which is never resumed: metadata."""
        content = bytearray()
        for chunk in self.fetch(url):
            content += chunk
            if len(content) > max_length:
                raise DownloadLengthMismatchError(f"{url}: more than the {max_length:,} bytes that were expected")
        return bytes(content)

    @contextmanager
    def download_file(self, url: str, max_length: int) -> Iterator[IO[bytes]]:
        """Give a file with the content, whole, for python-tuf to verify; it is kept no longer than that takes.

        Args:
            url: a name that begins with the content's SHA-256 may be resumed.
            max_length: the signed length.

        Raises:
            DownloadError: the host does not give it; what came is kept for the next time.
            OSError: the disk is full, read-only or failing; nothing is kept.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        name = url.rpartition("/")[2]
        found = _NAMED_BY_DIGEST.fullmatch(name)
        part = self._folder / (_UNNAMED if found is None else name)
        self._forget_others(part)
        if found is None:
            self._drop(part)
        try:
            pieced = self._complete(url, part, max_length)
            if pieced and found is not None and _sha256(part) != found[1]:
                self._drop(part)
                self._complete(url, part, max_length)
        except (DownloadLengthMismatchError, OSError):
            self._drop(part)
            raise
        try:
            with open(part, "rb") as file:
                yield file
        finally:
            self._drop(part)  # it was taken, or is not what was signed

    def _complete(self, url: str, part: Path, length: int) -> bool:
        """Bring a part to its length, over as many connections as it takes; say whether it took more than one."""
        for attempt in range(1, self._attempts + 1):
            before = _size(part)
            if before == length > 0:
                break
            try:
                self._go_on(url, part, before, length)
                return before > 0
            except (DownloadHTTPError, DownloadLengthMismatchError, SlowRetrievalError):
                raise
            except DownloadError:
                if attempt == self._attempts or _size(part) == before:
                    raise
            time.sleep(self._pause_s)
        return True

    def _go_on(self, url: str, part: Path, size: int, length: int) -> None:
        """Fetch what is missing and write it behind what is there, or all of it in its place."""
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
        if _size(part) < length:  # a host that does not state the length ends like one that is whole
            raise DownloadError(f"{url}: ended after {_size(part):,} of {length:,} bytes")

    def _forget_others(self, part: Path) -> None:
        """Keep the newest parts of other files: a release that came in between may be withdrawn again."""
        parts = [item for item in self._folder.iterdir() if item != part and item.suffix != _VALIDATOR_SUFFIX]
        for old in sorted(parts, key=lambda item: item.stat().st_mtime, reverse=True)[_KEPT_PARTS:]:
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


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
