"""Write a Camera Trap Data Package (Camtrap DP 1.0.2): visits, pictures, effort and blind times of a camera.

    deployments.csv     one row: this camera at this place, with its effort in words
    media.csv, media/   the kept pictures
    observations.csv    one event-based row for each visit
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
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import inf
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
_MANY_ROWS = 2_000_000  # beyond them a table may pass 2 GB
_FIRST_ZIP_DATE = datetime(1980, 1, 1, tzinfo=UTC)
_LAST_ZIP_DATE = datetime(2107, 12, 31, 23, 59, 58, tzinfo=UTC)


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
    with reader.snapshot():
        chosen = _Chosen(reader, selection or Selection())
        return _write(path, chosen, store_folder, deployment, project)


class _Chosen:
    """The chosen events, read anew for every table, because a store may hold more than fit into memory."""

    def __init__(self, reader: StoreReader, selection: Selection) -> None:
        self._reader = reader
        self._selection = selection
        self.effort = summarise_effort(reader.watches(), reader.blind_times(), selection.since_s, selection.until_s)
        self.number = self.undated = 0
        self.labels: set[str] = set()
        self.times_known = self.effort is None or self.effort.times_known
        self.start_s, self.end_s = (inf, -inf) if self.effort is None else (self.effort.start_s, self.effort.end_s)
        for event in self._events():
            if event.started.unix_s is None or event.ended.unix_s is None:
                self.undated += 1
                continue
            self.number += 1
            self.labels.add(event.label)
            self.times_known = self.times_known and event.started.known and event.ended.known
            self.start_s, self.end_s = min(self.start_s, event.started.unix_s), max(self.end_s, event.ended.unix_s)
        if not self.number and self.effort is None:
            raise DataError(
                "There are no visits and no effort with a known date in this time, so there is nothing to write."
            )

    def dated(self) -> Iterator[EventRecord]:
        """Return the events whose date is known, in order."""
        return (
            event for event in self._events() if event.started.unix_s is not None and event.ended.unix_s is not None
        )

    def _events(self) -> Iterator[EventRecord]:
        return self._reader.events(self._selection.label, self._selection.since_s, self._selection.until_s)


def _write(path: Path, chosen: _Chosen, store_folder: Path, deployment: Deployment, project: Project) -> PackageSummary:
    descriptor, staging = mkstemp(prefix=STAGING_PREFIX, dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as package:
                pictured = set(_add_pictures(package, chosen.dated(), store_folder))
                span = (chosen.start_s, chosen.end_s)
                tables = {
                    "deployments": (
                        DEPLOYMENT_COLUMNS,
                        [deployment_row(deployment, chosen.effort, span, chosen.times_known)],
                    ),
                    "media": (MEDIA_COLUMNS, media_rows(chosen.dated() if pictured else (), pictured, deployment)),
                    "observations": (OBSERVATION_COLUMNS, observation_rows(chosen.dated(), deployment, project)),
                    "blind-times": (BLIND_TIME_COLUMNS, blind_rows(chosen.effort, deployment)),
                }
                for name, (columns, rows) in tables.items():
                    _add_table(package, f"{name}.csv", columns, rows, chosen.number > _MANY_ROWS)
                metadata = _datapackage(deployment, project, span, chosen.labels)
                text = json.dumps(metadata, ensure_ascii=False, indent=2) + "\n"
                package.writestr(_zip_info("datapackage.json"), text)
            file.flush()
            os.fchmod(descriptor, 0o644)
            os.fsync(descriptor)
        Path(staging).replace(path)
    except BaseException:
        Path(staging).unlink(missing_ok=True)
        raise
    sync_directory(path.parent)
    return PackageSummary(chosen.number, len(pictured), chosen.undated, chosen.effort)


def _add_pictures(package: zipfile.ZipFile, events: Iterable[EventRecord], folder: Path) -> Iterator[str]:
    """Copy the pictures and yield their visits; one that was deleted meanwhile is left out."""
    for event in events:
        if event.picture is None:
            continue
        try:
            content = (folder / event.picture).read_bytes()
        except FileNotFoundError:
            continue
        package.writestr(_zip_info(f"media/{event.visit_id}.jpg", event.started.unix_s), content)
        yield event.visit_id


def _datapackage(
    deployment: Deployment, project: Project, span: tuple[float, float], labels: set[str]
) -> dict[str, Any]:
    start_s, end_s = span
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
        "temporal": {"start": utc_stamp(start_s)[:10], "end": utc_stamp(end_s)[:10]},
        "taxonomic": _taxonomy(project, labels),
    }
    if project.licence is not None:
        metadata["licenses"] = [{"name": project.licence, "scope": scope} for scope in ("data", "media")]
    return metadata


def _taxonomy(project: Project, labels: set[str]) -> list[dict[str, Any]]:
    """Return one entry for each scientific name, because readers join the observations to it."""
    found: dict[str, list[str]] = {}
    for label in sorted(labels & project.taxa.keys()):
        found.setdefault(project.taxa[label], []).append(label)
    return [
        {"scientificName": name, "vernacularNames": {"eng": ", ".join(names)}} for name, names in sorted(found.items())
    ]


def _add_table(
    package: zipfile.ZipFile, name: str, columns: Sequence[str], rows: Iterable[Row], is_large: bool
) -> None:
    """Write a table row by row; ``is_large`` allows more than 2 GB, for which the format must be known beforehand."""
    with (
        package.open(_zip_info(name), "w", force_zip64=is_large) as member,
        io.TextIOWrapper(member, encoding="utf-8", newline="", write_through=False) as text,
    ):
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(map(row.get, columns) for row in rows)


def _zip_info(name: str, unix_s: float | None = None) -> zipfile.ZipInfo:
    """Return the head of a member, dated now or at a Unix time, within the years that the format can hold."""
    date = datetime.now(UTC) if unix_s is None else datetime.fromtimestamp(unix_s, UTC)
    date = min(max(date, _FIRST_ZIP_DATE), _LAST_ZIP_DATE)
    info = zipfile.ZipInfo(name, (date.year, date.month, date.day, date.hour, date.minute, date.second))
    info.compress_type = zipfile.ZIP_STORED if name.endswith(".jpg") else zipfile.ZIP_DEFLATED
    info.external_attr = 0o644 << 16
    return info
