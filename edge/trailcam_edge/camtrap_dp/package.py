"""Write a Camera Trap Data Package (Camtrap DP 1.0.2): visits, pictures, effort and blind times of cameras.

    deployments.csv     one row for each camera at its place, with its effort in words
    media.csv, media/   the kept pictures and clips
    observations.csv    one event-based row for each visit, and a media-based one with the box in its picture
    blind-times.csv     blind times and their reasons: an additional table, which the standard allows
    datapackage.json    the metadata

Source: https://camtrap-dp.tdwg.org, version 1.0.2; its table schemas name the columns and their order.
"""

import io
import json
import re
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any

from trailcam_core.files.atomic import staged_file
from trailcam_core.files.csv_text import csv_line
from trailcam_edge.camtrap_dp.chosen import Chosen, Selection
from trailcam_edge.camtrap_dp.rows import (
    Deployment,
    Deployments,
    Project,
    Row,
    blind_rows,
    clip_name,
    deployment_row,
    media_rows,
    observation_rows,
    picture_name,
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
from trailcam_edge.store.reader import StoreReader

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
class PackageSummary:
    """Contents of a written package; ``undated`` visits have no known date and were left out.

    ``deployments`` counts the cameras, ``watched_s`` is the sum of their effort, None if none was recorded.
    ``deleted`` visits were left out by reviewers. ``media`` counts the pictures, ``clips`` the videos.
    """

    observations: int
    media: int
    undated: int
    deployments: int
    watched_s: float | None
    deleted: int = 0
    clips: int = 0


def write_camtrap_dp(
    path: Path,
    reader: StoreReader,
    store_folder: Path,
    deployments: Deployments,
    project: Project,
    selection: Selection | None = None,
) -> PackageSummary:
    """Write a package as a zip file, which appears whole or not at all.

    Args:
        path: of the zip file; an older one is replaced.
        reader: of the events; visits stored meanwhile are not part of the package.
        store_folder: of the pictures.
        deployments: camera and place of each station that is selected, and of the camera of this machine.
        project: for the metadata.
        selection: of visits and effort; None is everything.

    Raises:
        DataError: there is nothing to write.
        OSError: the disk is full, read-only or failing; nothing is left behind.
    """
    with reader.snapshot(), staged_file(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as package:
        chosen = Chosen(reader, selection or Selection(), project.taxa)
        pictured = _add_media(package, chosen, store_folder)
        chosen.check(deployments)
        _add_tables(package, chosen, pictured, deployments, project)
    return PackageSummary(
        chosen.number,
        len(pictured.media) - pictured.clips,
        chosen.undated,
        len(chosen.stations),
        chosen.watched_s,
        chosen.deleted,
        pictured.clips,
    )


@dataclass
class _Pictured:
    """Names of the pictures and clips in the package, the number of clips, and whether a picture has a box."""

    media: set[str] = field(default_factory=set)
    clips: int = 0
    boxed: bool = False


def _add_media(package: zipfile.ZipFile, chosen: Chosen, folder: Path) -> _Pictured:
    """Count the events and copy their pictures and clips; one that was deleted meanwhile is left out."""
    pictured = _Pictured()
    for event in chosen.count():
        name = picture_name(event)
        if event.picture is not None and _add_file(package, name, folder / event.picture, event.started.unix_s):
            pictured.media.add(name)
            pictured.boxed = pictured.boxed or event.box is not None
        name = clip_name(event)
        if event.clip is not None and _add_file(package, name, folder / event.clip, event.started.unix_s):
            pictured.media.add(name)
            pictured.clips += 1
    return pictured


def _add_file(package: zipfile.ZipFile, name: str, path: Path, unix_s: float | None) -> bool:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return False
    package.writestr(_zip_info(f"media/{name}", unix_s), content)
    return True


def _add_tables(
    package: zipfile.ZipFile, chosen: Chosen, pictured: _Pictured, deployments: Deployments, project: Project
) -> None:
    media = pictured.media
    tables: dict[str, tuple[Sequence[str], Iterable[Row]]] = {
        "deployments": (
            DEPLOYMENT_COLUMNS,
            [
                deployment_row(deployments[name], each.effort, each.span, each.times_known, name is not None)
                for name, each in chosen.stations.items()
            ],
        ),
        "media": (MEDIA_COLUMNS, media_rows(chosen.dated() if media else (), media, deployments, chosen.reviews)),
        "observations": (
            OBSERVATION_COLUMNS,
            observation_rows(chosen.dated(), media, deployments, project, chosen.reviews),
        ),
        "blind-times": (
            BLIND_TIME_COLUMNS,
            chain.from_iterable(blind_rows(each.effort, deployments[name]) for name, each in chosen.stations.items()),
        ),
    }
    for name, (columns, rows) in tables.items():
        _add_table(package, f"{name}.csv", columns, rows, chosen.number > _MANY_ROWS)
    levels = ["event", "media"] if pictured.boxed else ["event"]
    used = [deployments[name] for name in chosen.stations]
    metadata = _datapackage(used, project, chosen, levels)
    package.writestr(_zip_info("datapackage.json"), json.dumps(metadata, ensure_ascii=False, indent=2) + "\n")


def _datapackage(used: Sequence[Deployment], project: Project, chosen: Chosen, levels: list[str]) -> dict[str, Any]:
    start_s, end_s = chosen.span
    single = used[0].deployment_id if len(used) == 1 else None
    metadata: dict[str, Any] = {
        "resources": list(RESOURCES),
        "profile": PROFILE,
        "name": re.sub(r"[^a-z0-9._-]+", "-", (single or project.title).lower()).strip("-") or "deployment",
        "created": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "title": f"{project.title}: {single or f'{len(used)} deployments'}",
        "contributors": [{"title": project.contributor, "role": "contact"}],
        "sources": [{"title": "Trailcam"}],
        "project": {
            "title": project.title,
            "samplingDesign": project.sampling_design,
            "captureMethod": ["activityDetection"],
            "individualAnimals": False,
            "observationLevel": levels,
        },
        "spatial": _spatial(used),
        "temporal": {"start": utc_stamp(start_s)[:10], "end": utc_stamp(end_s)[:10]},
        "taxonomic": chosen.taxonomy(),
    }
    if project.licence is not None:
        metadata["licenses"] = [{"name": project.licence, "scope": scope} for scope in ("data", "media")]
    return metadata


def _spatial(used: Sequence[Deployment]) -> dict[str, Any]:
    """Return the places as GeoJSON."""
    places = sorted({(each.longitude, each.latitude) for each in used})
    if len(places) == 1:
        return {"type": "Point", "coordinates": list(places[0])}
    return {"type": "MultiPoint", "coordinates": [list(place) for place in places]}


def _add_table(
    package: zipfile.ZipFile, name: str, columns: Sequence[str], rows: Iterable[Row], is_large: bool
) -> None:
    """Write a table row by row; ``is_large`` allows more than 2 GB, for which the format must be known beforehand."""
    with (
        package.open(_zip_info(name), "w", force_zip64=is_large) as member,
        io.TextIOWrapper(member, encoding="utf-8", newline="", write_through=False) as text,
    ):
        text.write(csv_line(columns))
        text.writelines(csv_line(["" if row.get(name) is None else str(row[name]) for name in columns]) for row in rows)


def _zip_info(name: str, unix_s: float | None = None) -> zipfile.ZipInfo:
    """Return the head of a member, dated now or at a Unix time, within the years that the format can hold."""
    date = datetime.now(UTC) if unix_s is None else datetime.fromtimestamp(unix_s, UTC)
    date = min(max(date, _FIRST_ZIP_DATE), _LAST_ZIP_DATE)
    info = zipfile.ZipInfo(name, (date.year, date.month, date.day, date.hour, date.minute, date.second))
    info.compress_type = zipfile.ZIP_STORED if name.endswith((".jpg", ".mp4")) else zipfile.ZIP_DEFLATED
    info.external_attr = 0o644 << 16
    return info
