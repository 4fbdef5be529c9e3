"""Keep a store below its size limit and the disk above its minimum: check before every write, delete by the rule."""

import shutil
from dataclasses import dataclass

from trailcam_edge.store.database import Database
from trailcam_edge.store.disk.keeping import KeptVisit, choose_kept
from trailcam_edge.store.disk.picture_folder import PictureFolder, size_on_disk
from trailcam_edge.store.disk.retention import RetentionItem, allocate_deletions, choose_deletions
from trailcam_edge.store.open_database import SET_ASIDE_FOLDER, folder_bytes
from trailcam_edge.store.settings import CollectSettings, StoreSettings
from trailcam_edge.store.store_errors import DISK_FULL, StoreUnavailableError

_PAGE_BYTES = 4096
_DATABASE_SHARE = 4  # the database gets at most a quarter of the limit: 500 MB of rows are some 1.2 million visits
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
# Key, name, label, bytes, confidence and time; the keys of samples are negative.
_TIME = "coalesce({0}_wall_s, {0}_monotonic_s)"
_PICTURED = (
    "SELECT event_id, visit_id, label, picture_bytes, confidence, "  # noqa: S608 - constants
    f"{_TIME.format('started')} FROM visits WHERE picture_bytes > 0"
)
_PICTURED_SAMPLES = (
    "SELECT -number, sample_id, '[' || kind || ' sample]', picture_bytes, 0.0, "  # noqa: S608 - constants
    f"{_TIME.format('taken')} FROM samples WHERE picture_bytes > 0"
)


@dataclass(frozen=True)
class StoreUsage:
    """Used and free space, in bytes on disk."""

    database_bytes: int
    pictures_bytes: int
    set_aside_bytes: int
    max_bytes: int
    free_bytes: int


class Quota:
    """The disk quota of one store."""

    def __init__(
        self,
        settings: StoreSettings,
        database: Database,
        pictures: PictureFolder,
        collect: CollectSettings | None = None,
    ) -> None:
        """Set the limit that SQLite enforces for its file."""
        self._settings = settings
        self._collect = collect
        self._database = database
        self._pictures = pictures
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
        )

    def reserve_picture(self, size_bytes: int) -> bool:
        """Delete pictures until one of this size fits both limits; return False if that is not possible.

        Raises:
            StoreUnavailableError: the disk is full, read-only or failing.
        """
        needed = size_on_disk(size_bytes)
        usage = self.usage()
        taken = usage.database_bytes + usage.pictures_bytes + usage.set_aside_bytes
        over = taken + needed + _LOG_RESERVE_BYTES - self._settings.max_bytes
        short = needed + self._settings.min_free_bytes - usage.free_bytes
        slack = self._settings.max_bytes // _SLACK_SHARE
        freed = self._expire(over + slack, spare_per_label=0) if over > 0 else 0
        if freed < over:
            return False
        return short <= freed or self._expire(short - freed + slack, spare_per_label=1) >= short - freed

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
        for name in names:
            self._pictures.remove(name)

    def _expire(self, needed_bytes: int, spare_per_label: int) -> int:
        """Delete pictures by the retention rule, those to learn from last, and return the freed space."""
        rows = self._database.rows(_PICTURED) + self._database.rows(_PICTURED_SAMPLES)
        kept = {row[0]: RetentionItem(row[0], row[2], abs(row[0]), size_on_disk(row[3])) for row in rows}
        visits = [KeptVisit(row[0], row[1], row[2], row[4], row[5]) for row in rows if row[0] > 0]
        wanted = choose_kept(visits, self._collect) if self._collect is not None else frozenset()
        chosen = choose_deletions(kept.values(), needed_bytes, spare_per_label, wanted)
        going = set(chosen)
        names = [row[1] for row in rows if row[0] in going]
        try:
            self._forget(chosen)
        except StoreUnavailableError as error:
            if error.reason != DISK_FULL:
                raise
            # Not even the update of the rows fits. Deleting the files first frees space for it; the sweep at the next
            # start repairs a power cut in between.
            self._remove(names)
            self._forget(chosen)
        self._remove(names)
        return sum(kept[key].size_bytes for key in chosen)

    def _forget(self, event_ids: tuple[int, ...]) -> None:
        with self._database.transaction() as connection:
            for table, keys in (
                ("visits WHERE event_id", [(key,) for key in event_ids if key > 0]),
                ("samples WHERE number", [(-key,) for key in event_ids if key < 0]),
            ):
                name, _, condition = table.partition(" ")
                query = f"UPDATE {name} SET picture_bytes = 0, picture_state = 'expired' {condition} = ?"  # noqa: S608
                connection.executemany(query, keys)

    def _remove(self, visit_ids: list[str]) -> None:
        with self._database.translated():
            for visit_id in visit_ids:
                self._pictures.remove(visit_id)
