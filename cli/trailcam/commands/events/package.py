"""``trailcam events --camtrap-dp``: write a Camera Trap Data Package."""

import argparse
import sys
from collections.abc import Collection, Mapping
from pathlib import Path

from trailcam_archive.card.stations import read_stations
from trailcam_archive.times.clock import CameraClock, read_zone
from trailcam_core.errors import DataError
from trailcam_core.files.names import counted
from trailcam_core.records import read_toml
from trailcam_edge.camtrap_dp.chosen import Selection
from trailcam_edge.camtrap_dp.package import write_camtrap_dp
from trailcam_edge.camtrap_dp.rows import Deployment, Project
from trailcam_edge.store.reader import StoreReader
from trailcam_edge.store.records import Station
from trailcam_edge.store.reviews.tables import known_labels


def write_package(
    arguments: argparse.Namespace,
    reader: StoreReader,
    stations: Mapping[str, Station],
    since_s: float | None,
    until_s: float | None,
) -> int:
    """Write the package and print what it holds.

    Raises:
        DataError: place or contact are missing, or there is nothing to write.
    """
    if arguments.limit is not None or arguments.blind:
        raise DataError("--limit and --blind cannot be used with --camtrap-dp; select by --label, --since and --until.")
    required = ("contributor",) if stations else ("latitude", "longitude", "contributor")
    missing = [f"--{name}" for name in required if getattr(arguments, name) is None]
    if missing:
        raise DataError(f"A Camera Trap Data Package needs place and contact: add {', '.join(missing)}.")
    project = Project(
        arguments.project,
        arguments.contributor,
        arguments.sampling_design,
        arguments.licence,
        {} if arguments.taxa is None else _read_taxa(arguments.taxa, known_labels(reader.connection)),
    )
    summary = write_camtrap_dp(
        arguments.camtrap_dp,
        reader,
        arguments.store,
        _deployments(arguments, stations),
        project,
        Selection(arguments.label, since_s, until_s, arguments.station),
    )
    cameras = f", {summary.deployments} deployments" if summary.deployments > 1 else ""
    observations, pictures = counted(summary.observations, "observation"), counted(summary.media, "picture")
    clips = f", {counted(summary.clips, 'clip')}" if summary.clips else ""
    print(f"{arguments.camtrap_dp}: {observations}, {pictures}{clips}{cameras}.")
    if summary.watched_s is not None:
        hours = f"{summary.watched_s / 3600:.2f} h"
        print(f"From first to last recording: {hours} in all." if stations else f"The camera watched {hours} in it.")
    if summary.deleted:
        print(f"trailcam: {counted(summary.deleted, 'visit')} that reviewers deleted are left out.", file=sys.stderr)
    if summary.undated:
        print(
            f"trailcam: {summary.undated} visits are left out: no clock and no file states their date.",
            file=sys.stderr,
        )
    return 0


def _deployments(arguments: argparse.Namespace, stations: Mapping[str, Station]) -> dict[str | None, Deployment]:
    """Return the deployments with coordinates: those of the stations, and of the camera of this machine."""
    places = dict(stations)
    if arguments.stations is not None:
        table = read_stations(arguments.stations, CameraClock(read_zone("UTC")))
        places |= {row.station.deployment_id: row.station for row in table.values()}
    found: dict[str | None, Deployment] = {}
    for name in stations:
        place = places[name]
        if place.latitude is not None and place.longitude is not None:
            found[name] = Deployment(name, place.latitude, place.longitude, place.camera)
    if arguments.latitude is not None and arguments.longitude is not None:
        own = _own_deployment(arguments)
        found[None] = own
        if len(stations) == 1:
            (only,) = stations
            found.setdefault(only, own)
    return found


def _own_deployment(arguments: argparse.Namespace) -> Deployment:
    coordinates = f"{arguments.latitude:.5f}_{arguments.longitude:.5f}"
    parts = [_escape(part) for part in (arguments.location_id, arguments.camera_id) if part]
    try:
        return Deployment(
            arguments.deployment_id or "_".join([*parts, coordinates]),
            arguments.latitude,
            arguments.longitude,
            arguments.camera_id,
            arguments.location_id,
            arguments.location_name,
            arguments.uncertainty,
        )
    except ValueError as error:
        raise DataError(f"{error}.") from error


def _escape(part: str) -> str:
    """Return a part of a deploymentID without the character that joins parts: "a_b", "c" is not "a", "b_c"."""
    return part.replace("%", "%25").replace("_", "%5F")


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
