"""ImageNet weights that Keras publishes as one file: fetch it over HTTPS, go on after a cut connection, check it."""

import fcntl
import hashlib
import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from trailcam_core.errors import TrainError
from trailcam_core.files.atomic import make_folder, sync_directory
from trailcam_core.jobs.progress import Progress, silent
from trailcam_core.network.tls import client_context

LOCK_FILE = ".fetching.lock"  # in the cache of Keras; it stays there, empty

_STAGE = "fetching weights"
_HDF5 = b"\x89HDF\r\n\x1a\n"  # the first bytes of every HDF5 file
_TIMEOUT_S = 30
_CHUNK_BYTES = 1 << 18
_PARTIAL_CONTENT, _RANGE_REFUSED = 206, 416
_NETWORK_ERRORS = (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError)


@dataclass(frozen=True)
class ImageNetFile:
    """The published ImageNet weights of a backbone: file name, URL of its folder, size, and MD5 if Keras states one.

    Keras publishes MD5 digests. They find a damaged file, not a malicious one; HTTPS names the host. Without a digest
    only the first bytes are checked, which the page of a login does not have. The size is only shown to users.
    """

    file: str
    folder_url: str
    size_bytes: int
    md5: str = ""

    @property
    def cache_path(self) -> Path:
        """The path of the file in the cache of Keras."""
        return Path.home() / ".keras" / "models" / self.file

    @property
    def url(self) -> str:
        """The URL of the file."""
        return f"{self.folder_url}/{self.file}"

    def fetch(self, progress: Progress = silent) -> Path:
        """Return the path of the file; it is fetched where the cache does not hold it whole.

        A cut download stays beside it as ``FILE.part``, and the next one goes on from there. One process fetches it,
        and others wait.

        Raises:
            TrainError: no network, a cut download, or another file.
            OSError: the disk is full or failing.
        """
        target = self.cache_path
        if self._is_whole(target):
            return target
        make_folder(target.parent)
        part = target.with_name(f"{self.file}.part")
        with _locked(target.parent):
            if self._is_whole(target):  # another process fetched it meanwhile
                return target
            with open(part, "ab") as file:
                try:
                    self._receive(file, progress)
                except _NETWORK_ERRORS as error:
                    raise self._not_fetched(f"{error}", file.tell()) from error
                os.fsync(file.fileno())
            self._check(part)
            part.replace(target)
        sync_directory(target.parent)
        return target

    def _receive(self, file: BinaryIO, progress: Progress) -> None:
        start = file.seek(0, os.SEEK_END)
        try:
            answer = self._open(start)
        except urllib.error.HTTPError as error:
            if not start or error.code != _RANGE_REFUSED:
                raise
            answer = self._open(0)  # what is there is no beginning of this file
        with answer:
            if answer.status != _PARTIAL_CONTENT:
                start = 0
                file.truncate(0)
            total = start + int(answer.headers.get("Content-Length") or 0)
            done = start
            while chunk := answer.read(_CHUNK_BYTES):
                file.write(chunk)
                done += len(chunk)
                progress(_STAGE, done, max(done, total))
        file.flush()
        if done < total:
            raise ConnectionError(f"the connection ended {total - done:,} bytes before the end of the file")

    def _open(self, start: int) -> http.client.HTTPResponse:
        headers = {"Range": f"bytes={start}-"} if start else {}
        request = urllib.request.Request(self.url, headers=headers)  # noqa: S310 (the address is a constant of a recipe)
        opened: http.client.HTTPResponse = urllib.request.urlopen(  # noqa: S310 (the same)
            request, timeout=_TIMEOUT_S, context=client_context() if self.url.startswith("https:") else None
        )
        return opened

    def _is_whole(self, path: Path) -> bool:
        if not path.is_file():
            return False
        return _md5_of(path) == self.md5 if self.md5 else _begins_as_hdf5(path)

    def _check(self, part: Path) -> None:
        if self._is_whole(part):
            return
        found = f"the file has the MD5 {_md5_of(part)}, expected {self.md5}" if self.md5 else "it is no HDF5 file"
        part.unlink()
        raise TrainError(
            f"{self.url}: {found}. It is damaged or another file, and was removed. Try again, or fetch it by hand and "
            'name it with "--weights PATH".'
        )

    def _not_fetched(self, reason: str, kept_bytes: int) -> TrainError:
        kept = f" {kept_bytes:,} bytes are kept; the next try goes on from there." if kept_bytes else ""
        return TrainError(
            f"the ImageNet weights {self.file} cannot be fetched ({reason}).{kept} Or fetch {self.url} on a machine "
            f'with a network and put it at {self.cache_path}, or name it with "--weights PATH".'
        )


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder; wait while another process has it."""
    with open(folder / LOCK_FILE, "ab") as lock:  # of a network disk only a file that may be written can be locked
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _md5_of(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _begins_as_hdf5(path: Path) -> bool:
    with open(path, "rb") as file:
        return file.read(len(_HDF5)) == _HDF5
