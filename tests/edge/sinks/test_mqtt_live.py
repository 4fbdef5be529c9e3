"""Retained states at a real broker: who is there, the last event, the camera, after restarts of any of them."""

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trailcam_edge.events import Moment, Visit, VisitChange
from trailcam_edge.sinks.mqtt import MqttSink
from trailcam_edge.sinks.mqtt_facts import StoreFacts
from trailcam_edge.sinks.mqtt_topics import camera_topics, plain_key
from trailcam_edge.sinks.settings import MqttSettings
from trailcam_edge.sinks.worker import SinkError, SinkWorker
from trailcam_edge.store.event_store import EventStore
from trailcam_edge.store.settings import StoreSettings

from .conftest import wait_until
from .test_mqtt import MOSQUITTO, Broker, Listener

pytest.importorskip("paho.mqtt.client", reason="needs paho-mqtt, the extra mqtt")
pytestmark = pytest.mark.skipif(MOSQUITTO is None, reason="needs mosquitto: apt-get install mosquitto")

TOPICS = camera_topics("trailcam", "cam1")
ODD = 'рысь "🦊" +/# \u202eאבג {{ 1 }}'
Camera = Callable[..., SinkWorker]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    made = Broker(tmp_path)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def camera(store: EventStore, tmp_path: Path) -> Iterator[Camera]:
    """Return a function that starts the sink of a camera, as the device does it."""
    started: list[SinkWorker] = []

    def start(broker: Broker, opened: EventStore | None = None, **changes: Any) -> SinkWorker:
        source = opened or store
        options: dict[str, Any] = {"events": ("opened", "updated", "closed"), "pictures": True} | changes
        settings = MqttSettings("127.0.0.1", "cam1", broker.port, **options)
        facts = StoreFacts(lambda: source.queue, lambda: {"alive": True, "temperature_c": 41.5})
        sink = MqttSink(settings, tmp_path / "store", "0.1.0", None, 5.0, facts)
        delay: Any = lambda failures, jitter: 0.05  # noqa: E731
        worker = SinkWorker(sink, lambda: source, delay=delay, kinds=settings.events, refresh=sink.refresh)
        sink.subscribe(worker.wake)
        started.append(worker)
        return worker

    yield start
    for worker in started:
        worker.close()


def visit(number: int, label: str) -> Visit:
    start = datetime(2026, 6, 1, tzinfo=UTC)
    moments = [Moment(at_s, start + timedelta(seconds=at_s), "boot-0") for at_s in (number, number + 0.8)]
    image = np.full((48, 64, 3), number, np.uint8)
    return Visit(f"v{number}", label, moments[0], moments[1], 0.9, 3, 3, image, "b 1", 9.0)


def retained(broker: Broker, topic: str, accept: Callable[[bytes], bool] = bool) -> bytes:
    """Return what a new listener is given at once, as soon as that is accepted."""
    found: list[bytes] = []

    def ask() -> bool:
        listener = Listener(broker.port)
        end_s = time.monotonic() + 0.5
        while not found and time.monotonic() < end_s:
            time.sleep(0.01)
            found[:] = [payload for name, payload, kept in list(listener.heard) if kept and name == topic]
        listener.close()
        if not found or not accept(found[-1]):
            found.clear()
        return bool(found)

    wait_until(ask)
    return found[-1]


@pytest.mark.parametrize("label", ["lynx", ODD])
def test_a_label_is_on_while_its_visit_is_open(broker: Broker, camera: Camera, store: EventStore, label: str) -> None:
    listener = Listener(broker.port)
    worker = camera(broker)
    wait_until(lambda: bool(listener.on(TOPICS.status)))
    store.add_change(VisitChange("opened", visit(1, label)))
    worker.wake()
    wait_until(lambda: listener.on(TOPICS.present(label)) == [b"ON"])
    config = json.loads(listener.on("homeassistant/device/trailcam_cam1/config")[-1])
    entity = config["components"][f"trailcam_cam1_present_{plain_key(label)}"]
    assert (entity["name"], entity["state_topic"]) == (label, TOPICS.present(label))
    opened = json.loads(listener.on(TOPICS.visit)[-1])
    assert (opened["event"], opened["label"], opened["event_id"]) == ("opened", label, None)
    wait_until(lambda: bool(listener.on(TOPICS.picture)))
    store.add_visit(visit(1, label))
    worker.wake()
    wait_until(lambda: listener.on(TOPICS.present(label)) == [b"ON", b"OFF"])
    wait_until(lambda: len(listener.on(TOPICS.visit)) == 2)
    assert json.loads(listener.on(TOPICS.visit)[-1])["event"] == "closed"
    listener.close()


