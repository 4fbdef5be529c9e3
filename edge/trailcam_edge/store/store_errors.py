"""Errors of the disk and the database, classified: full, read-only, failing, locked, corrupt."""

import errno
import sqlite3

from trailcam_core.errors import DeviceError

DISK_FULL = "disk full"
DISK_READ_ONLY = "disk read-only"
DISK_FAILING = "disk failing"
LOCKED = "database locked"

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
    sqlite3.SQLITE_BUSY: LOCKED,
    sqlite3.SQLITE_LOCKED: LOCKED,
    sqlite3.SQLITE_PROTOCOL: LOCKED,
}
_CURES = {
    DISK_FULL: "Free some space, or lower the store's size limit; new events wait in memory until then",
    DISK_READ_ONLY: "A card that Linux made read-only is often failing: check dmesg, copy the store, replace the card",
    DISK_FAILING: "Check dmesg, copy the store, replace the card",
    LOCKED: "Another program holds the database, such as a backup or a database browser: close it",
}
_CORRUPT = (
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_ERROR,  # our statements fit our tables, so the tables are damaged
    sqlite3.SQLITE_SCHEMA,
    sqlite3.SQLITE_MISMATCH,
    sqlite3.SQLITE_TOOBIG,
    sqlite3.SQLITE_FORMAT,
)
# Raised by values that are damaged, where rows are read.
VALUE_ERRORS = (UnicodeDecodeError, OverflowError, ValueError, IndexError, TypeError)


class StoreUnavailableError(DeviceError):
    """Nothing can be stored at present; ``reason`` is one of the constants of this module."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class StoreCorruptError(DeviceError):
    """The database is damaged and has to be set aside."""


def translate_error(error: Exception, place: object) -> StoreUnavailableError | StoreCorruptError:
    """Return the error to raise for one of the system, SQLite, or a decoder of rows; ``place`` names file or folder."""
    if isinstance(error, OSError):
        return _unavailable(_BY_ERRNO.get(error.errno or 0, DISK_FAILING), error, place)
    code = getattr(error, "sqlite_errorcode", None)
    undecodable = not isinstance(error, sqlite3.Error) or (code is None and isinstance(error, sqlite3.OperationalError))
    primary = (code or 0) & 0xFF  # of an extended one
    if undecodable or primary in _CORRUPT:
        return StoreCorruptError(f"{place}: the database is damaged ({error}).")
    return _unavailable(_BY_SQLITE.get(primary, DISK_FAILING), error, place)


def _unavailable(reason: str, error: Exception, place: object) -> StoreUnavailableError:
    return StoreUnavailableError(f"{place}: {reason} ({error}). {_CURES[reason]}.", reason)
