"""Carry the reviews of a store at home over into its newer copy that comes from the camera."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trailcam_core.files.atomic import make_folder
from trailcam_edge.store.database import Database
from trailcam_edge.store.disk.picture_folder import PictureFolder
from trailcam_edge.store.open_database import DATABASE_FILE, PICTURES_FOLDER, Lock, open_database, open_read_only
from trailcam_edge.store.reviews.samples import remove_refused
from trailcam_edge.store.reviews.tables import copy_reviews


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a store, whose folder is made if it is missing.

    Raises:
        DeviceError: another process holds it.
        OSError: the folder cannot be made or written to.
    """
    make_folder(folder)
    lock = Lock(folder)
    try:
        yield
    finally:
        lock.release()


def carry_reviews(folder: Path, new: Path) -> None:
    """Add the reviews that only the old database has to the new one.

    They come after those that the camera has, in their order. Without an old database nothing is to be done.

    Args:
        folder: of the store at home; the caller has its lock.
        new: a folder with the newer database of the same store.

    Raises:
        StoreCorruptError: a database is damaged.
        DeviceError: one belongs to another program, or to a newer Trailcam.
    """
    if not (folder / DATABASE_FILE).is_file():
        return
    open_database(folder).close()  # of an older schema perhaps
    old = open_read_only(folder)
    newer = Database(open_database(new), new)
    try:
        with newer.transaction():
            names = copy_reviews(old, newer.connection)
        remove_refused(newer, PictureFolder(folder / PICTURES_FOLDER), names)
    finally:
        old.close()
        newer.connection.close()
