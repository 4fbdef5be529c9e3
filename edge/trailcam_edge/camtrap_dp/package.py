"""Write a Camera Trap Data Package (Camtrap DP 1.0.2): what a camera saw, and when it could not see, for researchers.

    deployments.csv     one row: this camera at this place, with its effort in words
    media.csv, media/   the kept pictures
    observations.csv    one event-based row for each visit
    blind-times.csv     when the camera could not see, and why: a table of our own, which the standard allows
    datapackage.json    what all this is

Source: https://camtrap-dp.tdwg.org, version 1.0.2; its table schemas name the columns and their order.
"""

import csv
import io
import json
import math
import os
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import mkstemp
from typing import Any

from trailcam_core.errors import DataError
from trailcam_core.files.atomic import STAGING_PREFIX, sync_directory
from trailcam_edge.camtrap_dp.tables import (
    BLIND_TIME_COLUMNS,
    DEPLOYMENT_COLUMNS,
    MEDIA_COLUMNS,
    OBSERVATION_COLUMNS,
    PROFILE,
    RESOURCES,
)
from trailcam_edge.events import BLANK, PERSON, UNKNOWN
from trailcam_edge.store.effort import Effort, summarise_effort
from trailcam_edge.store.reader import StoreReader
from trailcam_edge.store.records import EventRecord

__all__ = ["SAMPLING_DESIGNS", "Deployment", "PackageSummary", "Project", "write_camtrap_dp"]

SAMPLING_DESIGNS = (
    "simpleRandom",
    "systematicRandom",
    "clusteredRandom",
    "experimental",
    "targeted",
    "opportunistic",
)
_TYPES = {BLANK: "blank", "empty": "blank", UNKNOWN: "unknown", PERSON: "human", "human": "human", "vehicle": "vehicle"}

_Row = dict[str, Any]


@dataclass(frozen=True)
class Deployment:
    """One camera at one place; latitude and longitude in decimal degrees, WGS84."""

    deployment_id: str
    latitude: float
    longitude: float
    camera_id: str | None = None
    location_id: str | None = None
    location_name: str | None = None
    coordinate_uncertainty_m: int | None = None

    def __post_init__(self) -> None:
        """Refuse a place that is not on Earth."""
        if not (abs(self.latitude) <= 90 and abs(self.longitude) <= 180):
            raise ValueError(
                f"latitude {self.latitude} and longitude {self.longitude}, expected -90 to 90 and -180 to 180 degrees"
            )


@dataclass(frozen=True)
class Project:
    """What the data are part of; ``taxa`` gives the scientific name of a label, ``licence`` is an SPDX name."""

    title: str
    contributor: str
    sampling_design: str = "opportunistic"
    licence: str | None = None
    taxa: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PackageSummary:
    """What was written; ``undated`` visits have no time at all and were left out."""

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
    label: str | None = None,
    since_s: float | None = None,
    until_s: float | None = None,
) -> PackageSummary:
    """Write a package as a zip file, which appears whole or not at all.

    Args:
        path: of the zip file; an older one is replaced.
        reader: gives the events; what is stored while this runs is not part of the package.
        store_folder: where the pictures are.
        deployment: the camera and its place.
        project: what goes into the metadata.
        label: only visits with this label.
        since_s: only what started at or after this Unix time.
        until_s: only what started before.

    Raises:
        DataError: there is nothing to write.
        OSError: the disk is full, read-only or failing; nothing is left behind.
    """
    events = list(reader.events(label, since_s, until_s))
    dated = [event for event in events if event.started.unix_s is not None and event.ended.unix_s is not None]
    effort = summarise_effort(reader.watches(), reader.blind_times(), since_s, until_s)
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
                    "deployments": (DEPLOYMENT_COLUMNS, [_deployment_row(deployment, effort, dated)]),
                    "media": (MEDIA_COLUMNS, _media_rows(dated, pictured, deployment)),
                    "observations": (OBSERVATION_COLUMNS, _observation_rows(dated, deployment, project)),
                    "blind-times": (BLIND_TIME_COLUMNS, _blind_rows(effort, deployment)),
                }
                for name, (columns, rows) in tables.items():
                    package.writestr(f"{name}.csv", _csv(columns, rows))
                metadata = _datapackage(deployment, project, effort, dated)
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
    """Copy the pictures and yield their visits; one that was deleted for room meanwhile is left out."""
    for event in events:
        if event.picture is None:
            continue
        try:
            content = (folder / event.picture).read_bytes()
        except FileNotFoundError:
            continue
        package.writestr(zipfile.ZipInfo(f"media/{event.visit_id}.jpg", _zip_time(event)), content)
        yield event.visit_id


