"""Errors of the disk and the database, classified: full, read-only, failing, corrupt."""

import errno
import sqlite3

from trailcam_core.errors import DeviceError

DISK_FULL = "disk full"
DISK_READ_ONLY = "disk read-only"
DISK_FAILING = "disk failing"

_BY_ERRNO = {
    errno.ENOSPC: DISK_FULL,
    errno.EDQUOT: DISK_FULL,
    errno.EFBIG: DISK_FULL,
    errno.EROFS: DISK_READ_ONLY,
    errno.EACCES: DISK_READ_ONLY,
    errno.EPERM: DISK_READ_ONLY,
}
_BY_SQLITE = {
    sqlite3.SQLITE_FULL: DISK_FULL,
    sqlite3.SQLITE_READONLY: DISK_READ_ONLY,
    sqlite3.SQLITE_PERM: DISK_READ_ONLY,
    sqlite3.SQLITE_CANTOPEN: DISK_READ_ONLY,
}
_CURES = {
    DISK_FULL: "Free some space, or lower the store's size limit; new events wait in memory until then",
    DISK_READ_ONLY: "A card that Linux made read-only is often failing: check dmesg, copy the store, replace the card",
    DISK_FAILING: "Check dmesg, copy the store, replace the card",
}
_CORRUPT = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class StoreUnavailableError(DeviceError):
    """Nothing can be stored at present; ``reason`` is one of the constants of this module."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class StoreCorruptError(DeviceError):
    """The database is damaged and has to be set aside."""


def translate_error(error: OSError | sqlite3.Error, place: object) -> StoreUnavailableError | StoreCorruptError:
    """Return the error to raise for an error of the system or SQLite; ``place`` names the file or folder."""
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the primary code of an extended one
        if code in _CORRUPT:
            return StoreCorruptError(f"{place}: the database is damaged ({error}).")
        reason = _BY_SQLITE.get(code, DISK_FAILING)
    else:
        reason = _BY_ERRNO.get(error.errno or 0, DISK_FAILING)
    return StoreUnavailableError(f"{place}: {reason} ({error}). {_CURES[reason]}.", reason)
