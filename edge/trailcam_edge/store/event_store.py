"""Write events so that acknowledged ones survive a power cut, and so that the disk never fills up.

A picture or clip is written beside, flushed and renamed before its row is committed, so a row never names a missing or
partial one. A row is committed with a full flush before its number is returned. Deletion for space runs in the opposite
order: rows first, then files. Files without a row are removed when the store is opened.
"""

import logging
import threading
from collections.abc import Sequence

from trailcam_core.files.atomic import make_folder, sync_directory
from trailcam_edge.events import BlindTime, Clip, Moment, PictureSample, Visit, VisitChange
from trailcam_edge.store.database import Database, insert, moment_columns, moment_values, open_or_replace, visit_values
from trailcam_edge.store.disk.picture_folder import PictureFolder
from trailcam_edge.store.disk.visit_picture import encode_visit
from trailcam_edge.store.open_database import CLIPS_FOLDER, PICTURES_FOLDER, Lock, ask_for_check
from trailcam_edge.store.queue.live_queue import LiveQueue
from trailcam_edge.store.queue.open_visits import OpenVisits
from trailcam_edge.store.quota import Quota, StoreUsage
from trailcam_edge.store.reader import StoreReader
from trailcam_edge.store.records import EventRecord
from trailcam_edge.store.reviews.records import NewReview
from trailcam_edge.store.reviews.samples import add_sample, remove_refused
from trailcam_edge.store.reviews.tables import Saved, insert_reviews, undo_reviews
from trailcam_edge.store.settings import CollectSettings, StoreSettings
from trailcam_edge.store.store_errors import DISK_FULL, StoreCorruptError, StoreUnavailableError, translate_error

_log = logging.getLogger(__name__)