def test_a_connection_that_is_made_while_everything_is_published_is_told_everything_again(tmp_path: Path) -> None:
    sink = MqttSink(MqttSettings("127.0.0.1", "cam1", 9), tmp_path, "0.1.0", None, 5.0)  # nobody answers there
    published: list[int] = []

    def publish_all() -> None:
        published.append(len(published))
        if len(published) == 1:
            sink._stale.set()  # as _on_connect does, in the thread of the client
        if len(published) == 3:
            raise RuntimeError("the connection was lost")

    sink._retained.publish_all = publish_all  # type: ignore[method-assign]
    sink._connected.set()
    sink._stale.set()
    for _ in range(3):
        sink.refresh()
    assert published == [0, 1]
    sink._stale.set()
    with pytest.raises(SinkError, match="the connection was lost"):
        sink.refresh()
    sink.refresh()
    assert published == [0, 1, 2, 3]
    sink.close()


def test_a_broker_that_restarts_in_the_middle_of_a_visit_knows_everything_again(
    broker: Broker, camera: Camera, store: EventStore
) -> None:
    worker = camera(broker)
    store.add_visit(visit(1, "wolf"))
    store.add_change(VisitChange("opened", visit(2, "lynx")))
    worker.wake()
    wait_until(lambda: worker.status().waiting == 0 and worker.status().delivered >= 1)
    broker.stop()  # it keeps nothing
    broker.start()
    assert retained(broker, TOPICS.present("lynx")) == b"ON"
    assert retained(broker, TOPICS.present("wolf")) == b"OFF"
    assert json.loads(retained(broker, TOPICS.state))["visit_id"] == "v2"
    assert retained(broker, TOPICS.picture).startswith(b"\xff\xd8")
    assert retained(broker, TOPICS.availability) == b"online"
    assert json.loads(retained(broker, TOPICS.status)) == {"alive": True, "temperature_c": 41.5}
    store.add_visit(visit(2, "lynx"))
    worker.wake()
    assert retained(broker, TOPICS.present("lynx"), b"OFF".__eq__)


def test_after_a_kill_of_the_camera_nothing_stays_on(
    broker: Broker, camera: Camera, tmp_path: Path, store: EventStore
) -> None:
    store.add_change(VisitChange("opened", visit(1, "lynx")))
    store.close()
    store.close = lambda: None  # type: ignore[method-assign]
    listener = Listener(broker.port)
    listener._client.publish(TOPICS.present("lynx"), b"ON", 1, retain=True)  # as the killed camera left it
    wait_until(lambda: bool(listener.on(TOPICS.present("lynx"))))
    listener.close()
    again = EventStore(StoreSettings(tmp_path / "store", min_free_bytes=0))
    camera(broker, again)
    assert retained(broker, TOPICS.present("lynx"), b"OFF".__eq__)
    state = json.loads(retained(broker, TOPICS.state))
    assert (state["event"], state["visit_id"]) == ("closed", "v1")
    again.close()


def test_an_orderly_end_leaves_nothing_on(broker: Broker, camera: Camera, store: EventStore) -> None:
    worker = camera(broker)
    store.add_change(VisitChange("opened", visit(1, "lynx")))
    worker.wake()
    assert retained(broker, TOPICS.present("lynx"), b"ON".__eq__)
    worker.close()
    assert retained(broker, TOPICS.present("lynx")) == b"OFF"
    assert retained(broker, TOPICS.availability) == b"offline"


def test_configured_labels_are_there_before_they_are_seen_and_go_when_they_are_removed(
    broker: Broker, camera: Camera
) -> None:
    topic = "homeassistant/device/trailcam_cam1/config"
    former = camera(broker, labels=("lynx", "wolf"))
    assert "trailcam_cam1_present_wolf" in json.loads(retained(broker, topic))["components"]
    former.close()  # before its connection it would have published nothing
    listener = Listener(broker.port)
    camera(broker, labels=("lynx",))
    wait_until(lambda: len(listener.on(topic)) >= 4)  # retained, new, removal, new
    removal = [json.loads(payload)["components"] for payload in listener.on(topic)]
    assert {"platform": "binary_sensor"} in [found.get("trailcam_cam1_present_wolf") for found in removal]
    assert "trailcam_cam1_present_wolf" not in removal[-1]
    assert "trailcam_cam1_present_lynx" in removal[-1]
    listener.close()


def test_labels_that_were_seen_are_never_removed_by_a_restart(
    broker: Broker, camera: Camera, store: EventStore
) -> None:
    store.add_visit(visit(1, "wolf"))
    topic, key = "homeassistant/device/trailcam_cam1/config", "trailcam_cam1_present_wolf"
    worker = camera(broker)
    assert retained(broker, topic, lambda payload: key in json.loads(payload)["components"])
    worker.close()
    listener = Listener(broker.port)
    camera(broker)
    wait_until(lambda: len(listener.on(TOPICS.status)) >= 2)  # retained, and that of the second start
    entities = [json.loads(payload)["components"].get(key) for payload in listener.on(topic)]
    assert len(entities) >= 2
    assert all(entity is not None and "state_topic" in entity for entity in entities)
    listener.close()


def test_without_open_events_there_are_no_binary_sensors(broker: Broker, camera: Camera, store: EventStore) -> None:
    store.add_visit(visit(1, "wolf"))
    camera(broker, events=("closed",))
    assert retained(broker, TOPICS.status)
    config = json.loads(retained(broker, "homeassistant/device/trailcam_cam1/config"))
    assert not [key for key in config["components"] if "_present_" in key]
