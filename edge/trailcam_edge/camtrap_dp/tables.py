"""The tables of a Camera Trap Data Package: columns in the order of the standard's schemas, and their descriptions.

Source: the table schemas of Camtrap DP 1.0.2, https://camtrap-dp.tdwg.org/data/. Every column is written, also those
that a camera cannot fill: readers complain about missing ones.
"""

from typing import Any

_STANDARD = "https://raw.githubusercontent.com/tdwg/camtrap-dp/1.0.2"
PROFILE = f"{_STANDARD}/camtrap-dp-profile.json"
DEPLOYMENT_COLUMNS = (
    "deploymentID",
    "locationID",
    "locationName",
    "latitude",
    "longitude",
    "coordinateUncertainty",
    "deploymentStart",
    "deploymentEnd",
    "setupBy",
    "cameraID",
    "cameraModel",
    "cameraDelay",
    "cameraHeight",
    "cameraDepth",
    "cameraTilt",
    "cameraHeading",
    "detectionDistance",
    "timestampIssues",
    "baitUse",
    "featureType",
    "habitat",
    "deploymentGroups",
    "deploymentTags",
    "deploymentComments",
)
MEDIA_COLUMNS = (
    "mediaID",
    "deploymentID",
    "captureMethod",
    "timestamp",
    "filePath",
    "filePublic",
    "fileName",
    "fileMediatype",
    "exifData",
    "favorite",
    "mediaComments",
)
OBSERVATION_COLUMNS = (
    "observationID",
    "deploymentID",
    "mediaID",
    "eventID",
    "eventStart",
    "eventEnd",
    "observationLevel",
    "observationType",
    "cameraSetupType",
    "scientificName",
    "count",
    "lifeStage",
    "sex",
    "behavior",
    "individualID",
    "individualPositionRadius",
    "individualPositionAngle",
    "individualSpeed",
    "bboxX",
    "bboxY",
    "bboxWidth",
    "bboxHeight",
    "classificationMethod",
    "classifiedBy",
    "classificationTimestamp",
    "classificationProbability",
    "observationTags",
    "observationComments",
)
BLIND_TIME_COLUMNS = ("deploymentID", "start", "end", "reason")


def _resource(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "path": f"{name}.csv",
        "profile": "tabular-data-resource",
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": "utf-8",
        "schema": f"{_STANDARD}/{name}-table-schema.json",
    }


def _blind_resource() -> dict[str, Any]:
    required = {"required": True}
    time = {"type": "datetime", "format": "%Y-%m-%dT%H:%M:%S%z", "constraints": required}
    return _resource("blind-times") | {
        "title": "Times in which the camera could not see",
        "schema": {
            "fields": [
                {"name": "deploymentID", "type": "string", "constraints": required},
                {"name": "start", **time},
                {"name": "end", **time},
                {"name": "reason", "type": "string", "constraints": required},
            ],
            "foreignKeys": [
                {"fields": "deploymentID", "reference": {"resource": "deployments", "fields": "deploymentID"}}
            ],
        },
    }


RESOURCES = (*(_resource(name) for name in ("deployments", "media", "observations")), _blind_resource())
