"""Read a card into a store: the files, their sequences, and one visit for each animal of a sequence.

    files --scan--> recordings --group_sequences--> sequences --classify--> sightings --combine--> visits --> store

A sequence is stored as a whole or not at all, so a run that was stopped goes on with the next one.
"""

import hashlib
import shutil
import threading
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from trailcam_archive.card.clips import classify_clip
from trailcam_archive.card.journal import CardJournal
from trailcam_archive.card.photographs import MAX_BURST, Photograph, classify_burst
from trailcam_archive.card.read_ahead import ReadAhead
from trailcam_archive.card.recordings import Recording, group_sequences
from trailcam_archive.card.scan import CardContents, Scan
from trailcam_archive.card.settings import CardSettings
from trailcam_archive.card.sightings import Sighting, combine
from trailcam_archive.card.stations import StationTable
from trailcam_archive.times.clock import CameraClock
from trailcam_core.classifier import Classifier
from trailcam_core.errors import DeviceError, SourceError
from trailcam_core.files.names import counted
from trailcam_core.jobs.progress import Progress, silent
from trailcam_edge.events import DATED_BOOT, BlindTime, Moment, Visit
from trailcam_edge.store.event_store import EventStore
from trailcam_edge.store.store_errors import StoreUnavailableError

DAMAGED = "damaged recording"  # the reason of blind times
_FREE_BYTES = 300_000_000  # the quota of a store deletes pictures below 200 MB; a card must not


@dataclass
class CardSummary:
    """Result of a run.

    ``visits`` counts the visits of this run by station and label, ``files`` the files that were read, ``left`` those
    that a stop left for the next run, ``undated`` the ones without a known time; ``zoneless`` and ``left_out``
    are those of ``CardContents``. ``problems`` are sentences that name a file and what is wrong with it.
    """

    visits: Counter[tuple[str, str]] = field(default_factory=Counter)
    files: int = 0
    left: int = 0
    known: int = 0
    undated: int = 0
    zoneless: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    copies: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


