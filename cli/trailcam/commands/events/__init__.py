"""``trailcam events``: list, filter and export the events of a store."""

import argparse
import csv
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice
from math import inf
from pathlib import Path

from trailcam.commands.events.none_found import explain_none
from trailcam.commands.events.package import write_package
from trailcam.commands.events.reviews import print_accuracy, print_with_reviews
from trailcam.json_records import json_line
from trailcam_core.errors import DataError
from trailcam_core.files.names import counted, printable
from trailcam_edge.camtrap_dp.package import SAMPLING_DESIGNS
from trailcam_edge.events import UNKNOWN, stated_confidence
from trailcam_edge.store.reader import StoreReader, open_reader
from trailcam_edge.store.records import (
    CLOCK,
    EventLine,
    EventRecord,
    blind_json,
    iso_time,
)
from trailcam_edge.store.reviews.tables import REVIEWED, UNREVIEWED
from trailcam_edge.store.settings import DEFAULT_FOLDER

_AGO = re.compile(r"(\d{1,6})([mhdw])")
_LINE = "%-20s %6.1f s  %s %3.0f%%  %s\n"  # in half the time of an f-string, for stores of a million events
_UNKNOWN_MEANS = "unknown: no label is sure enough. trailcam classify PICTURE gives the nearest label, score and limit."
_UNKNOWN_LINE = "%-20s %6.1f s  %s       %s\n"
_QUARTER_S = 900
_CHUNK = 1000  # lines that are written at once
_MARKS = {"not before": ">", "not after": "<"}
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
        if arguments.reviewed or arguments.unreviewed:
            reader.restrict(REVIEWED if arguments.reviewed else UNREVIEWED)
        if arguments.accuracy:
            print_accuracy(reader, arguments.json)
            return 0
        if arguments.camtrap_dp is not None:
            return write_package(arguments, reader, stations, _unix(arguments.since), _unix(arguments.until))
        if arguments.blind:
            _print_blind(arguments, reader)
            return 0
        chosen = arguments.label, _unix(arguments.since), _unix(arguments.until)
        after = 0 if arguments.limit is None else reader.before_last(arguments.limit, *chosen, arguments.station)
        events = reader.events(*chosen, after, station=arguments.station)
        if arguments.json or arguments.csv or arguments.reviewed:
            number = print_with_reviews(reader, events, arguments, stations)
        elif stations:
            number = _print_stations(events)
        else:
            number = _print_table(reader.lines(*chosen, after))
        if not number:
            is_timed = arguments.since is not None or arguments.until is not None
            explain_none(reader, arguments.label, is_timed, arguments.station)
    return 0


def _print_stations(events: Iterator[EventRecord]) -> int:
    """Print a table of visits with their stations."""
    number = unnamed = 0
    for event in events:
        number += 1
        when = _when(event.started.unix_s, event.started.basis)
        stated = stated_confidence(event.label, event.confidence)
        unnamed += stated is None
        print(
            f"{when:<20} {event.duration_s:6.1f} s  {printable(event.label):<17} "
            f"{'' if stated is None else format(stated, '.0%'):>4}  "
            f"{printable(event.station or '-'):<16} {printable(event.source or event.picture or '')}"
        )
    return _print_end(number, unnamed)


def _print_table(events: Iterator[EventLine]) -> int:
    number, shown = 0, _Shown()
    lines = _table_lines(events, shown)
    while found := list(islice(lines, _CHUNK)):
        sys.stdout.writelines(found)
        number += len(found)
    return _print_end(number, UNKNOWN in shown)


def _print_end(number: int, has_unknown: bool | int) -> int:
    print(f"{counted(number, 'visit')}.")
    if has_unknown:
        print(_UNKNOWN_MEANS)
    return number


def _table_lines(events: Iterator[EventLine], shown: "_Shown") -> Iterator[str]:
    """Yield a line for each visit; visits of one quarter of an hour share the text of their hour."""
    quarter_s, hour, first = inf, "", 0
    for unix_s, basis, duration_s, label, confidence, picture in events:
        if basis == "clock" and unix_s is not None:
            second = unix_s - quarter_s
            if not 0 <= second < _QUARTER_S:
                number, second = divmod(unix_s, _QUARTER_S)
                quarter_s = number * _QUARTER_S
                hour, first = _local_quarter(number)
            when = hour + CLOCK[first + int(second)]
        else:
            when = _when(unix_s, basis)
        name = printable(picture) if picture else ""
        if label == UNKNOWN:
            yield _UNKNOWN_LINE % (when, duration_s, shown[label], name)
        else:
            yield _LINE % (when, duration_s, shown[label], 100 * confidence, name)


class _Shown(dict[str, str]):
    """Labels as the terminal may show them, in a column: a store has few."""

    def __missing__(self, label: str) -> str:
        self[label] = f"{printable(label):<17}"
        return self[label]


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
            print(f"{_when(start.unix_s, start.basis)} to {_when(end.unix_s, end.basis)}  {printable(blind.reason)}")
    if not (arguments.json or arguments.csv):
        print(f"{counted(number, 'blind time')}.")


def _when(unix_s: float | None, basis: str) -> str:
    """Return a time in the zone of this machine; a bound is marked with > or <."""
    if unix_s is None:
        return "at an unknown time"
    quarter, second = divmod(unix_s, _QUARTER_S)
    hour, first = _local_quarter(quarter)
    text = f"{hour}{CLOCK[first + int(second)]}"
    return text if basis == "clock" else _MARKS.get(basis, "") + text


@lru_cache
def _local_quarter(number: float) -> tuple[str, int]:
    """Return date and hour of a quarter of an hour, and the second in it; no zone changes within one."""
    start = datetime.fromtimestamp(number * _QUARTER_S).astimezone()
    return start.isoformat(" ")[:14], 60 * start.minute


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
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}, expected a whole number of at least 1")
    return int(text)


def _unix(time: datetime | None) -> float | None:
    return None if time is None else time.timestamp()
