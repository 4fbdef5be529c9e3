"""Home Assistant discovery: one message for the whole device. Pure functions.

Source: "Device discovery payload" in the documentation of Home Assistant's MQTT integration (2024.11 and newer).
"""

import re
from typing import Any

from trailcam_edge.sinks.mqtt_topics import DEFAULT_BASE, Topics


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
    # "_" and two digits for each byte of any other character; "trailcam-" begins no identifier of the form above.
    return "trailcam-" + re.sub(rb"[^A-Za-z0-9-]", lambda found: b"_%02x" % found[0][0], path.encode()).decode()


def discovery_payload(device: str, camera_name: str, version: str, topics: Topics, pictures: bool) -> dict[str, Any]:
    """Return the message: sensors for the last visit, its confidence, its time and, with ``pictures``, its picture.

    Args:
        device: identifier of ``device_id``.
        camera_name: in Home Assistant.
        version: of Trailcam.
        topics: of the camera.
        pictures: the camera sends pictures.
    """
    sensors: dict[str, dict[str, Any]] = {
        "animal": {
            "name": "Last visit",
            "icon": "mdi:paw",
            "value_template": "{{ value_json.label }}",
            "json_attributes_topic": topics.state,
        },
        "confidence": {
            "name": "Confidence",
            "icon": "mdi:percent",
            "unit_of_measurement": "%",
            "state_class": "measurement",
            "value_template": "{{ (value_json.confidence * 100) | round(1) }}",
        },
        "seen": {
            "name": "Time of last visit",
            "device_class": "timestamp",
            "value_template": "{{ value_json.start }}",
        },
    }
    components = {
        f"{device}_{key}": {"platform": "sensor", "unique_id": f"{device}_{key}", **sensor}
        for key, sensor in sensors.items()
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