class CardReader:
    """Reads one card into one store.

    Args:
        store: its only writer is this run.
        classifier: used by the calling thread only.
        stations: of the card.
        clock: of cameras for which the table of stations states none.
        settings: see ``CardSettings``.
        stop: set in any thread to end after the current photograph or frame; the open sequence is not stored.
    """

    def __init__(
        self,
        store: EventStore,
        classifier: Classifier,
        stations: StationTable,
        clock: CameraClock,
        settings: CardSettings | None = None,
        stop: threading.Event | None = None,
    ) -> None:
        self._store = store
        self._classifier = classifier
        self._settings = settings or CardSettings()
        self._stop = stop or threading.Event()
        self._journal = CardJournal(store)
        self._summary = CardSummary()
        self._scan = Scan(stations, clock, self._settings, self._journal, self._note_path)
        self._boot_id = DATED_BOOT + uuid.uuid4().hex
        self._undated_id = f"{DATED_BOOT}unknown-{uuid.uuid4().hex}"
        self._base_s = 0.0

    def run(self, card: Path, progress: Progress = silent) -> CardSummary:
        """Read a card; one broken file costs that file and is listed.

        Args:
            card: the folder.
            progress: called after every file.

        Raises:
            SourceError: the card cannot be read as a folder.
            DataError: the store has these files with other times or of another model.
            DeviceError: the disk is full; what was stored stays, and the next run goes on.
            BundleError: the model fails.
        """
        self._journal.check_bundle(self._classifier.name)
        contents = self._scan.run(card, progress, self._stop)
        summary = self._summary
        summary.known, summary.copies, summary.strangers = contents.known, contents.copies, contents.strangers
        summary.zoneless, summary.left_out = contents.zoneless, contents.left_out
        sequences = list(group_sequences(contents.new, self._settings.gap_s))
        self._base_s = min((first_s for first_s, _ in contents.spans.values()), default=0.0)
        photographs = [each for found in sequences for each in found if each.file.kind == "photograph"]
        done = 0
        for station, row in contents.stations.items():
            zone = self._scan.clock_of(station).zone_name
            self._journal.put_station(replace(row.station, timezone=zone))
        with ReadAhead([each.file.path for each in photographs]) as pictures:
            for number, sequence in enumerate(sequences):
                if not self._read(sequence, pictures):
                    break
                done += len(sequence)
                progress("classifying", done, len(contents.new), counted(sum(summary.visits.values()), "visit"))
                is_last = number + 1 == len(sequences) or sequences[number + 1][0].station != sequence[0].station
                if is_last:
                    self._put_effort(contents, sequence[0].station)
        summary.left = len(contents.new) - done
        self._put_known_efforts(contents)
        return summary

    def _read(self, sequence: Sequence[Recording], pictures: ReadAhead) -> bool:
        """Classify and store one sequence; return False if the run is to stop before that."""
        if shutil.disk_usage(self._store.folder).free < _FREE_BYTES:
            raise self._disk_error(f"less than {_FREE_BYTES // 1_000_000} MB are free")
        began_s = sequence[0].unix_s
        sightings: list[Sighting] = []
        blind: list[BlindTime] = []
        broken: set[bytes] = set()
        burst: list[Photograph] = []
        for recording in sequence:
            if self._stop.is_set():
                return False
            offset_s = (recording.unix_s or 0.0) - (began_s or 0.0)
            try:
                if recording.file.kind == "photograph":
                    image = pictures.take(recording.file.path)
                    burst.append(Photograph(image, offset_s, recording.name))
                else:
                    found = classify_clip(
                        recording.file.path, recording.name, self._classifier, self._settings, self._stop, self._note
                    )
                    sightings += [_moved(each, offset_s) for each in found.sightings]
                    blind += [self._blind(recording, *hole) for hole in found.holes]
            except SourceError as error:
                self._note(error)
                broken.add(recording.fingerprint)
            if len(burst) == MAX_BURST:
                sightings += classify_burst(burst, self._classifier, self._settings)
                burst = []
        if burst:
            sightings += classify_burst(burst, self._classifier, self._settings)
        if self._stop.is_set():
            return False
        read = [recording for recording in sequence if recording.fingerprint not in broken]
        try:
            self._keep(sequence[0], combine(sightings, self._settings.visits.keep_person_pictures), blind)
            self._journal.add_files(read, self._scan.clock_of(sequence[0].station).rule, self._classifier.name)
        except StoreUnavailableError as error:
            raise self._disk_error(error.reason) from error
        self._summary.files += len(read)
        self._summary.undated += sum(recording.unix_s is None for recording in read)
        return True

    def _keep(self, first: Recording, sightings: Sequence[Sighting], blind: Sequence[BlindTime]) -> None:
        for sighting in sightings:
            if not self._journal.add_visit(self._visit(first, sighting)):
                raise self._disk_error("a picture cannot be written")
            self._summary.visits[first.station, sighting.label] += 1
        for each in blind:
            self._store.add_blind_time(each)

    def _visit(self, first: Recording, sighting: Sighting) -> Visit:
        name = hashlib.blake2b(first.fingerprint + sighting.label.encode(), digest_size=16).hexdigest()
        return Visit(
            visit_id=name,
            label=sighting.label,
            started=self._moment(first.unix_s, sighting.started_s),
            ended=self._moment(first.unix_s, sighting.ended_s),
            confidence=sighting.confidence,
            votes=sighting.frames,
            frames=sighting.frames,
            best_frame=sighting.picture,
            bundle=self._classifier.name,
            latency_ms=sighting.latency_ms,
            box=sighting.box,
            station=first.station,
            source=sighting.source,
            picture_offset_s=None if sighting.pictured_s is None else sighting.pictured_s - sighting.started_s,
        )

    def _moment(self, unix_s: float | None, offset_s: float = 0.0) -> Moment:
        if unix_s is None:
            return Moment(offset_s, None, self._undated_id)
        time_s = unix_s + offset_s
        return Moment(time_s - self._base_s, datetime.fromtimestamp(time_s, UTC), self._boot_id)

    def _blind(self, recording: Recording, start_s: float, end_s: float) -> BlindTime:
        unix_s = recording.unix_s
        return BlindTime(DAMAGED, self._moment(unix_s, start_s), self._moment(unix_s, end_s), recording.station)

    def _put_effort(self, contents: CardContents, station: str) -> None:
        span = contents.spans.get(station)
        if span is not None:
            first, last = (self._moment(time_s) for time_s in span)
            self._journal.put_effort(station, first, last, self._classifier.name)

    def _put_known_efforts(self, contents: CardContents) -> None:
        """Note the effort of stations without a new file, in case that the run before was stopped right before it."""
        waiting = {recording.station for recording in contents.new}
        for station in contents.spans.keys() - waiting:
            self._put_effort(contents, station)

    def _disk_error(self, reason: str) -> DeviceError:
        return DeviceError(
            f"{self._store.folder}: {reason}. Make room, or name a store on another disk, and run the command again: "
            "it goes on where it was."
        )

    def _note(self, error: SourceError) -> None:
        self._summary.problems.append(str(error))

    def _note_path(self, path: Path, reason: str) -> None:
        self._summary.problems.append(f"{path}: {reason}.")


def _moved(sighting: Sighting, offset_s: float) -> Sighting:
    return replace(sighting, started_s=sighting.started_s + offset_s, ended_s=sighting.ended_s + offset_s)  # of a clip
