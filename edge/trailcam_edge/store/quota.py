"""Keep a store below its size limit and the disk above its minimum: check before every write, delete by the rule."""

import logging
import shutil
from dataclasses import dataclass
from typing import NamedTuple

from trailcam_edge.events import Clip
from trailcam_edge.store.database import Database, insert
from trailcam_edge.store.disk.keeping import KeptVisit, choose_kept
from trailcam_edge.store.disk.picture_folder import PictureFolder, size_on_disk
from trailcam_edge.store.disk.retention import RetentionItem, allocate_deletions, choose_deletions
from trailcam_edge.store.open_database import SET_ASIDE_FOLDER, folder_bytes
from trailcam_edge.store.settings import CollectSettings, StoreSettings
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
    "(SELECT visit_id FROM visits UNION ALL SELECT sample_id FROM samples) ORDER BY review_id LIMIT ?) "
    "RETURNING review_id"
)
_OLD_SAMPLES = (
    "DELETE FROM samples WHERE number IN "
    "(SELECT number FROM samples WHERE picture_bytes = 0 AND reviewed = 0 ORDER BY number LIMIT ?) RETURNING number"
)
# Number, name, label, bytes, confidence and time.
_TIME = "coalesce({0}_wall_s, {0}_monotonic_s)"
_PICTURED = (
    "SELECT event_id, visit_id, label, picture_bytes, confidence, "  # noqa: S608 - constants
    f"{_TIME.format('started')} FROM visits WHERE picture_bytes > 0"
)
_PICTURED_SAMPLES = (
    "SELECT number, sample_id, '[' || kind || ' sample]', picture_bytes, 0.0, "  # noqa: S608 - constants
    f"{_TIME.format('taken')} FROM samples WHERE picture_bytes > 0"
)
_IS_THERE = "SELECT 1 FROM visits WHERE visit_id = ? UNION SELECT 1 FROM open_visits WHERE visit_id = ?"
_OF_NO_VISIT = "DELETE FROM clips WHERE visit_id NOT IN (SELECT visit_id FROM visits)"
_OF_DELETED = " AND visit_id NOT IN (SELECT visit_id FROM open_visits) RETURNING visit_id"
_CLIP_ITEMS = "SELECT event_id, visit_id, label, clip_bytes, 0.0, 0.0 FROM clips JOIN visits USING (visit_id)"
_GONE = "SET picture_bytes = 0, picture_state = 'expired'"
_FORGET = {  # of each table: the column of its names, and what happens to its row when a file is deleted
    "visits": ("visit_id", f"UPDATE visits {_GONE}"),
    "samples": ("sample_id", f"UPDATE samples {_GONE}"),
    "clips": ("visit_id", "DELETE FROM clips"),
}


class _File(NamedTuple):
    """A picture or clip, named in ``table``. ``number`` grows with time."""

    table: str
    number: int
    name: str
    label: str
    size_bytes: int
    confidence: float
    time_s: float


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
        self,
        settings: StoreSettings,
        database: Database,
        pictures: PictureFolder,
        clips: PictureFolder,
        collect: CollectSettings | None = None,
    ) -> None:
        """Set the limit that SQLite enforces for its file."""
        self._settings = settings
        self._collect = collect
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
        if self._database.one(_IS_THERE, clip.visit_id, clip.visit_id) is None:
            return False
        needed, share = size_on_disk(len(clip.content)), self._settings.max_bytes // _CLIPS_SHARE
        over = self._clips.bytes_on_disk + needed - share
        if needed > share or (over > 0 and self._expire(over, 0, clips_only=True) < over):
            return False
        if not self.reserve_picture(len(clip.content)):
            return False
        with self._database.translated(self._clips.path):
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
            self._forget([_File("clips", 0, name, "", 0, 0.0, 0.0) for name in swept.missing])

    def reserve_rows(self) -> None:
        """Delete rows if the database is close to its page limit.

        Reviews of visits that are gone go first, then samples without picture and review, then visits.

        Raises:
            StoreUnavailableError: the disk is full, read-only or failing.
        """
        pages = int(self._database.one("PRAGMA page_count")) - int(self._database.one("PRAGMA freelist_count"))
        if pages < _ROWS_FULL * int(self._database.one("PRAGMA max_page_count")):
            return
        counts = dict(self._database.rows("SELECT label, count(*) FROM visits GROUP BY label"))
        names: list[str] = []
        with self._database.transaction() as connection:
            if any(list(connection.execute(query, (_REVIEWS_BATCH,))) for query in (_OLD_REVIEWS, _OLD_SAMPLES)):
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

        All are items of one list: the clip of a visit goes right before its picture. Pictures to learn from go last.
        """
        files = [_File("clips", *row) for row in self._database.rows(_CLIP_ITEMS)]
        if not clips_only:
            files += [_File("visits", *row) for row in self._database.rows(_PICTURED)]
            files += [_File("samples", *row) for row in self._database.rows(_PICTURED_SAMPLES)]
        kept = [
            RetentionItem(key, file.label, 2 * file.number + (file.table != "clips"), size_on_disk(file.size_bytes))
            for key, file in enumerate(files)
        ]
        chosen = choose_deletions(kept, needed_bytes, spare_per_label, self._to_learn_from(files))
        going = [files[key] for key in chosen]
        try:
            self._forget(going)
        except StoreUnavailableError as error:
            if error.reason != DISK_FULL:
                raise
            # Not even the update of the rows fits. Deleting the files first frees space for it; the sweep at the next
            # start repairs a power cut in between.
            self._remove_files(going)
            self._forget(going)
        self._remove_files(going)
        return sum(kept[key].size_bytes for key in chosen)

    def _to_learn_from(self, files: list["_File"]) -> frozenset[int]:
        """Return the positions of the pictures of visits that ``[collect]`` names."""
        if self._collect is None:
            return frozenset()
        visits = [
            KeptVisit(key, file.name, file.label, file.confidence, file.time_s)
            for key, file in enumerate(files)
            if file.table == "visits"
        ]
        return choose_kept(visits, self._collect)

    def _forget(self, files: list["_File"]) -> None:
        with self._database.transaction() as connection:
            for table, (key, change) in _FORGET.items():
                names = [(file.name,) for file in files if file.table == table]
                connection.executemany(f"{change} WHERE {key} = ?", names)

    def _remove_files(self, files: list["_File"]) -> None:
        self._remove(
            [file.name for file in files if file.table != "clips"],
            [file.name for file in files if file.table == "clips"],
        )

    def _remove(self, pictures: list[str], clips: list[str]) -> None:
        with self._database.translated():
            for visit_id in pictures:
                self._pictures.remove(visit_id)
            for visit_id in clips:
                self._clips.remove(visit_id)
