"""``trailcam card``: read a card of photographs and clips into a store of visits."""

import argparse
import os
import sys
from datetime import datetime, timedelta, tzinfo
from pathlib import Path

from trailcam.json_records import json_line
from trailcam.logs import configure_logging
from trailcam.model_options import add_model_arguments, open_classifier, usage_error
from trailcam.process.signals import stop_on_signals
from trailcam.progress import job_progress
from trailcam_archive.card.read_card import CardReader, CardSummary
from trailcam_archive.card.settings import CardSettings
from trailcam_archive.card.stations import StationTable, read_stations, station_name
from trailcam_archive.times.clock import CameraClock, read_shift, read_zone
from trailcam_archive.times.local import local_zone
from trailcam_core.errors import DeviceError, SourceError
from trailcam_core.errors.command_line import command_line
from trailcam_core.files.names import counted, printable
from trailcam_edge.store.event_store import EventStore
from trailcam_edge.store.settings import StoreSettings
from trailcam_edge.store.store_errors import DISK_FULL, StoreUnavailableError

_MAX_BYTES = 4_000_000_000_000  # nothing of a card is deleted to make room
_MAX_LISTED = 20  # files of one kind
_UNITS_S = {"s": 1.0, "m": 60.0, "h": 3600.0}
_NO_SHIFT = timedelta()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``trailcam card``."""
    parser.add_argument("card", type=Path, metavar="CARD", help="folder with photographs and clips, below it too")
    results = parser.add_argument_group("results")
    results.add_argument(
        "--store", type=Path, required=True, metavar="DIR", help="store of the visits, see trailcam events"
    )
    results.add_argument("--json", action="store_true", help="print the summary as one JSON object")
    where = parser.add_argument_group("stations")
    where.add_argument(
        "--station", metavar="NAME", help="all of the card is this station (default: one for each folder)"
    )
    where.add_argument(
        "--stations",
        type=Path,
        metavar="FILE.csv",
        help="table: deploymentID, latitude, longitude, camera, folder, ...",
    )
    when = parser.add_argument_group("times")
    when.add_argument(
        "--timezone",
        type=_zone,
        metavar="ZONE",
        help='of the clock of the cameras, such as "Europe/Berlin" or "+01:00" (default: that of this computer)',
    )
    when.add_argument(
        "--shift", type=_shift, default=_NO_SHIFT, metavar="TIME", help='correct a wrong clock: "+1h23m", "-2d"'
    )
    when.add_argument(
        "--start", type=_start, metavar="TIME", help="begin of the one recording of a station that states no time"
    )
    when.add_argument(
        "--clips-local",
        action="store_true",
        help="MP4 and MOV of this camera hold local time, not UTC as the format asks",
    )
    when.add_argument(
        "--sequence-gap",
        type=_seconds,
        default=60.0,
        metavar="TIME",
        help="recordings that begin at most so long after the end of the one before are one sequence (default 60s)",
    )
    add_model_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Read the card; exit code 1 if a file could not be read."""
    configure_logging()
    clock = _clock(arguments)
    settings = CardSettings(
        gap_s=arguments.sequence_gap,
        start=_with_zone(arguments.start, clock.zone),
        clips_are_local=arguments.clips_local,
    )
    if not arguments.card.is_dir():
        raise SourceError(f'{arguments.card}: no such folder. For single files use "trailcam classify".')
    if arguments.store.resolve().is_relative_to(arguments.card.resolve()):
        usage_error(f"--store {arguments.store} lies on the card {arguments.card}; name a folder elsewhere.")
    stations = _stations(arguments, clock)
    classifier = open_classifier(arguments)
    store = _open_store(arguments.store)
    try:
        with stop_on_signals() as stop, job_progress() as progress:
            reader = CardReader(store, classifier, stations, clock, settings, stop.event)
            summary = reader.run(arguments.card, progress)
    finally:
        store.close()
    if arguments.json:
        print(json_line(_record(summary)))
    else:
        _print_summary(summary, arguments, clock)
    if stop.asked:
        _note(f"stopped; {summary.left} files are left. Run the same command again: it goes on there.")
        raise KeyboardInterrupt
    return 1 if summary.problems else 0


def _open_store(folder: Path) -> EventStore:
    try:
        return EventStore(StoreSettings(folder=folder, max_bytes=_MAX_BYTES))
    except StoreUnavailableError as error:
        if error.reason != DISK_FULL:
            raise
        raise DeviceError(f"{folder}: the disk is full. Free some space and run the same command again.") from error