def _deployment_row(deployment: Deployment, effort: Effort | None, events: list[EventRecord]) -> _Row:
    start_s, end_s = _extent(effort, events)
    known = all(event.started.known and event.ended.known for event in events) and (
        effort is None or effort.times_known
    )
    return {
        "deploymentID": deployment.deployment_id,
        "locationID": deployment.location_id,
        "locationName": deployment.location_name,
        "latitude": deployment.latitude,
        "longitude": deployment.longitude,
        "coordinateUncertainty": deployment.coordinate_uncertainty_m,
        "deploymentStart": _stamp(start_s),
        "deploymentEnd": _stamp(math.ceil(end_s)),
        "cameraID": deployment.camera_id,
        "timestampIssues": "false" if known else "true",
        "deploymentComments": _describe_effort(effort),
    }


def _media_rows(events: Iterable[EventRecord], pictured: set[str], deployment: Deployment) -> Iterator[_Row]:
    for event in events:
        if event.visit_id in pictured:
            yield {
                "mediaID": event.visit_id,
                "deploymentID": deployment.deployment_id,
                "captureMethod": "activityDetection",
                "timestamp": _stamp(event.started.unix_s),
                "filePath": f"media/{event.visit_id}.jpg",
                "filePublic": "false" if _observation_type(event) == "human" else "true",
                "fileName": f"{event.visit_id}.jpg",
                "fileMediatype": "image/jpeg",
            }


def _observation_rows(events: Iterable[EventRecord], deployment: Deployment, project: Project) -> Iterator[_Row]:
    for event in events:
        kind = _observation_type(event)
        yield {
            "observationID": event.visit_id,
            "deploymentID": deployment.deployment_id,
            "eventID": event.visit_id,
            "eventStart": _stamp(event.started.unix_s),
            "eventEnd": _stamp(event.ended.unix_s),
            "observationLevel": "event",
            "observationType": kind,
            "scientificName": project.taxa.get(event.label),
            "classificationMethod": "machine",
            "classifiedBy": event.bundle,
            "classificationTimestamp": _stamp(event.ended.unix_s),
            "classificationProbability": None if kind in ("unknown", "blank") else round(event.confidence, 4),
            "observationTags": f"label:{event.label}",
            "observationComments": None if event.started.known else f"the date is a bound: {event.started.basis}",
        }


def _blind_rows(effort: Effort | None, deployment: Deployment) -> Iterator[_Row]:
    for span in effort.blind if effort else ():
        yield {
            "deploymentID": deployment.deployment_id,
            "start": _stamp(span.start_s),
            "end": _stamp(math.ceil(span.end_s)),
            "reason": span.reason,
        }


def _observation_type(event: EventRecord) -> str:
    return _TYPES.get(event.label.lower(), "animal")


def _describe_effort(effort: Effort | None) -> str:
    if effort is None:
        return "Effort was not recorded."
    text = f"Watched {effort.watched_s / 3600:.2f} h of {(effort.end_s - effort.start_s) / 3600:.2f} h."
    blind = [
        f"{reason} {seconds / 3600:.2f} h ({number} times)"
        for reason, (seconds, number) in effort.blind_by_reason().items()
    ]
    return f"{text} Blind: {', '.join(blind)}; see blind-times.csv." if blind else f"{text} Never blind."


def _extent(effort: Effort | None, events: list[EventRecord]) -> tuple[float, float]:
    starts = [event.started.unix_s for event in events if event.started.unix_s is not None]
    ends = [event.ended.unix_s for event in events if event.ended.unix_s is not None]
    if effort is not None:
        starts.append(effort.start_s)
        ends.append(effort.end_s)
    return min(starts), max(ends)


def _datapackage(
    deployment: Deployment, project: Project, effort: Effort | None, events: list[EventRecord]
) -> dict[str, Any]:
    start_s, end_s = _extent(effort, events)
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
            "observationLevel": ["event"],
        },
        "spatial": {"type": "Point", "coordinates": [deployment.longitude, deployment.latitude]},
        "temporal": {"start": _stamp(start_s)[:10], "end": _stamp(end_s)[:10]},
        "taxonomic": [{"scientificName": name, "vernacularNames": {"eng": label}} for name, label in names],
    }
    if project.licence is not None:
        metadata["licenses"] = [{"name": project.licence, "scope": scope} for scope in ("data", "media")]
    return metadata


def _csv(columns: Iterable[str], rows: Iterable[_Row]) -> bytes:
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, list(columns), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue().encode("utf-8")


def _stamp(unix_s: float | None) -> str:
    return datetime.fromtimestamp(math.floor(unix_s or 0), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _zip_time(event: EventRecord) -> tuple[int, int, int, int, int, int]:
    taken = datetime.fromtimestamp(event.started.unix_s or 0, UTC)
    return (max(1980, taken.year), taken.month, taken.day, taken.hour, taken.minute, taken.second)
