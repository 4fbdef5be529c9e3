"""Keep a store below its size limit and the disk above its minimum: check before every write, delete by the rule."""

import logging
import shutil
from dataclasses import dataclass

from trailcam_edge.events import Clip
from trailcam_edge.store.database import Database, insert
from trailcam_edge.store.disk.picture_folder import PictureFolder, size_on_disk
from trailcam_edge.store.disk.retention import RetentionItem, allocate_deletions, choose_deletions
from trailcam_edge.store.open_database import SET_ASIDE_FOLDER, folder_bytes
from trailcam_edge.store.settings import StoreSettings
from trailcam_edge.store.store_errors import DISK_FULL, StoreUnavailableError

_log = logging.getLogger(__name__)
_PAGE_BYTES = 4096
_DATABASE_SHARE = 4  # the database gets at most a quarter of the limit: 500 MB of rows are some 1.2 million visits
_CLIPS_SHARE = 4  # clips get another quarter: one takes the space of some five pictures
_LOG_RESERVE_BYTES = 2_000_000  # possible growth of the write-ahead log between two checks
_SLACK_SHARE = 64  # a deletion frees 1/64 of the limit more than needed, so that not every visit deletes
_ROWS_FULL = 0.95  # of the pages that the database may have; then rows are deleted
_ROWS_BATCH = 0.02
_REVIEWS_BATCH = 1000
_OLD_REVIEWS = (
    "DELETE FROM reviews WHERE review_id IN (SELECT review_id FROM reviews WHERE visit_id NOT IN "
    "(SELECT visit_id FROM visits) ORDER BY review_id LIMIT ?) RETURNING review_id"
)
_IS_THERE = "SELECT 1 FROM visits WHERE visit_id = ?1 UNION SELECT 1 FROM open_visits WHERE visit_id = ?1"
_OF_NO_VISIT = "DELETE FROM clips WHERE visit_id NOT IN (SELECT visit_id FROM visits)"
_OF_DELETED = " AND visit_id NOT IN (SELECT visit_id FROM open_visits) RETURNING visit_id"
_PICTURE_ITEMS = "SELECT event_id, visit_id, label, picture_bytes FROM visits WHERE picture_bytes > 0"
_CLIP_ITEMS = "SELECT event_id, visit_id, label, clip_bytes FROM clips JOIN visits USING (visit_id)"


@dataclass(frozen=True)
class StoreUsage:
    """Used and free space, in bytes on disk."""

    database_bytes: int
    pictures_bytes: int
    set_aside_bytes: int
    max_bytes: int
    free_bytes: int
    clips_bytes: int = 0

    @property
    def taken_bytes(self) -> int:
        """Everything that counts for the limit."""
        return self.database_bytes + self.pictures_bytes + self.set_aside_bytes + self.clips_bytes


