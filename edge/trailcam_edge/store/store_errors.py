"""Errors of the disk and the database, classified: full, read-only, forbidden, missing, failing, locked, corrupt."""

import errno
import os
import sqlite3

from trailcam_core.errors import DeviceError, reason_of

DISK_FULL = "disk full"
DISK_READ_ONLY = "disk read-only"
DISK_FAILING = "disk failing"
LOCKED = "database locked"
NO_PERMISSION = "no permission"
NO_FOLDER = "no such folder"

_BY_ERRNO = {
    errno.ENOSPC: DISK_FULL,
    errno.EDQUOT: DISK_FULL,
    errno.EFBIG: DISK_FULL,
    errno.EROFS: DISK_READ_ONLY,
    errno.EACCES: NO_PERMISSION,
    errno.EPERM: NO_PERMISSION,
    errno.ENOENT: NO_FOLDER,
    errno.ENOTDIR: NO_FOLDER,
    errno.EEXIST: NO_FOLDER,
    errno.ENAMETOOLONG: NO_FOLDER,
    errno.ELOOP: NO_FOLDER,
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
    NO_PERMISSION: "Give the user of this program the folder and all in it: chown -R USER FOLDER",
    NO_FOLDER: "A store is a folder on a mounted disk: check its path, and that the disk is mounted",
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
    reason = _BY_SQLITE.get(primary, DISK_FAILING)
    if reason == DISK_READ_ONLY and _is_forbidden(str(place)):
        reason = NO_PERMISSION
    return _unavailable(reason, error, place)


def _is_forbidden(place: str) -> bool:
    """Return True if this user may not write to a file or folder on a disk that is not read-only."""
    try:
        return not (os.access(place, os.W_OK) or os.statvfs(place).f_flag & os.ST_RDONLY)
    except OSError:
        return False


def _unavailable(reason: str, error: Exception, place: object) -> StoreUnavailableError:
    cause = reason_of(error) if isinstance(error, OSError) else error  # without a path: the place is named already
    return StoreUnavailableError(f"{place}: {reason} ({cause}). {_CURES[reason]}.", reason)
