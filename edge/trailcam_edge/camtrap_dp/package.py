"""Write a Camera Trap Data Package (Camtrap DP 1.0.2): visits, pictures, effort and blind times of a camera.

    deployments.csv     one row: this camera at this place, with its effort in words
    media.csv, media/   the kept pictures
    observations.csv    one event-based row for each visit, and a media-based one with the box in its picture
    blind-times.csv     blind times and their reasons: an additional table, which the standard allows
    datapackage.json    the metadata

Source: https://camtrap-dp.tdwg.org, version 1.0.2; its table schemas name the columns and their order.
"""

import csv
import io
import json
import os
import re
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import mkstemp
from typing import Any

from trailcam_core.errors import DataError
from trailcam_core.files.atomic import STAGING_PREFIX, sync_directory
from trailcam_edge.camtrap_dp.rows import (
    Deployment,
    Project,
    Row,
    blind_rows,
    deployment_row,
    extent,
    media_rows,
    observation_rows,
    utc_stamp,
)
from trailcam_edge.camtrap_dp.tables import (
    BLIND_TIME_COLUMNS,
    DEPLOYMENT_COLUMNS,
    MEDIA_COLUMNS,
    OBSERVATION_COLUMNS,
    PROFILE,
    RESOURCES,
)
from trailcam_edge.store.effort import Effort, summarise_effort
from trailcam_edge.store.reader import StoreReader
from trailcam_edge.store.records import EventRecord

SAMPLING_DESIGNS = (
    "simpleRandom",
    "systematicRandom",
    "clusteredRandom",
    "experimental",
    "targeted",
    "opportunistic",
)


@dataclass(frozen=True)
class Selection:
    """Visits with this label, and visits and effort from ``since_s`` until before ``until_s``, in Unix time."""

    label: str | None = None
    since_s: float | None = None
    until_s: float | None = None


@dataclass(frozen=True)
class PackageSummary:
    """Contents of a written package; ``undated`` visits have no known date and were left out."""

    observations: int
    media: int
    undated: int
    effort: Effort | None


def write_camtrap_dp(
    path: Path,
    reader: StoreReader,
    store_folder: Path,
    deployment: Deployment,
    project: Project,
    selection: Selection | None = None,
) -> PackageSummary:
    """Write a package as a zip file, which appears whole or not at all.

    Args:
        path: of the zip file; an older one is replaced.
        reader: of the events; visits stored meanwhile are not part of the package.
        store_folder: of the pictures.
        deployment: the camera and its place.
        project: for the metadata.
        selection: of visits and effort; None is everything.

    Raises:
        DataError: there is nothing to write.
        OSError: the disk is full, read-only or failing; nothing is left behind.
    """
    chosen = selection or Selection()
    events = list(reader.events(chosen.label, chosen.since_s, chosen.until_s))
    dated = [event for event in events if event.started.unix_s is not None and event.ended.unix_s is not None]
    effort = summarise_effort(reader.watches(), reader.blind_times(), chosen.since_s, chosen.until_s)
    if not dated and effort is None:
        raise DataError(
            "There are no visits and no effort with a known date in this time, so there is nothing to write."
        )
    descriptor, staging = mkstemp(prefix=STAGING_PREFIX, dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as package:
                pictured = set(_add_pictures(package, dated, store_folder))
                tables = {
                    "deployments": (DEPLOYMENT_COLUMNS, [deployment_row(deployment, effort, dated)]),
                    "media": (MEDIA_COLUMNS, media_rows(dated, pictured, deployment)),
                    "observations": (OBSERVATION_COLUMNS, observation_rows(dated, pictured, deployment, project)),
                    "blind-times": (BLIND_TIME_COLUMNS, blind_rows(effort, deployment)),
                }
                for name, (columns, rows) in tables.items():
                    package.writestr(f"{name}.csv", _csv(columns, rows))
                boxed = any(event.box is not None and event.visit_id in pictured for event in dated)
                metadata = _datapackage(deployment, project, effort, dated, ["event", "media"] if boxed else ["event"])
                package.writestr("datapackage.json", json.dumps(metadata, ensure_ascii=False, indent=2) + "\n")
            file.flush()
            os.fchmod(descriptor, 0o644)
            os.fsync(descriptor)
        Path(staging).replace(path)
    except BaseException:
        Path(staging).unlink(missing_ok=True)
        raise
    sync_directory(path.parent)
    return PackageSummary(len(dated), len(pictured), len(events) - len(dated), effort)


def _add_pictures(package: zipfile.ZipFile, events: Iterable[EventRecord], folder: Path) -> Iterator[str]:
    """Copy the pictures and yield their visits; one that was deleted meanwhile is left out."""
    for event in events:
        if event.picture is None:
            continue
        try:
            content = (folder / event.picture).read_bytes()
        except FileNotFoundError:
            continue
        package.writestr(zipfile.ZipInfo(f"media/{event.visit_id}.jpg", _zip_time(event)), content)
        yield event.visit_id


def _datapackage(
    deployment: Deployment,
    project: Project,
    effort: Effort | None,
    events: list[EventRecord],
    levels: list[str],
) -> dict[str, Any]:
    start_s, end_s = extent(effort, events)
    names = sorted({(project.taxa[event.label], event.label) for event in events if event.label in project.taxa})
    metadata: dict[str, Any] = {
        "resources": list(RESOURCES),
        "profile": PROFILE,
        "name": re.sub(r"[^a-z0-9._-]+", "-", deployment.deployment_id.lower()).strip("-") or "deployment",
        "created": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "title": f"{project.title}: {deployment.deployment_id}",
        "contributors": [{"title": project.contributor, "role": "contact"}],
        "sources": [{"title": "Trailcam"}],
        "project": {
            "title": project.title,
            "samplingDesign": project.sampling_design,
            "captureMethod": ["activityDetection"],
            "individualAnimals": False,
            "observationLevel": levels,
        },
        "spatial": {"type": "Point", "coordinates": [deployment.longitude, deployment.latitude]},
        "temporal": {"start": utc_stamp(start_s)[:10], "end": utc_stamp(end_s)[:10]},
        "taxonomic": [{"scientificName": name, "vernacularNames": {"eng": label}} for name, label in names],
    }
    if project.licence is not None:
        metadata["licenses"] = [{"name": project.licence, "scope": scope} for scope in ("data", "media")]
    return metadata


def _csv(columns: Iterable[str], rows: Iterable[Row]) -> bytes:
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, list(columns), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue().encode("utf-8")


def _zip_time(event: EventRecord) -> tuple[int, int, int, int, int, int]:
    taken = datetime.fromtimestamp(event.started.unix_s or 0, UTC)
    return (max(1980, taken.year), taken.month, taken.day, taken.hour, taken.minute, taken.second)
