"""``trailcam events``: list, filter and export the events of a store."""

import argparse
import csv
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from trailcam.commands.events.lines import ALL, Query, when
from trailcam.commands.events.none_found import explain_none
from trailcam.commands.events.package import write_package
from trailcam.commands.events.parts import print_visits
from trailcam.commands.events.reviews import print_accuracy
from trailcam.help.numbers import whole_number
from trailcam.json_records import json_line
from trailcam_core.errors import DataError
from trailcam_core.files.names import counted, printable
from trailcam_edge.camtrap_dp.package import SAMPLING_DESIGNS
from trailcam_edge.store.reader import StoreReader, open_reader
from trailcam_edge.store.records import blind_json, iso_time
from trailcam_edge.store.reviews.tables import REVIEWED, UNREVIEWED
from trailcam_edge.store.settings import DEFAULT_FOLDER

_AGO = re.compile(r"(\d{1,6})([mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``trailcam events``."""
    parser.add_argument(
        "--store", type=Path, default=DEFAULT_FOLDER, metavar="DIR", help=f"the event store (default {DEFAULT_FOLDER})"
    )
    chosen = parser.add_argument_group("which events")
    chosen.add_argument("--label", metavar="LABEL", help="only visits with this label")
    when = 'a date or time, or an age such as "24h" or "7d"'
    chosen.add_argument("--since", type=_time, metavar="TIME", help=f"only events that started at or after: {when}")
    chosen.add_argument("--until", type=_time, metavar="TIME", help="only events that started before")
    chosen.add_argument("--station", metavar="NAME", help="only visits of this station, for cards that were read")
    chosen.add_argument("--limit", type=_positive, metavar="N", help="only the last N")
    answers = chosen.add_mutually_exclusive_group()
    answers.add_argument("--reviewed", action="store_true", help="only visits with a review")
    answers.add_argument("--unreviewed", action="store_true", help="only visits without a review")
    chosen.add_argument("--blind", action="store_true", help="instead of visits: blind times and their reasons")
    results = parser.add_argument_group("results (a table, or one of these)")
    form = results.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one JSON object per event")
    form.add_argument("--csv", action="store_true", help="print one CSV row per event")
    form.add_argument("--camtrap-dp", type=Path, metavar="FILE.zip", help="write a Camera Trap Data Package")
    results.add_argument(
        "--accuracy",
        action="store_true",
        help="state how often each bundle was right, from reviewed random visits; also with --json",
    )
    _add_package_arguments(parser)


def _add_package_arguments(parser: argparse.ArgumentParser) -> None:
    package = parser.add_argument_group("with --camtrap-dp")
    package.add_argument("--latitude", type=float, metavar="DEGREES", help="WGS84, of the camera of this machine")
    package.add_argument("--longitude", type=float, metavar="DEGREES", help="WGS84, of the camera of this machine")
    package.add_argument(
        "--stations", type=Path, metavar="FILE.csv", help="deploymentID, latitude, longitude, camera of stations"
    )
    package.add_argument("--contributor", metavar="NAME", help="name of the contact; required")
    package.add_argument("--project", default="Camera trap project", metavar="TITLE", help="title of the project")
    package.add_argument(
        "--sampling-design",
        choices=SAMPLING_DESIGNS,
        default="opportunistic",
        metavar="DESIGN",
        help=f"how the cameras were placed: {', '.join(SAMPLING_DESIGNS)} (opportunistic)",
    )
    package.add_argument("--licence", metavar="NAME", help='for data and pictures, such as "CC-BY-4.0"')
    package.add_argument(
        "--taxa", type=Path, metavar="FILE.toml", help='scientific names: squirrel = "Sciurus vulgaris"'
    )
    package.add_argument("--camera-id", metavar="ID", help="the camera, such as its serial number")
    package.add_argument("--deployment-id", metavar="ID", help="default: made of location, camera and coordinates")
    package.add_argument("--location-id", metavar="ID", help="number or code of the place")
    package.add_argument("--location-name", metavar="NAME", help="the place, in words")
    package.add_argument(
        "--uncertainty", type=_positive, metavar="METRES", help="uncertainty of the coordinates, if rounded"
    )


def run(arguments: argparse.Namespace) -> int:
    """Print or export the events of a store."""
    with open_reader(arguments.store) as reader:
        stations = {station.deployment_id: station for station in reader.stations()}
        if arguments.station is not None and arguments.station not in stations:
            names = ", ".join(map(printable, stations)) or "none"
            raise DataError(f"{arguments.store}: no station {arguments.station}; there are: {names}.")
        only = REVIEWED if arguments.reviewed else UNREVIEWED if arguments.unreviewed else ALL
        reader.restrict(only)
        if arguments.accuracy:
            print_accuracy(reader, arguments.json)
            return 0
        if arguments.camtrap_dp is not None:
            return write_package(arguments, reader, stations, _unix(arguments.since), _unix(arguments.until))
        if arguments.blind:
            _print_blind(arguments, reader)
            return 0
        since_s, until_s = _unix(arguments.since), _unix(arguments.until)
        chosen = arguments.label, since_s, until_s, arguments.station
        after = 0 if arguments.limit is None else reader.before_last(arguments.limit, *chosen)
        query = Query(str(arguments.store), _form(arguments, bool(stations)), only, *chosen)
        if not print_visits(reader, query, after):
            explain_none(reader, arguments.label, (since_s, until_s) != (None, None), arguments.station)
    return 0


def _form(arguments: argparse.Namespace, has_stations: bool) -> str:
    """Return the name of the form in which visits are printed, a key of ``FORMS``."""
    for name in ("json", "csv", "reviewed"):
        if getattr(arguments, name):
            return name
    return "stations" if has_stations else "table"


def _print_blind(arguments: argparse.Namespace, reader: StoreReader) -> None:
    rows = csv.writer(sys.stdout, lineterminator="\n")
    if arguments.csv:
        rows.writerow(["reason", "start", "end"])
    number = 0
    for blind in reader.blind_times(_unix(arguments.since), _unix(arguments.until)):
        if arguments.station not in (None, blind.station):
            continue
        number += 1
        start, end = blind.started, blind.ended
        if arguments.json:
            print(json_line(blind_json(blind)))
        elif arguments.csv:
            rows.writerow([blind.reason, iso_time(start.unix_s), iso_time(end.unix_s)])
        else:
            print(f"{when(start.unix_s, start.basis)} to {when(end.unix_s, end.basis)}  {printable(blind.reason)}")
    if not (arguments.json or arguments.csv):
        print(f"{counted(number, 'blind time')}.")


def _time(text: str) -> datetime:
    """Read a time: ISO 8601, without a zone in that of this machine, or an age."""
    ago = _AGO.fullmatch(text)
    try:
        if ago:
            return datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError) as error:
        raise argparse.ArgumentTypeError(
            f'{text!r} is no time, expected such as "2026-05-01", "2026-05-01T18:30", "24h" or "7d"'
        ) from error


def _positive(text: str) -> int:
    value = whole_number(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r}, expected a whole number of at least 1")
    return value


def _unix(time: datetime | None) -> float | None:
    return None if time is None else time.timestamp()