class EventStore:
    """The one writer of a store. Its methods may be called from any thread; each waits for the disk.

    All of them raise ``StoreUnavailableError`` if the disk is full, read-only or failing (retry later), and
    ``StoreCorruptError`` if the database is damaged (close the store and reopen it: the database is set aside).
    """

    def __init__(self, settings: StoreSettings, collect: CollectSettings | None = None) -> None:
        """Open a store, create it, or recover it after a power cut.

        Args:
            settings: the folder, which is created if it is missing, and its limits.
            collect: which pictures are deleted last; None makes no difference between them.

        Raises:
            StoreUnavailableError: the disk is full, read-only or failing.
            DeviceError: another process writes here, or the database belongs to a newer Trailcam or another program.
        """
        folder = self.folder = settings.folder
        self._quality = settings.jpeg_quality
        self._guard = threading.RLock()
        self._pictures = PictureFolder(folder / PICTURES_FOLDER)
        self._picture_problem = ""  # why the newest picture is not on the disk
        try:
            make_folder(folder)
            self._lock = Lock(folder)
        except OSError as error:
            raise translate_error(error, folder) from error
        try:
            self._database = Database(open_or_replace(folder, settings.max_set_aside_bytes), folder)
        except BaseException:
            self._lock.release()
            raise
        try:
            clips = PictureFolder(folder / CLIPS_FOLDER, ".mp4")
            self._quota = Quota(settings, self._database, self._pictures, clips, collect)
            self.queue = LiveQueue(self._database, self._guard)
            self._open = OpenVisits(self._database)
            self._sweep()
            with self._database.translated():  # a new folder is as durable as its name
                sync_directory(folder)
                sync_directory(folder.absolute().parent)
        except BaseException:
            self.close()
            raise

    @property
    def database(self) -> Database:
        """The database, for tables of other packages; the caller is the only user of the store meanwhile."""
        return self._database

    @property
    def damage(self) -> StoreCorruptError | None:
        """The damage that a statement of any thread has found: the store has to be reopened."""
        return self._database.damage

    def add_visit(self, visit: Visit) -> int:
        """Store a visit and return its event number; from then on it survives a power cut.

        A visit is stored only once. If there is no space for its picture, it is stored without.

        Raises:
            ValueError: an identifier that is not a file name, an image that cannot be encoded, values of a wrong type.
        """
        with self._guard:
            known = self._database.one("SELECT event_id FROM visits WHERE visit_id = ?", visit.visit_id)
            if known is not None:
                return int(known)
            picture_bytes, state = self._write_picture(visit)
            try:
                return self._insert(visit, picture_bytes, state)
            except StoreUnavailableError as error:
                if error.reason != DISK_FULL or not picture_bytes:
                    raise
                self._open.forget_picture(visit.visit_id)  # a later attempt writes it again
                with self._database.translated(self._pictures.path):  # its space may be enough for the row
                    self._pictures.remove(visit.visit_id)
                return self._insert(visit, 0, "dropped")

    def add_change(self, change: VisitChange) -> None:
        """Store a visit that is still open, for the sinks that want to know; ``add_visit`` closes it.

        Raises:
            ValueError: see ``add_visit``.
        """
        visit = change.visit
        with self._guard:
            if self._database.one("SELECT 1 FROM visits WHERE visit_id = ?", visit.visit_id) is None:
                self._open.store(change, *self._write_picture(visit))
                if self._picture_problem:  # the next attempt may succeed
                    self._open.forget_picture(visit.visit_id)

    def add_clip(self, clip: Clip) -> bool:
        """Store the clip of a visit that is open or stored; return False if it cannot be, and log why.

        A disk that does not take it costs the clip: visits and pictures come first.
        """
        why = "its visit is gone, or there is no space in the store."
        try:
            with self._guard:
                if self._quota.add_clip(clip):
                    return True
        except StoreUnavailableError as error:
            why = str(error)
        _log.warning("visit %s gets no clip: %s", clip.visit_id, why)
        return False

    def add_sample(self, sample: PictureSample) -> bool:
        """Store a picture of a time without a visit; return False if there is no room for it.

        Raises:
            ValueError: see ``add_visit``.
        """
        with self._guard:
            return add_sample(self._database, self._quota, self._pictures, self._quality, sample)

    def add_blind_time(self, blind: BlindTime) -> None:
        """Store a blind time."""
        with self._guard, self._database.transaction([blind.started, blind.ended]) as connection:
            moments = moment_values("started", blind.started) | moment_values("ended", blind.ended)
            insert(connection, "blind_times", {"reason": blind.reason, **moments, "station": blind.station})

    def begin_watch(self, moment: Moment, bundle: str) -> int:
        """Record the start of an interval of watching and return its number for ``extend_watch``."""
        moments = moment_values("started", moment) | moment_values("ended", moment)
        with self._guard, self._database.transaction([moment]) as connection:
            return insert(connection, "watches", {"bundle": bundle, **moments, "frames": 0})

    def extend_watch(self, watch_id: int, moment: Moment, frames: int) -> None:
        """Extend an interval of watching and set its number of frames; also keeps the disk above its minimum.

        A power cut loses at most the effort since the last call: once a minute is enough.
        """
        with self._guard:
            self._quota.reserve_picture(0)
            with self._database.transaction([moment]) as connection:
                connection.execute(
                    "UPDATE watches SET ended_boot_id = ?, ended_monotonic_s = ?, ended_wall_s = ?, frames = ? "
                    "WHERE watch_id = ?",
                    (*moment_columns(moment), frames, watch_id),
                )

    def add_reviews(self, reviews: Sequence[NewReview], unix_s: float | None) -> Saved:
        """Store answers of people; when this returns they survive a power cut, all of them or none.

        Args:
            reviews: the answers; those for visits that are gone are left out.
            unix_s: the time, None while the clock is not set.
        """
        with self._guard:
            self._quota.reserve_rows()
            with self._database.transaction():
                saved = insert_reviews(self._database.connection, reviews, unix_s)
            remove_refused(self._database, self._pictures, [review.visit_id for review in reviews])
            return saved

    def undo_reviews(self, review_ids: Sequence[int], reviewer: str, origin: str, unix_s: float | None) -> int:
        """Give a reviewer the answers that these rows replaced, as new rows; return how many."""
        with self._guard:
            self._quota.reserve_rows()
            with self._database.transaction():
                return undo_reviews(self._database.connection, review_ids, reviewer, origin, unix_s)

    def events_after(self, event_id: int, limit: int) -> list[EventRecord]:
        """Return the events stored after this one, oldest first, at most ``limit``."""
        with self._guard, self._database.reading():
            reader = StoreReader(self._database.connection)
            found = list(reader.events(after_event_id=event_id, limit=limit))
            if reader.damaged_rows:
                raise ValueError(f"the checksums of {reader.damaged_rows} rows are wrong")
            return found

    def last_event_id(self) -> int:
        """Return the newest event's number, 0 if there is none."""
        with self._guard:
            return int(self._database.one("SELECT coalesce(max(event_id), 0) FROM visits"))

    def counts(self) -> dict[str, int]:
        """Return the number of stored events of each label."""
        with self._guard:
            return dict(self._database.rows("SELECT label, count(*) FROM visits GROUP BY label ORDER BY label"))

    def acknowledged(self, sink: str) -> int | None:
        """Return the last event delivered to a sink, or None if there is none."""
        with self._guard:
            found = self._database.one("SELECT event_id FROM sinks WHERE name = ?", sink)
            return None if found is None else int(found)

    def acknowledge(self, sink: str, event_id: int) -> None:
        """Record that a sink has received everything up to this event."""
        with self._guard, self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO sinks (name, event_id) VALUES (?, ?) "
                "ON CONFLICT (name) DO UPDATE SET event_id = excluded.event_id",
                (sink, event_id),
            )

    def usage(self) -> StoreUsage:
        """Return the used and the free disk space."""
        with self._guard, self._database.translated():
            return self._quota.usage()

    def close(self) -> None:
        """Close the database and release the lock."""
        with self._guard:
            self._database.connection.close()
            if self.damage is not None:
                ask_for_check(self.folder)
            self._lock.release()

    def _sweep(self) -> None:
        """Close visits that a kill has left open, and make rows and pictures consistent."""
        closed = self._open.close_all(self._pictures.size_bytes)
        if closed:
            _log.info("%d visits were open when the camera ended; they are closed with what was known.", closed)
        known = {
            name: size
            for table, key in (("visits", "visit_id"), ("samples", "sample_id"))
            for name, size in self._database.rows(f"SELECT {key}, picture_bytes FROM {table} WHERE picture_bytes > 0")  # noqa: S608 - constants
        }
        self._quota.sweep_clips()
        with self._database.translated():
            swept = self._pictures.sweep(known)
        if swept.missing:
            _log.warning(
                "%s: %d pictures are gone; their events are still listed.", self._pictures.path, len(swept.missing)
            )
            with self._database.transaction() as connection:
                for key in ("visits SET {} WHERE visit_id", "samples SET {} WHERE sample_id"):
                    change = key.format("picture_bytes = 0, picture_state = 'missing'")
                    connection.executemany(f"UPDATE {change} = ?", [(name,) for name in swept.missing])

    def _write_picture(self, visit: Visit) -> tuple[int, str]:
        """Write the picture and return its size and state; without space an earlier one stays, or there is none."""
        if visit.best_frame is None:
            return self._earlier_picture(visit, "none")  # the size refuses a bad name as well
        written = self._open.written(visit)
        if written is not None:
            return written
        content = encode_visit(visit, visit.best_frame, self._quality)
        try:
            if self._quota.reserve_picture(len(content)):
                self._pictures.write(visit.visit_id, content)
                self._picture_problem = ""
                return len(content), "kept"
            why = f"{self.folder}: nothing more can be deleted for it within the limits of the store (see [store])"
        except OSError as error:
            why = str(translate_error(error, self._pictures.path)).removesuffix(".")
        except StoreUnavailableError as error:
            why = str(error).removesuffix(".")
        if why != self._picture_problem:  # once, not for every visit
            _log.warning("visit %s is stored without its newest picture: %s.", visit.visit_id, why)
        self._picture_problem = why
        return self._earlier_picture(visit, "dropped")

    def _earlier_picture(self, visit: Visit, otherwise: str) -> tuple[int, str]:
        """Return size and state of the picture that is on the disk since the visit opened, if there is one."""
        with self._database.translated():
            size_bytes = self._pictures.size_bytes(visit.visit_id)
        return (size_bytes, "kept") if size_bytes else (0, otherwise)

    def _insert(self, visit: Visit, picture_bytes: int, state: str) -> int:
        self._quota.reserve_rows()
        picture = {"picture_bytes": picture_bytes, "picture_state": state}
        with self._open.closing(visit), self._database.transaction([visit.started, visit.ended]) as connection:
            connection.execute("DELETE FROM open_visits WHERE visit_id = ?", (visit.visit_id,))
            return insert(connection, "visits", visit_values(visit) | picture)
