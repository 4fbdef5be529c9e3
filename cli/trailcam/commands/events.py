"""``trailcam events``: list, filter and export the events of a store."""

import argparse
import csv
import re
import sys
from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice
from pathlib import Path

from trailcam.json_records import json_line
from trailcam_core.errors import DataError
from trailcam_core.files.names import printable
from trailcam_core.records import read_toml
from trailcam_edge.camtrap_dp.package import SAMPLING_DESIGNS, Selection, write_camtrap_dp
from trailcam_edge.camtrap_dp.rows import Deployment, Project
from trailcam_edge.store.reader import StoreReader, open_reader
from trailcam_edge.store.records import CLOCK, CSV_HEADER, EventLine, blind_json, csv_row, event_json, iso_time
from trailcam_edge.store.settings import DEFAULT_FOLDER

_AGO = re.compile(r"(\d{1,6})([mhdw])")
_LINE = "%-27s %6.1f s  %s %3d%%  %s\n"  # in half the time of an f-string, for stores of a million events
_QUARTER_S = 900
_CHUNK = 1000  # lines that are written at once
_MARKS = {"not before": ">", "not after": "<"}
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``trailcam events``."""
    parser.add_argument(
        "--store", type=Path, default=DEFAULT_FOLDER, metavar="DIR", help=f"the event store (default {DEFAULT_FOLDER})"
    )
    parser.add_argument("--label", metavar="LABEL", help="only visits with this label")
    when = 'a date or time, or an age such as "24h" or "7d"'
    parser.add_argument("--since", type=_time, metavar="TIME", help=f"only events that started at or after: {when}")
    parser.add_argument("--until", type=_time, metavar="TIME", help="only events that started before")
    parser.add_argument("--limit", type=_positive, metavar="N", help="only the last N")
    parser.add_argument("--blind", action="store_true", help="list blind times and their reasons")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one JSON object per event")
    form.add_argument("--csv", action="store_true", help="print one CSV row per event")
    form.add_argument("--camtrap-dp", type=Path, metavar="FILE.zip", help="write a Camera Trap Data Package")
    package = parser.add_argument_group("for --camtrap-dp")
    package.add_argument("--latitude", type=float, metavar="DEGREES", help="WGS84; required")
    package.add_argument("--longitude", type=float, metavar="DEGREES", help="WGS84; required")
    package.add_argument("--contributor", metavar="NAME", help="name of the contact; required")
    package.add_argument("--project", default="Camera trap project", metavar="TITLE", help="title of the project")
    package.add_argument("--sampling-design", choices=SAMPLING_DESIGNS, default="opportunistic", metavar="DESIGN")
    package.add_argument("--licence", metavar="NAME", help='for data and pictures, such as "CC-BY-4.0"')
    package.add_argument(
        "--taxa", type=Path, metavar="FILE.toml", help='scientific names: squirrel = "Sciurus vulgaris"'
    )
    package.add_argument("--camera-id", metavar="ID", help="the camera, such as its serial number")
    package.add_argument("--deployment-id", metavar="ID", help="default: made of location, camera and coordinates")
    package.add_argument("--location-id", metavar="ID")
    package.add_argument("--location-name", metavar="NAME")
    package.add_argument(
        "--uncertainty", type=_positive, metavar="METRES", help="uncertainty of the coordinates, if rounded"
    )


def run(arguments: argparse.Namespace) -> int:
    """Print or export the events of a store."""
    with open_reader(arguments.store) as reader:
        if arguments.camtrap_dp is not None:
            return _write_package(arguments, reader)
        if arguments.blind:
            _print_blind(arguments, reader)
            return 0
        chosen = arguments.label, _unix(arguments.since), _unix(arguments.until)
        after = 0 if arguments.limit is None else reader.before_last(arguments.limit, *chosen)
        if arguments.json:
            for event in reader.events(*chosen, after):
                print(json_line(event_json(event)))
        elif arguments.csv:
            writer = csv.writer(sys.stdout, lineterminator="\n")
            writer.writerow(CSV_HEADER)
            writer.writerows(map(csv_row, reader.events(*chosen, after)))
        else:
            _print_table(reader.lines(*chosen, after))
    return 0


def _print_table(events: Iterator[EventLine]) -> None:
    number = 0
    shown = _Shown()
    while lines := [
        _LINE % (_when(unix_s, basis), duration_s, shown[label], round(100 * confidence), printable(picture or ""))
        for unix_s, basis, duration_s, label, confidence, picture in islice(events, _CHUNK)
    ]:
        sys.stdout.writelines(lines)
        number += len(lines)
    print(f"{number} visits.")


class _Shown(dict[str, str]):
    """Labels as the terminal may show them, in a column: a store has few."""

    def __missing__(self, label: str) -> str:
        self[label] = f"{printable(label):<14}"
        return self[label]


def _print_blind(arguments: argparse.Namespace, reader: StoreReader) -> None:
    rows = csv.writer(sys.stdout, lineterminator="\n")
    if arguments.csv:
        rows.writerow(["reason", "start", "end"])
    for blind in reader.blind_times(_unix(arguments.since), _unix(arguments.until)):
        start, end = blind.started, blind.ended
        if arguments.json:
            print(json_line(blind_json(blind)))
        elif arguments.csv:
            rows.writerow([blind.reason, iso_time(start.unix_s), iso_time(end.unix_s)])
        else:
            print(f"{_when(start.unix_s, start.basis)} to {_when(end.unix_s, end.basis)}  {printable(blind.reason)}")


def _when(unix_s: float | None, basis: str) -> str:
    """Return a time in the zone of this machine; a bound is marked with > or <."""
    if unix_s is None:
        return "at an unknown time"
    quarter, second = divmod(unix_s, _QUARTER_S)
    hour, first, zone = _local_quarter(quarter)
    text = f"{hour}{CLOCK[first + int(second)]}{zone}"
    return text if basis == "clock" else _MARKS.get(basis, "") + text


@lru_cache
def _local_quarter(number: float) -> tuple[str, int, str]:
    """Return date and hour, the second in it, and the zone of a quarter of an hour; no zone changes within one."""
    start = datetime.fromtimestamp(number * _QUARTER_S).astimezone()
    text = start.isoformat(" ", "seconds")
    return text[:14], 60 * start.minute, text[19:]


def _write_package(arguments: argparse.Namespace, reader: StoreReader) -> int:
    missing = [f"--{name}" for name in ("latitude", "longitude", "contributor") if getattr(arguments, name) is None]
    if missing:
        raise DataError(f"A Camera Trap Data Package needs place and contact: add {', '.join(missing)}.")
    if arguments.limit is not None or arguments.blind:
        raise DataError("--limit and --blind cannot be used with --camtrap-dp; select by --label, --since and --until.")
    coordinates = f"{arguments.latitude:.5f}_{arguments.longitude:.5f}"
    parts = [part for part in (arguments.location_id, arguments.camera_id, coordinates) if part]
    try:
        deployment = Deployment(
            arguments.deployment_id or "_".join(parts),
            arguments.latitude,
            arguments.longitude,
            arguments.camera_id,
            arguments.location_id,
            arguments.location_name,
            arguments.uncertainty,
        )
    except ValueError as error:
        raise DataError(f"{error}.") from error
    project = Project(
        arguments.project,
        arguments.contributor,
        arguments.sampling_design,
        arguments.licence,
        {} if arguments.taxa is None else _read_taxa(arguments.taxa, reader.counts()),
    )
    summary = write_camtrap_dp(
        arguments.camtrap_dp,
        reader,
        arguments.store,
        deployment,
        project,
        Selection(arguments.label, _unix(arguments.since), _unix(arguments.until)),
    )
    print(f"{arguments.camtrap_dp}: {summary.observations} observations, {summary.media} pictures.")
    if summary.effort is not None:
        print(f"The camera watched {summary.effort.watched_s / 3600:.2f} h in it.")
    if summary.undated:
        print(
            f"trailcam: {summary.undated} visits are left out: their date is unknown, because the clock was never set.",
            file=sys.stderr,
        )
    return 0


def _read_taxa(path: Path, labels: Collection[str]) -> dict[str, str]:
    names, _ = read_toml(path, DataError)
    for label, name in names.items():
        if not isinstance(name, str) or not name.strip():
            raise DataError(f"{path}: {label} is {name!r}, expected a scientific name in quotes.")
    unknown = sorted(names.keys() - labels)
    if unknown:
        print(
            f"trailcam: {path}: no visit has the label {', '.join(unknown)}; the labels are "
            f"{', '.join(sorted(labels)) or 'none'}.",
            file=sys.stderr,
        )
    return {label: " ".join(name.split()) for label, name in names.items()}


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
