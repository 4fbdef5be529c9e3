"""What a picture is named by: a path, or an address; read the bytes of either, with bounds."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from trailcam_archive.batch.download import MAX_DOWNLOAD_BYTES, download
from trailcam_core.errors import DeviceError, SourceError
from trailcam_core.errors.install_command import install_command
from trailcam_core.images.decode import read_file_bytes
from trailcam_core.network.secrets import mask_address, mask_text

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{1,20}://")
_WEB = ("http://", "https://")
_ONE_REQUEST = {"max_concurrency": 1}  # s3fs asks for the size first where it may read parts at once
_OPTIONS = {"s3": _ONE_REQUEST, "s3a": _ONE_REQUEST}  # of a storage, by the scheme of its addresses


def is_address(text: str) -> bool:
    """Return whether a text is an address such as https://host/a.jpg or s3://bucket/folder."""
    return _ADDRESS.match(text) is not None


def is_web_address(text: str) -> bool:
    """Return whether a text is the address of one file on a web server."""
    return text.lower().startswith(_WEB)


def shown(reference: str) -> str:
    """Return a path or an address for messages and rows, without the secrets of an address."""
    return mask_address(reference) if is_address(reference) else reference


def read_reference(reference: str) -> bytes:
    """Read a file or fetch an address.

    Raises:
        DeviceError: the address needs a package that is not installed.
        SourceError: it cannot be read, or is too large.
    """
    if is_web_address(reference):
        return download(reference)
    if is_address(reference):
        return _read_remote(reference)
    return read_file_bytes(Path(reference))


def _read_remote(address: str) -> bytes:
    """Read a file of a storage, whose size the listing has checked."""
    with remote_errors(address):
        options = _OPTIONS.get(address.partition("://")[0].lower(), {})
        file = open_filesystem()(address, "rb", **options)
        content = bytes(file.fs.cat_file(file.path))  # in one request, where ``open`` makes two
    if len(content) > MAX_DOWNLOAD_BYTES:
        raise SourceError(f"{shown(address)}: more than {MAX_DOWNLOAD_BYTES:,} bytes, expected a picture.")
    return content


def open_filesystem() -> Any:
    """Return ``fsspec.open``, which reads s3://, gs://, az:// and others.

    Raises:
        DeviceError: fsspec is not installed.
    """
    try:
        import fsspec
    except ModuleNotFoundError as error:
        raise DeviceError(
            "addresses other than http:// and https:// need fsspec, and the package of the storage, such as s3fs for "
            f"s3://: {install_command('cluster')}"
        ) from error
    return fsspec.open


@contextmanager
def remote_errors(address: str) -> Iterator[None]:
    """Turn what the drivers of fsspec raise, which is theirs to choose, into a ``SourceError``."""
    try:
        yield
    except DeviceError:
        raise
    except ImportError as error:  # fsspec names the package that is missing
        raise DeviceError(f"{shown(address)}: {error}.") from error
    except FileNotFoundError as error:
        raise SourceError(f"{shown(address)}: no such file, folder or bucket.") from error
    except Exception as error:
        reason = mask_text(str(error).splitlines()[0] if str(error) else type(error).__name__)
        raise SourceError(f"{shown(address)}: cannot be read ({reason}).") from error


def identity_of(reference: str) -> tuple[int, int]:
    """Return size in bytes and time of change in ns of a file, (0, 0) for an address or an unreadable file."""
    if is_address(reference):
        return 0, 0
    try:
        status = os.stat(reference)  # noqa: PTH116 - millions of paths stay texts
    except OSError:
        return 0, 0
    return status.st_size, status.st_mtime_ns
