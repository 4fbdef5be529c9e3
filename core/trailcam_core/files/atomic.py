"""Atomic writes: a reader sees the whole file or folder or nothing of it, even after a power cut.

Everything is written beside its place, flushed to the disk, then renamed; the folder is flushed last, because a rename
is durable only when its directory is. Source: the "atomic rename" section of the Linux ``fsync(2)`` and ``rename(2)``
manual pages.
"""

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

STAGING_PREFIX = ".trailcam-staging-"
_DEVICES = (Path("/dev"), Path("/dev/fd"))  # as root, a rename would replace /dev/null or /dev/stdout for all programs
# File systems without the call: FAT and exFAT under another owner, shares of Windows, some FUSE file systems.
_NOT_SUPPORTED = (errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOTTY)
_OTHERS_MAY_READ = 0o004


def sync_directory(path: Path) -> None:
    """Flush a folder's own entries to the disk, where the file system can; CIFS and some of FUSE answer EINVAL.

    Raises:
        OSError: the folder cannot be opened or flushed.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, *_NOT_SUPPORTED):
            raise
    finally:
        os.close(descriptor)


def make_folder(path: Path, mode: int = 0o755) -> None:
    """Make a folder and its missing parents, which get the mode 755; the umask can only take rights away.

    ``Path.mkdir`` makes parents with the mode 777, which everybody may write with the umask 000.

    Raises:
        OSError: a part of the path is no folder, or nothing may be written there.
    """
    for parent in reversed(path.parents):
        if not parent.exists():
            parent.mkdir(0o755, exist_ok=True)
    path.mkdir(mode, exist_ok=True)


def write_file(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Write ``content`` to ``path`` in one step. An older file is replaced; a failure leaves it untouched.

    Raises:
        OSError: the disk is full, read-only or failing; nothing is left behind.
    """
    with staged_file(path, mode) as file:
        file.write(content)


@contextmanager
def staged_file(path: Path, mode: int = 0o644) -> Iterator[BinaryIO]:
    """Yield a file beside ``path`` to fill. It replaces ``path`` if the block succeeds, else it is removed.

    Raises:
        OSError: the disk is full, read-only or failing, or there is something else than a file at ``path``; nothing is
            left behind.
    """
    if path.is_dir():  # found now, before hours of work, and with its name
        raise IsADirectoryError(errno.EISDIR, "a folder, expected the name of a file", str(path))
    if (path.exists() and not path.is_file()) or path.absolute().parent in _DEVICES:
        raise OSError(errno.EINVAL, "a device or pipe, expected the name of a file", str(path))
    with _named(path.parent):
        descriptor, name = tempfile.mkstemp(prefix=STAGING_PREFIX, dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            _set_mode(descriptor, mode)
            os.fsync(descriptor)
        with _named(path):
            Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


@contextmanager
def staged_directory(path: Path) -> Iterator[Path]:
    """Yield a folder beside ``path`` to fill. It is renamed to ``path`` if the block succeeds, else removed.

    Args:
        path: the finished folder; it must not exist yet (a finished folder is immutable).

    Raises:
        FileExistsError: something exists at ``path``.
        OSError: the disk is full, read-only or failing; nothing is left at ``path``.
    """
    if path.exists() or path.is_symlink():
        raise FileExistsError(f"{path} exists already")
    make_folder(path.parent)
    with _named(path.parent):
        staging = Path(tempfile.mkdtemp(prefix=STAGING_PREFIX, dir=path.parent))
    try:
        yield staging
        _set_mode(staging, 0o755)
        _sync_tree(staging)
        staging.rename(path)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    sync_directory(path.parent)


def _set_mode(target: int | Path, mode: int) -> None:
    """Set the mode of a file or folder. FAT has none and refuses it to all but the owner: a public file goes on.

    Source: ``setattr_prepare`` of Linux, which answers EPERM where FAT is mounted for another user with ``umask=000``.

    Raises:
        OSError: the mode cannot be set, and the file is a secret or the file system has modes.
    """
    try:
        if isinstance(target, Path):
            target.chmod(mode)
        else:
            os.fchmod(target, mode)
    except OSError as error:
        if error.errno not in (errno.EPERM, *_NOT_SUPPORTED) or not mode & _OTHERS_MAY_READ:
            raise


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Give an ``OSError`` the path that the user knows, in place of that of a staging file."""
    try:
        yield
    except OSError as error:
        error.filename, error.filename2 = str(path), None
        raise


def remove_staging(folder: Path) -> None:
    """Remove the unfinished files of killed writers. No process may be writing into ``folder``."""
    for item in folder.glob(f"{STAGING_PREFIX}*") if folder.is_dir() else ():
        if item.is_dir() and not item.is_symlink():
            shutil.rmtree(item, ignore_errors=True)
        else:
            item.unlink(missing_ok=True)


def _sync_tree(root: Path) -> None:
    for folder, _, files in os.walk(root):
        for name in files:
            with open(Path(folder) / name, "rb") as file:
                os.fsync(file.fileno())
        sync_directory(Path(folder))
