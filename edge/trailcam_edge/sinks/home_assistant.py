"""Home Assistant discovery: one message for the whole device. Pure functions.

Source: "Device discovery payload" in the documentation of Home Assistant's MQTT integration (2024.11 and newer).
"""

import re
from typing import Any

from trailcam_edge.sinks.mqtt_topics import Topics


def discovery_topic(prefix: str, camera_id: str) -> str:
    """Return the topic of the retained message; its identifier may contain letters, digits, "_" and "-"."""
    return f"{prefix}/device/trailcam_{_identifier(camera_id)}/config"


def discovery_payload(camera_id: str, camera_name: str, version: str, topics: Topics, pictures: bool) -> dict[str, Any]:
    """Return the message: sensors for the last visit, its confidence, its time and, with ``pictures``, its picture."""
    device = f"trailcam_{_identifier(camera_id)}"
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


def _identifier(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "_", text)
