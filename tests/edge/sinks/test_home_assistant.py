"""What Home Assistant is told."""

import json
import re

import pytest

from trailcam_core.records import FieldError
from trailcam_edge.sinks.home_assistant import discovery_payload, discovery_topic
from trailcam_edge.sinks.mqtt_topics import camera_topics
from trailcam_edge.sinks.settings import MqttSettings
from trailcam_edge.store.records import event_json

from .conftest import event

TOPICS = camera_topics("trailcam", "forest.1")


def test_the_payload_has_what_home_assistant_demands() -> None:
    payload = discovery_payload("forest.1", "Forest", "0.1.0", TOPICS, pictures=True)
    assert payload["device"]["identifiers"] == ["trailcam_forest_1"]
    assert payload["origin"]["name"] == "trailcam"
    assert payload["availability_topic"] == "trailcam/forest.1/availability"
    assert payload["state_topic"] == "trailcam/forest.1/state"
    for key, component in payload["components"].items():
        assert component["unique_id"] == key
        assert component["platform"] in ("sensor", "image")
    assert json.loads(json.dumps(payload)) == payload


def test_templates_use_fields_that_events_have() -> None:
    payload = discovery_payload("forest.1", "Forest", "0.1.0", TOPICS, pictures=False)
    fields = event_json(event(1))
    templates = [component["value_template"] for component in payload["components"].values()]
    used = [name for template in templates for name in re.findall(r"value_json\.(\w+)", template)]
    assert set(used) == {"label", "confidence", "start"}
    assert set(used) <= set(fields)


def test_the_topic_is_of_letters_that_home_assistant_takes() -> None:
    assert discovery_topic("homeassistant", "forest.1") == "homeassistant/device/trailcam_forest_1/config"


@pytest.mark.parametrize("camera_id", ["", "a/b", "+", "#", "a b", "x" * 65])
def test_a_camera_that_is_no_topic_is_refused(camera_id: str) -> None:
    with pytest.raises(FieldError, match=r"camera_id is .*, expected 1 to 64"):
        MqttSettings("broker", camera_id)


@pytest.mark.parametrize("base", ["", "/x", "x/", "/", "a/+/b", "#", "a\0b"])
def test_a_base_that_is_no_topic_is_refused(base: str) -> None:
    with pytest.raises(FieldError, match=r"base_topic is .*, expected one or more topic levels"):
        MqttSettings("broker", "cam", base_topic=base)
