"""Home Assistant discovery: one message for the whole device. Pure functions.

Source: "Device discovery payload" in the documentation of Home Assistant's MQTT integration (2024.11 and newer).
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

from trailcam_edge.sinks.mqtt_topics import DEFAULT_BASE, OFF, ON, Topics, plain_key

_MAX_NAME = 200
_PERCENT = "{{ (100 * value_json.confidence) | round(1) if value_json.confidence is number else none }}"  # of no label


def discovery_topic(prefix: str, camera_id: str, base_topic: str = DEFAULT_BASE) -> str:
    """Return the topic of the retained message."""
    return f"{prefix}/device/{device_id(camera_id, base_topic)}/config"


def former_discovery_topic(prefix: str, camera_id: str) -> str:
    """Return the topic of the message of earlier versions, for which "gate.1" and "gate_1" were one device."""
    return f"{prefix}/device/trailcam_{re.sub(r'[^A-Za-z0-9_-]', '_', camera_id)}/config"


def device_id(camera_id: str, base_topic: str = DEFAULT_BASE) -> str:
    """Return an identifier of letters, digits, "_" and "-" that no other pair of camera and base topic has."""
    if base_topic == DEFAULT_BASE and re.fullmatch(r"[A-Za-z0-9_-]+", camera_id):
        return f"trailcam_{camera_id}"
    path = camera_id if base_topic == DEFAULT_BASE else f"{base_topic}/{camera_id}"
    return f"trailcam-{plain_key(path)}"  # "trailcam-" begins no identifier of the form above


def discovery_payload(
    device: str, camera_name: str, version: str, topics: Topics, pictures: bool, labels: Sequence[str] = ()
) -> dict[str, Any]:
    """Return the message: sensors of the last visit and of the machine, and a binary sensor for each label.

    Args:
        device: identifier of ``device_id``.
        camera_name: in Home Assistant.
        version: of Trailcam.
        topics: of the camera.
        pictures: the camera sends pictures.
        labels: each is "on" while a visit of it is open.
    """
    sensors: dict[str, dict[str, Any]] = {
        "animal": {
            "name": "Last visit",
            "icon": "mdi:paw",
            "value_template": "{{ value_json.label[:255] }}",  # Home Assistant keeps no longer state
            "json_attributes_topic": topics.state,
        },
        "confidence": {
            "name": "Confidence",
            "icon": "mdi:percent",
            "unit_of_measurement": "%",
            "state_class": "measurement",
            "value_template": _PERCENT,
        },
        "seen": {
            "name": "Time of last visit",
            "device_class": "timestamp",
            "value_template": "{{ value_json.start }}",
        },
    }
    components: dict[str, dict[str, Any]] = {
        f"{device}_{key}": {"platform": "sensor", "unique_id": f"{device}_{key}", **sensor}
        for key, sensor in (sensors | _diagnostics(topics)).items()
    }
    for label in labels:
        key = f"{device}_present_{plain_key(label)}"
        components[key] = {
            "platform": "binary_sensor",
            "unique_id": key,
            "name": label[:_MAX_NAME],
            "icon": "mdi:paw",
            "device_class": "occupancy",
            "state_topic": topics.present(label),
            "payload_on": ON,
            "payload_off": OFF,
        }
    if pictures:
        components[f"{device}_picture"] = {
            "platform": "image",
            "unique_id": f"{device}_picture",
            "name": "Picture of last visit",
            "image_topic": topics.picture,
            "content_type": "image/jpeg",
        }
    return {
        "device": {
            "identifiers": [device],
            "name": camera_name,
            "manufacturer": "Trailcam",
            "model": "Field camera",
            "sw_version": version,
        },
        "origin": {"name": "trailcam", "sw_version": version},
        "availability_topic": topics.availability,
        "state_topic": topics.state,
        "qos": 1,
        "components": components,
    }


def without_former(
    payload: dict[str, Any], former: dict[str, Any], keeps: Callable[[str], bool]
) -> dict[str, Any] | None:
    """Return the message that removes the components of a former message, or None if none is to be removed.

    Home Assistant removes a component whose entry is its platform alone; the message proper follows.
    """
    components = former.get("components")
    if not isinstance(components, dict):
        return None
    gone = {
        key: {"platform": entry["platform"]}
        for key, entry in components.items()
        if key not in payload["components"]
        and not keeps(key)
        and isinstance(entry, dict)
        and isinstance(entry.get("platform"), str)
    }
    return payload | {"components": payload["components"] | gone} if gone else None


def _diagnostics(topics: Topics) -> dict[str, dict[str, Any]]:
    """Return the sensors of the machine."""
    common = {"state_topic": topics.status, "entity_category": "diagnostic"}
    return {
        "temperature": {
            "name": "Temperature",
            "device_class": "temperature",
            "unit_of_measurement": "°C",
            "state_class": "measurement",
            "value_template": "{{ value_json.temperature_c }}",
            **common,
        },
        "disk_free": {
            "name": "Free disk space",
            "device_class": "data_size",
            "unit_of_measurement": "B",
            "value_template": "{{ value_json.disk_free_bytes }}",
            **common,
        },
        "bundle": {
            "name": "Model",
            "icon": "mdi:brain",
            "value_template": "{{ value_json.bundle }}",
            **common,
        },
        "last_frame": {
            "name": "Last frame",
            "device_class": "timestamp",
            "value_template": "{{ value_json.last_frame }}",
            **common,
        },
    }
