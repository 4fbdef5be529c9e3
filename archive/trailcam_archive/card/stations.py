"""Stations of a card: one by folder, or those of a table.

    deploymentID,latitude,longitude,camera,folder,timezone,shift
    oak,52.70442,23.84995,RC-07,,Europe/Warsaw,+1h

Only ``deploymentID`` is required. ``folder`` is the place below the card, the name of the deployment by default.
"""

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from trailcam_archive.times.clock import CameraClock, read_shift, read_zone
from trailcam_core.errors import DataError
from trailcam_core.files.names import printable
from trailcam_edge.store.records import Station

_COLUMNS = ("deploymentid", "latitude", "longitude", "camera", "folder", "timezone", "shift")
_ALIASES = {"cameraid": "camera", "lat": "latitude", "lon": "longitude", "lng": "longitude", "station": "deploymentid"}
_CAMERA_FOLDER = re.compile(r"DCIM|MISC|PRIVATE|M4ROOT|CLIP|\d{3}[A-Z0-9_]{2,8}", re.IGNORECASE)  # DCF, and of makers
_MAX_NAME = 100
_MAX_TABLE_BYTES = 5_000_000


@dataclass(frozen=True)
class StationRow:
    """A station, and the clock of its camera where the table states one."""

    station: Station
    clock: CameraClock | None = None


class StationTable:
    """The station of every file of a card.

    Args:
        card: the name of the station of files that lie in no folder of a station.
        rows: stations by their folder below the card, with ``/`` between its parts; None makes one of every folder.
        single: the whole card is one station, with all of its folders.
    """

    def __init__(self, card: str, rows: Mapping[str, StationRow] | None = None, single: bool = False) -> None:
        self._card = card
        self._rows = rows
        self._single = single

    def of(self, relative: PurePath) -> StationRow | None:
        """Return the station of a file below the card; None if the table has none for it."""
        folders = relative.parts[:-1]
        if self._rows is None:
            own = self._single or not folders
            first = self._card if own or _CAMERA_FOLDER.fullmatch(folders[0]) else folders[0]
            return StationRow(Station(station_name(first)))
        for length in range(len(folders), 0, -1):
            row = self._rows.get("/".join(folders[:length])) or self._rows.get(folders[length - 1])
            if row is not None:
                return row
        return self._rows.get(self._card)


def station_name(folder: str) -> str:
    """Return the name of a folder as that of a station: printable, at most 100 characters."""
    return printable(folder)[:_MAX_NAME]


def read_stations(path: Path, clock: CameraClock) -> dict[str, StationRow]:
    """Read a table of stations: CSV with commas or semicolons, in UTF-8.

    Args:
        path: the file.
        clock: of cameras for which the table states neither zone nor shift.

    Returns:
        The stations by their folder.

    Raises:
        DataError: no such table, or a value that cannot be used; the message names the line.
    """
    try:
        if path.stat().st_size > _MAX_TABLE_BYTES:
            raise DataError(f"{path}: more than {_MAX_TABLE_BYTES:,} bytes, expected a table of stations.")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is no table in UTF-8 ({error}). Save it as CSV in UTF-8.") from error
    first = text.partition("\n")[0].strip()
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=";" if ";" in first else ",", strict=True)
    try:
        return _read_rows(reader, first, path, clock)
    except csv.Error as error:
        raise DataError(
            f"{path}, line {reader.line_num}: is no CSV ({error}). Expected a second quote behind each quote."
        ) from error


def _read_rows(reader: Any, first: str, path: Path, clock: CameraClock) -> dict[str, StationRow]:
    names = [name.strip().lower() for name in next(reader, [])]
    columns = [_ALIASES.get(name, name) for name in names]
    if "deploymentid" not in columns or len(set(filter(None, columns))) != len(list(filter(None, columns))):
        raise DataError(
            f"{path}: its first line is {first[:200]!r}, expected columns such as deploymentID, latitude, longitude."
        )
    found: dict[str, StationRow] = {}
    taken: set[str] = set()
    for values in reader:
        place = f"{path}, line {reader.line_num}"
        if not any(value.strip() for value in values):
            continue
        if any(value.strip() for value in values[len(columns) :]):
            raise DataError(
                f"{place}: has {len(values)} cells, but the first line has {len(columns)}. Write numbers with a "
                "decimal point, or put quotes around them."
            )
        row = {name: value.strip() for name, value in zip(columns, values, strict=False) if name in _COLUMNS}
        station = _station(row, place)
        name = station.station.deployment_id
        folder = (row.get("folder") or row["deploymentid"]).replace("\\", "/").strip("/")
        if name in taken or folder in found:
            twice = f"deploymentID {name}" if name in taken else f"folder {folder}"
            raise DataError(f"{place}: {twice} is there a second time. Two cameras need two names and two folders.")
        taken.add(name)
        found[folder] = _with_clock(station, row, clock, place)
    if not found:
        raise DataError(f"{path}: has no row, expected one for each station.")
    return found


def _station(row: Mapping[str, str], place: str) -> StationRow:
    name = row.get("deploymentid", "")
    if not name or len(name) > _MAX_NAME or not name.isprintable():
        raise DataError(f"{place}: deploymentID is {name[:120]!r}, expected 1 to {_MAX_NAME} printable characters.")
    latitude, longitude = (
        _degrees(row.get(key, ""), limit, key, place) for key, limit in (("latitude", 90), ("longitude", 180))
    )
    if (latitude is None) != (longitude is None):
        raise DataError(f"{place}: one of latitude and longitude is missing; expected both or none.")
    camera = row.get("camera", "")
    if len(camera) > _MAX_NAME or not camera.isprintable():
        raise DataError(f"{place}: camera is {camera[:120]!r}, expected at most {_MAX_NAME} printable characters.")
    return StationRow(Station(name, latitude, longitude, camera or None))


def _degrees(text: str, limit: float, name: str, place: str) -> float | None:
    if not text:
        return None
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        value = limit + 1
    if not abs(value) <= limit:
        raise DataError(f"{place}: {name} is {text!r}, expected decimal degrees from -{limit:g} to {limit:g}.")
    return value


def _with_clock(row: StationRow, texts: Mapping[str, str], clock: CameraClock, place: str) -> StationRow:
    zone, shift = texts.get("timezone"), texts.get("shift")
    if not zone and not shift:
        return row
    try:
        chosen = CameraClock(
            read_zone(zone) if zone else clock.zone,
            read_shift(shift) if shift else clock.shift,
            zone or clock.zone_name,
        )
    except ValueError as error:
        raise DataError(f"{place}: {error}.") from error
    return StationRow(row.station, chosen)
