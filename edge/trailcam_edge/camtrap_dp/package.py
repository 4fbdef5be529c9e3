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
from trailcam_edge.store.reviews.records import reviewed_label
from trailcam_edge.store.reviews.tables import standings

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
    """Contents of a written package; ``undated`` visits have no known date; people left ``deleted`` ones out."""

    observations: int
    media: int
    undated: int
    effort: Effort | None
    deleted: int = 0


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
        descriptor, staging = mkstemp(prefix=STAGING_PREFIX, dir=path.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as package:
                    chosen = _Chosen(reader, selection or Selection())
                    chosen.add_pictures(package, store_folder)
                    _add_tables(package, chosen, deployment, project)
                file.flush()
                os.fchmod(descriptor, 0o644)
                os.fsync(descriptor)
            Path(staging).replace(path)
        except BaseException:
            Path(staging).unlink(missing_ok=True)
            raise
    sync_directory(path.parent)
    return PackageSummary(chosen.number, len(chosen.pictured), chosen.undated, chosen.effort, chosen.deleted)


class _Chosen:
    """The chosen events, read anew for every table, because a store may hold more than fit into memory."""

    def __init__(self, reader: StoreReader, selection: Selection) -> None:
        self._reader = reader
        self._selection = selection
        self.effort = summarise_effort(reader.watches(), reader.blind_times(), selection.since_s, selection.until_s)
        self.number = self.undated = 0
        self.labels: set[str] = set()
        self.reviews = standings(reader.connection)
        self.deleted = 0
        self.pictured: set[str] = set()
        self.boxed = False
        self.times_known = self.effort is None or self.effort.times_known
        self.span = (inf, -inf) if self.effort is None else (self.effort.start_s, self.effort.end_s)

    def add_pictures(self, package: zipfile.ZipFile, folder: Path) -> None:
        """Count the events and copy their pictures; one that was deleted meanwhile is left out.

        Raises:
            DataError: there is nothing to write.
        """
        first_s, last_s = self.span
        bases: set[str] = set()
        for event in self.dated():
            self.number += 1
            self.labels.add(reviewed_label(event.label, self.reviews.get(event.visit_id)) or event.label)
            (start_s, start_basis), (end_s, end_basis) = event.started, event.ended
            bases.update((start_basis, end_basis))
            first_s, last_s = min(first_s, start_s or 0), max(last_s, end_s or 0)
            if event.picture is not None and _add_picture(package, event, folder):
                self.pictured.add(event.visit_id)
                self.boxed = self.boxed or event.box is not None
        self.span = first_s, last_s
        self.times_known = self.times_known and bases <= {"clock"}
        if not self.number and self.effort is None:
            raise DataError(
                "There are no visits and no effort with a known date in this time, so there is nothing to write."
            )

    def dated(self) -> Iterator[EventRecord]:
        """Yield the events whose date is known, in order, and count the others; people may have deleted some."""
        self.undated = self.deleted = 0
        for event in self._reader.events(self._selection.label, self._selection.since_s, self._selection.until_s):
            found = self.reviews.get(event.visit_id)
            if found is not None and found.review.verdict == "deleted":
                self.deleted += 1
            elif event.started.unix_s is None or event.ended.unix_s is None:
                self.undated += 1
            else:
                yield event


def _add_picture(package: zipfile.ZipFile, event: EventRecord, folder: Path) -> bool:
    try:
        content = (folder / str(event.picture)).read_bytes()
    except FileNotFoundError:
        return False
    package.writestr(_zip_info(f"media/{event.visit_id}.jpg", event.started.unix_s), content)
    return True


def _add_tables(package: zipfile.ZipFile, chosen: _Chosen, deployment: Deployment, project: Project) -> None:
    pictured = chosen.pictured
    tables: dict[str, tuple[Sequence[str], Iterable[Row]]] = {
        "deployments": (
            DEPLOYMENT_COLUMNS,
            [deployment_row(deployment, chosen.effort, chosen.span, chosen.times_known)],
        ),
        "media": (MEDIA_COLUMNS, media_rows(chosen.dated() if pictured else (), pictured, deployment, chosen.reviews)),
        "observations": (
            OBSERVATION_COLUMNS,
            observation_rows(chosen.dated(), pictured, deployment, project, chosen.reviews),
        ),
        "blind-times": (BLIND_TIME_COLUMNS, blind_rows(chosen.effort, deployment)),
    }
    for name, (columns, rows) in tables.items():
        _add_table(package, f"{name}.csv", columns, rows, chosen.number > _MANY_ROWS)
    levels = ["event", "media"] if chosen.boxed else ["event"]
    metadata = _datapackage(deployment, project, chosen.span, chosen.labels, levels)
    package.writestr(_zip_info("datapackage.json"), json.dumps(metadata, ensure_ascii=False, indent=2) + "\n")


def _datapackage(
    deployment: Deployment, project: Project, span: tuple[float, float], labels: set[str], levels: list[str]
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
            "observationLevel": levels,
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