def _clock(arguments: argparse.Namespace) -> CameraClock:
    zone, name = local_zone(os.environ.get("TZ")) if arguments.timezone is None else arguments.timezone
    return CameraClock(zone, arguments.shift, name)


def _stations(arguments: argparse.Namespace, clock: CameraClock) -> StationTable:
    name = station_name(arguments.card.resolve().name or "card")
    if arguments.station is not None:
        if arguments.stations is not None:
            usage_error("--station and --stations cannot be used together.")
        return StationTable(station_name(arguments.station), single=True)
    return StationTable(name, None if arguments.stations is None else read_stations(arguments.stations, clock))


def _print_summary(summary: CardSummary, arguments: argparse.Namespace, clock: CameraClock) -> None:
    stations = sorted({station for station, _ in summary.visits})
    labels = sorted({label for _, label in summary.visits})
    width = max([len(printable(station)) for station in stations] + [7])
    if stations:
        print("  ".join(["station".ljust(width), *(f"{printable(label):>10}" for label in labels)]))
    for station in stations:
        counts = (summary.visits[station, label] for label in labels)
        print("  ".join([printable(station).ljust(width), *(f"{count:>10}" for count in counts)]))
    print(f"{counted(summary.files, 'file')}, {counted(sum(summary.visits.values()), 'visit')} in {arguments.store}.")
    if arguments.timezone is None and summary.zoneless:
        _note(
            f"times without a zone were read in that of this computer, {clock.zone_name}: {summary.zoneless}; "
            '"--timezone" names another.'
        )
    for suffix, number in sorted(summary.left_out.items()):
        were = "file was" if number == 1 else "files were"
        _note(f"{number} {suffix} {were} left out: the format is not read. Convert to JPEG to classify, too.")
    if summary.known:
        _note(f"files that were in the store before: {summary.known}.")
    if summary.undated:
        _note(f"files that state no time that can be true, so that their visits have none: {summary.undated}.")
    _list("copies of other files, which count once", summary.copies)
    _list("files in no folder of the table of stations", summary.strangers)
    _list("problems", summary.problems)
    if not (summary.files or summary.known or summary.left):
        _note("no photograph or clip was found.")
    elif stations:
        print(f"next: {command_line('review', arguments.store)}")
        print(f"      {command_line('events', '--store', arguments.store)}")


def _list(what: str, names: list[str]) -> None:
    if names:
        _note(f"{what}, {len(names)}:")
        for name in names[:_MAX_LISTED]:
            print(f"  {printable(name)}", file=sys.stderr)
        if len(names) > _MAX_LISTED:
            print(f"  ... and {len(names) - _MAX_LISTED} more", file=sys.stderr)


def _note(text: str) -> None:
    print(f"trailcam: {printable(text)}", file=sys.stderr)


def _record(summary: CardSummary) -> dict[str, object]:
    visits: dict[str, dict[str, int]] = {}
    for (station, label), number in sorted(summary.visits.items()):
        visits.setdefault(station, {})[label] = number
    return {
        "visits": visits,
        "files": summary.files,
        "known": summary.known,
        "left": summary.left,
        "undated": summary.undated,
        "left_out": dict(sorted(summary.left_out.items())),
        "copies": summary.copies,
        "strangers": summary.strangers,
        "problems": summary.problems,
    }


def _zone(text: str) -> tuple[tzinfo, str]:
    try:
        return read_zone(text), text
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _shift(text: str) -> timedelta:
    try:
        return read_shift(text)
    except (ValueError, OverflowError) as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _start(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f'{text!r} is no time, expected such as "2026-05-01T18:30"') from error


def _with_zone(time: datetime | None, zone: tzinfo) -> datetime | None:
    return time if time is None or time.tzinfo is not None else time.replace(tzinfo=zone)


def _seconds(text: str) -> float:
    """Read a duration such as "60s", "5m" or "1h"; a plain number counts seconds."""
    number, unit = (text[:-1], text[-1]) if text[-1:] in _UNITS_S else (text, "s")
    try:
        seconds = float(number) * _UNITS_S[unit]
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 86_400:
        raise argparse.ArgumentTypeError(f'{text!r} is no duration, expected such as "60s" or "5m", at most 24h')
    return seconds
