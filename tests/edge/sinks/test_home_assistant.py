"""What Home Assistant is told."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trailcam_core.records import FieldError
from trailcam_edge.sinks.home_assistant import device_id, discovery_payload, discovery_topic, former_discovery_topic
from trailcam_edge.sinks.mqtt_topics import camera_topics
from trailcam_edge.sinks.settings import MqttSettings
from trailcam_edge.store.records import event_json

from .conftest import event

TOPICS = camera_topics("trailcam", "forest.1")


def test_the_payload_has_what_home_assistant_demands() -> None:
    payload = discovery_payload(device_id("forest.1"), "Forest", "0.1.0", TOPICS, pictures=True)
    assert payload["device"]["identifiers"] == ["trailcam-forest_2e1"]
    assert payload["origin"]["name"] == "trailcam"
    assert payload["availability_topic"] == "trailcam/forest.1/availability"
    assert payload["state_topic"] == "trailcam/forest.1/state"
    for key, component in payload["components"].items():
        assert component["unique_id"] == key
        assert component["platform"] in ("sensor", "image")
    assert json.loads(json.dumps(payload)) == payload


def test_templates_use_fields_that_events_have() -> None:
    payload = discovery_payload(device_id("forest.1"), "Forest", "0.1.0", TOPICS, pictures=False)
    fields = event_json(event(1))
    templates = [component["value_template"] for component in payload["components"].values()]
    used = [name for template in templates for name in re.findall(r"value_json\.(\w+)", template)]
    assert set(used) >= {"label", "confidence", "start"}
    assert set(used) <= {*fields, "temperature_c", "disk_free_bytes", "bundle", "last_frame"}


def test_the_topic_is_of_letters_that_home_assistant_takes_and_a_plain_name_keeps_it() -> None:
    assert discovery_topic("homeassistant", "forest.1") == "homeassistant/device/trailcam-forest_2e1/config"
    assert discovery_topic("homeassistant", "forest_1") == "homeassistant/device/trailcam_forest_1/config"
    assert former_discovery_topic("homeassistant", "forest.1") == discovery_topic("homeassistant", "forest_1")


_IDS = st.from_regex(r"[ab][ab2e._-]{0,5}", fullmatch=True)
_BASES = st.sampled_from(["trailcam", "a", "a/b", "a.b", "a_b", "ä", "trailcam/a"])


@given(_IDS, _BASES, _IDS, _BASES)
def test_two_cameras_are_two_devices(first: str, base: str, second: str, other_base: str) -> None:
    ids = device_id(first, base), device_id(second, other_base)
    assert (ids[0] == ids[1]) == ((first, base) == (second, other_base))
    assert all(re.fullmatch(r"[A-Za-z0-9_-]+", each) for each in ids)
    unique = [
        {component["unique_id"] for component in discovery_payload(each, "n", "1", TOPICS, True)["components"].values()}
        for each in ids
    ]
    assert len(unique[0] | unique[1]) == (8 if ids[0] == ids[1] else 16)


@pytest.mark.parametrize("camera_id", ["", "a/b", "+", "#", "a b", "x" * 65])
def test_a_camera_that_is_no_topic_is_refused(camera_id: str) -> None:
    with pytest.raises(FieldError, match=r"camera_id is .*, expected 1 to 64"):
        MqttSettings("broker", camera_id)


@pytest.mark.parametrize("base", ["", "/x", "x/", "/", "a/+/b", "#", "a\0b"])
def test_a_base_that_is_no_topic_is_refused(base: str) -> None:
    with pytest.raises(FieldError, match=r"base_topic is .*, expected one or more topic levels"):
        MqttSettings("broker", "cam", base_topic=base)
