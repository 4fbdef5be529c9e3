"""The list of a card: its files with station, time and fingerprint, before a pixel is decoded."""

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from trailcam_archive.card.journal import CardJournal
from trailcam_archive.card.recordings import Recording, fingerprint
from trailcam_archive.card.settings import CardSettings
from trailcam_archive.card.stations import StationRow, StationTable
from trailcam_archive.media_files import MediaFile, walk_media
from trailcam_archive.times.clock import CameraClock
from trailcam_archive.times.recorded import StatedTime, clip_duration_s, recorded_time
from trailcam_core.errors import DataError
from trailcam_core.jobs.progress import Progress

_REPORT_EVERY = 50  # files


@dataclass
class CardContents:
    """What lies on a card.

    ``new`` are the recordings to be read, ``known`` counts those that the store has, ``copies`` names files that are
    copies of others, ``strangers`` the files whose folder is in no row of the table of stations. ``spans`` has the
    first and last time of each station, of known recordings too. ``zoneless`` counts the new recordings whose time was
    read in the zone of the clock that serves where neither the file nor the table of stations states one. ``left_out``
    counts, by suffix in capitals, the photographs of formats that are not read.
    """

    new: list[Recording] = field(default_factory=list)
    known: int = 0
    zoneless: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    copies: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)
    stations: dict[str, StationRow] = field(default_factory=dict)
    spans: dict[str, tuple[float, float]] = field(default_factory=dict)


class Scan:
    """Reads the list of a card.

    Args:
        stations: of the card.
        clock: of cameras for which the table of stations states none.
        settings: see ``CardSettings``.
        journal: of the store.
        on_problem: called with a path that cannot be read, and the reason.
    """

    def __init__(
        self,
        stations: StationTable,
        clock: CameraClock,
        settings: CardSettings,
        journal: CardJournal,
        on_problem: Callable[[Path, str], None],
    ) -> None:
        self._stations = stations
        self._clock = clock
        self._settings = settings
        self._journal = journal
        self._on_problem = on_problem
        self._now = datetime.now(UTC)
        self._met: set[bytes] = set()
        self._undated: set[str] = set()
        self._contents = CardContents()

    def run(self, card: Path, progress: Progress, stop: threading.Event) -> CardContents:
        """Return the contents of a card, or what was found until ``stop`` was set.

        Raises:
            SourceError: the card cannot be read as a folder.
            DataError: a file was read before with another clock or for another station, or ``start`` is given and a
                station has several recordings without a time.
        """
        for number, file in enumerate(walk_media(card, self._on_problem, self._count_left_out), 1):
            if stop.is_set():
                break
            self._take(file)
            if number % _REPORT_EVERY == 0:
                progress("reading times", number, 0)
        return self._contents

    def _count_left_out(self, path: Path) -> None:
        self._contents.left_out[path.suffix.upper()] += 1

    def clock_of(self, station: str) -> CameraClock:
        """Return the clock of a station."""
        return self._contents.stations[station].clock or self._clock

    def _take(self, file: MediaFile) -> None:
        contents = self._contents
        row = self._stations.of(file.relative)
        if row is None:
            contents.strangers.append(str(file.relative))
            return
        try:
            mark = fingerprint(file.path)
            stated = recorded_time(file.path, file.kind)
            duration_s = clip_duration_s(file.path) if file.kind == "clip" else 0.0
        except OSError as error:
            self._on_problem(file.path, str(error.strerror))
            return
        name = row.station.deployment_id
        clock = row.clock or self._clock
        contents.stations.setdefault(name, row)
        stated = self._without_false_zone(stated)
        recording = Recording(file, name, self._unix_s(stated, clock), mark, duration_s)
        if mark in self._met:
            contents.copies.append(recording.name)
            return
        self._met.add(mark)
        self._check_start(name, stated)
        if recording.unix_s is not None and recording.ended_s is not None:
            ended_s = recording.ended_s
            first_s, last_s = contents.spans.get(name, (recording.unix_s, ended_s))
            contents.spans[name] = min(first_s, recording.unix_s), max(last_s, ended_s)
        if not self._is_known(recording, clock):
            contents.new.append(recording)
            is_naive = stated is not None and stated.time.tzinfo is None
            contents.zoneless += is_naive and recording.unix_s is not None and clock.zone is self._clock.zone

    def _without_false_zone(self, stated: StatedTime | None) -> StatedTime | None:
        if stated is not None and self._settings.clips_are_local and stated.basis == "container":
            return replace(stated, time=stated.time.replace(tzinfo=None))
        return stated

    def _unix_s(self, stated: StatedTime | None, clock: CameraClock) -> float | None:
        if stated is None and self._settings.start is not None:
            return self._settings.start.timestamp()
        return clock.unix_s(stated, self._now)

    def _is_known(self, recording: Recording, clock: CameraClock) -> bool:
        """Return whether the store has this recording.

        Raises:
            DataError: it has it with another time or station.
        """
        known = self._journal.known(recording.fingerprint)
        if known is None:
            return False
        if known.path == recording.name and (known.station, known.clock) != (recording.station, clock.rule):
            raise DataError(
                f"{recording.file.path}: the store has it for station {known.station} with the clock {known.clock}, "
                f"now it is station {recording.station} with {clock.rule}. Name another folder with "
                '"--store" to read the card anew.'
            )
        if known.path == recording.name:
            self._contents.known += 1
        else:
            self._contents.copies.append(recording.name)
        return True

    def _check_start(self, station: str, stated: StatedTime | None) -> None:
        """Refuse ``start`` for a second recording of a station.

        Raises:
            DataError: it does not date the second one.
        """
        if stated is not None or self._settings.start is None:
            return
        if station in self._undated:
            raise DataError(
                f'{station}: several recordings state no time, and "--start" dates only one. Leave it out: their times '
                "are unknown then."
            )
        self._undated.add(station)
