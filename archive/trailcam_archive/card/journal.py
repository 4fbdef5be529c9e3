"""The tables of a store that belong to cards: stations, and the files that were read.

A sequence is stored in two steps: its visits, which are stored once by their identifiers, and then all of its files in
one transaction. A run that is stopped in between repeats that sequence and adds nothing twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from trailcam_archive.card.recordings import Recording
from trailcam_core.errors import DataError
from trailcam_edge.events import Moment, Visit
from trailcam_edge.store.database import insert, moment_columns, moment_values
from trailcam_edge.store.event_store import EventStore
from trailcam_edge.store.records import Station


@dataclass(frozen=True)
class KnownFile:
    """A file of an earlier run."""

    station: str
    path: str
    clock: str


class CardJournal:
    """Stations and files of one store, whose only writer is the caller."""

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self._database = store.database

    def check_bundle(self, bundle: str) -> None:
        """Refuse a store whose cards another model has classified.

        Raises:
            DataError: it did; figures of two models are not comparable.
        """
        other = self._database.one("SELECT bundle FROM card_files WHERE bundle != ? LIMIT 1", bundle)
        if other is not None:
            raise DataError(
                f"{self._store.folder}: its cards were classified by {other}, this is {bundle}. Name another folder "
                'with "--store", so that the answers of two models are not mixed.'
            )

    def known(self, fingerprint: bytes) -> KnownFile | None:
        """Return the file of this fingerprint, if it was read before."""
        rows = self._database.rows("SELECT station, path, clock FROM card_files WHERE fingerprint = ?", fingerprint)
        return KnownFile(*rows[0]) if rows else None

    def put_station(self, station: Station) -> None:
        """Add a station; what the store lacks of a known one is added.

        Raises:
            DataError: the store has another place or camera of that name.
        """
        rows = self._database.rows(
            "SELECT deployment_id, latitude, longitude, camera, timezone FROM stations WHERE deployment_id = ?",
            station.deployment_id,
        )
        if rows:
            _check_same(Station(*rows[0]), station, str(self._store.folder))
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO stations (deployment_id, latitude, longitude, camera, timezone) "
                "VALUES (?, ?, ?, ?, ?) ON CONFLICT (deployment_id) DO UPDATE SET "
                "latitude = coalesce(latitude, excluded.latitude), "
                "longitude = coalesce(longitude, excluded.longitude), "
                "camera = coalesce(camera, excluded.camera), timezone = coalesce(timezone, excluded.timezone)",
                (station.deployment_id, station.latitude, station.longitude, station.camera, station.timezone),
            )

    def add_visit(self, visit: Visit) -> bool:
        """Store a visit with its picture, or nothing; return False if the picture cannot be written.

        A camera keeps the visit without its picture; a card is still there and can be read again.
        """
        event_id = self._store.add_visit(visit)
        if self._database.one("SELECT picture_state FROM visits WHERE event_id = ?", event_id) != "dropped":
            return True
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM visits WHERE event_id = ?", (event_id,))
        return False

    def add_files(self, recordings: Sequence[Recording], clock: str, bundle: str) -> None:
        """Note the files of a sequence whose visits are stored."""
        rows = [(each.fingerprint, each.station, each.name, clock, bundle) for each in recordings]
        with self._database.transaction() as connection:
            connection.executemany(
                "INSERT OR IGNORE INTO card_files (fingerprint, station, path, clock, bundle) VALUES (?, ?, ?, ?, ?)",
                rows,
            )

    def put_effort(self, station: str, first: Moment, last: Moment, bundle: str) -> None:
        """Note that a camera was in place from its first recording to its last.

        An interval that touches an earlier one of the station extends it, so that a card that is read twice, or in
        two halves, gives one.
        """
        frames = int(self._database.one("SELECT count(*) FROM card_files WHERE station = ?", station))
        first_s, last_s = _unix_s(first), _unix_s(last)
        with self._database.transaction([first, last]) as connection:
            rows = connection.execute(
                "SELECT watch_id, started_wall_s, ended_wall_s FROM watches WHERE station = ? "
                "AND started_wall_s <= ? AND ended_wall_s >= ? ORDER BY watch_id",
                (station, last_s, first_s),
            ).fetchall()
            if not rows:
                moments = moment_values("started", first) | moment_values("ended", last)
                insert(connection, "watches", {"bundle": bundle, **moments, "frames": frames, "station": station})
                return
            watch_id, started_s, ended_s = rows[0]
            if first_s < started_s:
                connection.execute(
                    "UPDATE watches SET started_boot_id = ?, started_monotonic_s = ?, started_wall_s = ? "
                    "WHERE watch_id = ?",
                    (*moment_columns(first), watch_id),
                )
            if last_s > ended_s:
                connection.execute(
                    "UPDATE watches SET ended_boot_id = ?, ended_monotonic_s = ?, ended_wall_s = ? WHERE watch_id = ?",
                    (*moment_columns(last), watch_id),
                )
            connection.execute("UPDATE watches SET frames = ? WHERE watch_id = ?", (frames, watch_id))


def _unix_s(moment: Moment) -> float:
    if moment.wall is None:
        raise ValueError("the effort of a station needs times")
    return moment.wall.timestamp()


def _check_same(old: Station, new: Station, folder: str) -> None:
    """Refuse a station that is another one of the same name.

    Raises:
        DataError: place or camera differ.
    """
    for name, before, now in (
        ("latitude", old.latitude, new.latitude),
        ("longitude", old.longitude, new.longitude),
        ("camera", old.camera, new.camera),
    ):
        if before is not None and now is not None and before != now:
            raise DataError(
                f"{folder}: the station {old.deployment_id} has the {name} {before} there, now it is {now}. Two "
                "cameras need two names: change deploymentID, or name another folder for the store."
            )