class Quota:
    """The disk quota of one store."""

    def __init__(
        self, settings: StoreSettings, database: Database, pictures: PictureFolder, clips: PictureFolder
    ) -> None:
        """Set the limit that SQLite enforces for its file."""
        self._settings = settings
        self._database = database
        self._pictures = pictures
        self._clips = clips
        self._set_aside_bytes = folder_bytes(settings.folder / SET_ASIDE_FOLDER)
        database.one(f"PRAGMA max_page_count = {settings.max_bytes // _DATABASE_SHARE // _PAGE_BYTES}")

    def usage(self) -> StoreUsage:
        """Return the used and the free disk space."""
        return StoreUsage(
            self._database.bytes_on_disk(),
            self._pictures.bytes_on_disk,
            self._set_aside_bytes,
            self._settings.max_bytes,
            shutil.disk_usage(self._settings.folder).free,
            self._clips.bytes_on_disk,
        )

    def reserve_picture(self, size_bytes: int) -> bool:
        """Delete pictures and clips until a file of this size fits both limits; return False if that is not possible.

        Raises:
            StoreUnavailableError: the disk is full, read-only or failing.
        """
        needed = size_on_disk(size_bytes)
        usage = self.usage()
        over = usage.taken_bytes + needed + _LOG_RESERVE_BYTES - self._settings.max_bytes
        short = needed + self._settings.min_free_bytes - usage.free_bytes
        slack = self._settings.max_bytes // _SLACK_SHARE
        freed = self._expire(over + slack, spare_per_label=0) if over > 0 else 0
        if freed < over:
            return False
        return short <= freed or self._expire(short - freed + slack, spare_per_label=1) >= short - freed

    def add_clip(self, clip: Clip) -> bool:
        """Store a clip; return False if its visit is gone, or there is no space for it.

        Clips get a share of the limit, in which they make space for each other.

        Raises:
            StoreUnavailableError: the disk is full, read-only or failing; nothing of the clip is left.
        """
        if self._database.one(_IS_THERE, clip.visit_id) is None:
            return False
        needed, share = size_on_disk(len(clip.content)), self._settings.max_bytes // _CLIPS_SHARE
        over = self._clips.bytes_on_disk + needed - share
        if needed > share or (over > 0 and self._expire(over, 0, clips_only=True) < over):
            return False
        if not self.reserve_picture(len(clip.content)):
            return False
        with self._database.translated():
            self._clips.write(clip.visit_id, clip.content)
        row = {"visit_id": clip.visit_id, "clip_bytes": len(clip.content)}
        times = {"offset_s": float(clip.offset_s), "duration_s": float(clip.duration_s)}
        try:
            with self._database.transaction() as connection:
                insert(connection, "clips", row | times, replace=True)
        except BaseException:
            self._clips.remove(clip.visit_id)
            raise
        return True

    def sweep_clips(self) -> None:
        """Make clips, their rows and their visits consistent after a crash."""
        with self._database.transaction() as connection:
            connection.execute(_OF_NO_VISIT)
        known = dict(self._database.rows("SELECT visit_id, clip_bytes FROM clips"))
        with self._database.translated():
            swept = self._clips.sweep(known)
        if swept.missing:
            _log.warning("%s: %d clips are gone.", self._clips.path, len(swept.missing))
            self._forget([], list(swept.missing))

    def reserve_rows(self) -> None:
        """Delete rows if the database is close to its page limit: first reviews of visits that are gone, then visits.

        Raises:
            StoreUnavailableError: the disk is full, read-only or failing.
        """
        pages = int(self._database.one("PRAGMA page_count")) - int(self._database.one("PRAGMA freelist_count"))
        if pages < _ROWS_FULL * int(self._database.one("PRAGMA max_page_count")):
            return
        counts = dict(self._database.rows("SELECT label, count(*) FROM visits GROUP BY label"))
        names: list[str] = []
        with self._database.transaction() as connection:
            if list(connection.execute(_OLD_REVIEWS, (_REVIEWS_BATCH,))):
                return
            for label, number in allocate_deletions(counts, max(1, int(_ROWS_BATCH * sum(counts.values())))).items():
                gone = connection.execute(
                    "DELETE FROM visits WHERE event_id IN "
                    "(SELECT event_id FROM visits WHERE label = ? ORDER BY event_id LIMIT ?) "
                    "RETURNING visit_id, picture_bytes",
                    (label, number),
                )
                names += [visit_id for visit_id, picture_bytes in gone if picture_bytes]
            clips = [visit_id for (visit_id,) in connection.execute(_OF_NO_VISIT + _OF_DELETED)]
        self._remove(names, clips)

    def _expire(self, needed_bytes: int, spare_per_label: int, clips_only: bool = False) -> int:
        """Delete pictures and clips by the retention rule and return the freed space.

        Both are items of one list: the clip of a visit goes right before its picture.
        """
        rows = [(2 * row[0], *row[1:]) for row in self._database.rows(_CLIP_ITEMS)]
        if not clips_only:
            rows += [(2 * row[0] + 1, *row[1:]) for row in self._database.rows(_PICTURE_ITEMS)]
        kept = {row[0]: RetentionItem(row[0], row[2], row[0], size_on_disk(row[3])) for row in rows}
        chosen = choose_deletions(kept.values(), needed_bytes, spare_per_label)
        going = set(chosen)
        pictures, clips = (
            [row[1] for row in rows if row[0] in going and row[0] % 2 == is_picture] for is_picture in (1, 0)
        )
        try:
            self._forget(pictures, clips)
        except StoreUnavailableError as error:
            if error.reason != DISK_FULL:
                raise
            # Not even the update of the rows fits. Deleting the files first frees space for it; the sweep at the next
            # start repairs a power cut in between.
            self._remove(pictures, clips)
            self._forget(pictures, clips)
        self._remove(pictures, clips)
        return sum(kept[key].size_bytes for key in chosen)

    def _forget(self, pictures: list[str], clips: list[str]) -> None:
        with self._database.transaction() as connection:
            connection.executemany(
                "UPDATE visits SET picture_bytes = 0, picture_state = 'expired' WHERE visit_id = ?",
                [(visit_id,) for visit_id in pictures],
            )
            connection.executemany("DELETE FROM clips WHERE visit_id = ?", [(visit_id,) for visit_id in clips])

    def _remove(self, pictures: list[str], clips: list[str]) -> None:
        with self._database.translated():
            for visit_id in pictures:
                self._pictures.remove(visit_id)
            for visit_id in clips:
                self._clips.remove(visit_id)
