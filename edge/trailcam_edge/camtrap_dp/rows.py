"""Rows of the tables of a Camera Trap Data Package, made of events and effort."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from trailcam_edge.camtrap_dp.taxa import taxon_of
from trailcam_edge.events import NOTHING, PERSON, UNKNOWN
from trailcam_edge.store.effort import Effort
from trailcam_edge.store.records import CLOCK, EventRecord, iso_hour
from trailcam_edge.store.reviews.records import Standing, reviewed_label

_TYPES = {
    NOTHING: "blank",
    "empty": "blank",
    UNKNOWN: "unknown",
    PERSON: "human",
    "human": "human",
    "vehicle": "vehicle",
}

Row = dict[str, Any]


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
        """Refuse coordinates out of range."""
        if not (abs(self.latitude) <= 90 and abs(self.longitude) <= 180):
            raise ValueError(
                f"latitude {self.latitude} and longitude {self.longitude}, expected -90 to 90 and -180 to 180 degrees"
            )


Deployments = Mapping[str | None, Deployment]  # by station; None is the camera of this machine


@dataclass(frozen=True)
class Project:
    """The project of the data.

    ``taxa`` maps labels to scientific names, beside those of the built-in bundle; ``licence`` is an SPDX name.
    """

    title: str
    contributor: str
    sampling_design: str = "opportunistic"
    licence: str | None = None
    taxa: Mapping[str, str] = field(default_factory=dict)


def deployment_row(
    deployment: Deployment, effort: Effort | None, span: tuple[float, float], times_known: bool, of_card: bool = False
) -> Row:
    """Return the row of the deployment, with its effort in words.

    Args:
        deployment: camera and place.
        effort: of the camera.
        span: first and last Unix time of its data.
        times_known: no time is a bound only.
        of_card: the effort is the time from the first recording of a card to the last.
    """
    start_s, end_s = span
    return {
        "deploymentID": deployment.deployment_id,
        "locationID": deployment.location_id,
        "locationName": deployment.location_name,
        "latitude": deployment.latitude,
        "longitude": deployment.longitude,
        "coordinateUncertainty": deployment.coordinate_uncertainty_m,
        "deploymentStart": utc_stamp(start_s),
        "deploymentEnd": utc_stamp(math.ceil(end_s)),
        "cameraID": deployment.camera_id,
        "timestampIssues": "false" if times_known else "true",
        "deploymentComments": _describe_effort(effort, of_card),
    }


def media_rows(
    events: Iterable[EventRecord], media: set[str], deployments: Deployments, reviews: Mapping[str, Standing]
) -> Iterator[Row]:
    """Yield a row for each picture and clip in the package.

    One that model or reviewers call a human is not public.

    Args:
        events: the visits.
        media: names of the files in the package.
        deployments: of the stations.
        reviews: by visit.
    """
    for event in events:
        for name, media_id, kind, offset_s in (
            (picture_name(event), event.visit_id, "image/jpeg", event.picture_offset_s),
            (clip_name(event), f"{event.visit_id}-clip", "video/mp4", event.clip_offset_s),
        ):
            if name in media:
                yield {
                    "mediaID": media_id,
                    "deploymentID": deployments[event.station].deployment_id,
                    "captureMethod": "activityDetection",
                    "timestamp": utc_stamp((event.started.unix_s or 0) + (offset_s or 0)),
                    "filePath": f"media/{name}",
                    "filePublic": "false" if "human" in _answers(event, reviews) else "true",
                    "fileName": name,
                    "fileMediatype": kind,
                    "mediaComments": None if event.source is None else f"picture of {event.source}",
                }


def picture_name(event: EventRecord) -> str:
    """Return the file name of the picture of a visit in the package."""
    return f"{event.visit_id}.jpg"


def clip_name(event: EventRecord) -> str:
    """Return the file name of the clip of a visit in the package."""
    return f"{event.visit_id}.mp4"


def observation_rows(
    events: Iterable[EventRecord],
    media: set[str],
    deployments: Deployments,
    project: Project,
    reviews: Mapping[str, Standing],
) -> Iterator[Row]:
    """Yield an event-based row for each visit and, if its picture has a box, a media-based row with the box.

    A visit with a review is classified by its reviewer; the answer of the model is in the tags.
    """
    for event in events:
        found = reviews.get(event.visit_id)
        label = event.label if found is None else reviewed_label(event.label, found) or UNKNOWN
        kind = _observation_type(label)
        end = utc_stamp(event.ended.unix_s)
        taxon = taxon_of(label, event.bundle, project.taxa)
        row: Row = {
            "observationID": event.visit_id,
            "deploymentID": deployments[event.station].deployment_id,
            "eventID": event.visit_id,
            "eventStart": utc_stamp(event.started.unix_s),
            "eventEnd": end,
            "observationLevel": "event",
            "observationType": kind,
            "scientificName": None if taxon is None else taxon.name,
            **_classification(event, label, kind, found),
            "observationComments": _comments(event, found),
        }
        yield row
        if event.box is not None and picture_name(event) in media and kind != "blank":
            yield row | {
                "observationID": f"{event.visit_id}-box",
                "mediaID": event.visit_id,
                "observationLevel": "media",
                "bboxX": round(event.box.x, 5),
                "bboxY": round(event.box.y, 5),
                "bboxWidth": round(event.box.width, 5),
                "bboxHeight": round(event.box.height, 5),
            }


def blind_rows(effort: Effort | None, deployment: Deployment) -> Iterator[Row]:
    """Yield a row for each blind time."""
    for span in effort.blind if effort else ():
        yield {
            "deploymentID": deployment.deployment_id,
            "start": utc_stamp(span.start_s),
            "end": utc_stamp(math.ceil(span.end_s)),
            "reason": span.reason,
        }


def _classification(event: EventRecord, label: str, kind: str, found: Standing | None) -> Row:
    """Return the terms of the most recent classification.

    Source: Camtrap DP 1.0.2, observations: the probability is that of a machine, and left out for a human; time and
    name are those of the newest answer.
    """
    probability = round(event.confidence, 4)
    if found is None:
        return {
            "classificationMethod": "machine",
            "classifiedBy": event.bundle,
            "classificationTimestamp": utc_stamp(event.ended.unix_s),
            "classificationProbability": None if kind in ("unknown", "blank") else probability,
            "observationTags": f"label:{event.label}",
        }
    machine = f"machineLabel:{event.label}|machineProbability:{probability}|machine:{event.bundle}"
    return {
        "classificationMethod": "human",
        "classifiedBy": found.review.reviewer,
        "classificationTimestamp": None if found.review.unix_s is None else utc_stamp(found.review.unix_s),
        "classificationProbability": None,
        "observationTags": f"label:{label}|{machine}",
    }


def _comments(event: EventRecord, found: Standing | None) -> str | None:
    words = [] if event.started.known else [f"the date is a bound: {event.started.basis}"]
    if found is not None and found.disputed:
        words.append(f"reviewers differ: {', '.join(found.reviewers)}")
    return "; ".join(words) or None


def _answers(event: EventRecord, reviews: Mapping[str, Standing]) -> set[str]:
    reviewed = reviewed_label(event.label, reviews.get(event.visit_id))
    return {_observation_type(label) for label in (event.label, reviewed) if label is not None}


def _observation_type(label: str) -> str:
    return _TYPES.get(label.lower(), "animal")


def _describe_effort(effort: Effort | None, of_card: bool) -> str:
    if effort is None:
        return "Effort was not recorded."
    if of_card:
        hours = (effort.end_s - effort.start_s) / 3600
        text = f"Effort: {hours:.2f} h from the first recording to the last; gaps of the camera are not known."
        return f"{text} Damaged recordings: see blind-times.csv." if effort.blind else text
    text = f"Watched {effort.watched_s / 3600:.2f} h of {(effort.end_s - effort.start_s) / 3600:.2f} h."
    blind = [
        f"{reason} {seconds / 3600:.2f} h ({number} times)"
        for reason, (seconds, number) in effort.blind_by_reason().items()
    ]
    return f"{text} Blind: {', '.join(blind)}; see blind-times.csv." if blind else f"{text} Never blind."


def utc_stamp(unix_s: float | None) -> str:
    """Return a Unix time as ISO 8601 in UTC, in whole seconds."""
    hour, second = divmod(math.floor(unix_s or 0), 3600)
    return f"{iso_hour(hour)}{CLOCK[second]}Z"
