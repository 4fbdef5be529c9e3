"""MQTT against a real mosquitto, also one that dies and comes back."""

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from trailcam_edge.sinks.home_assistant import discovery_topic, former_discovery_topic
from trailcam_edge.sinks.mqtt import MqttSink
from trailcam_edge.sinks.settings import MqttSettings
from trailcam_edge.sinks.worker import SinkError, SinkWorker
from trailcam_edge.store.event_store import EventStore

from .conftest import event, wait_until

paho = pytest.importorskip("paho.mqtt.client", reason="needs paho-mqtt, the extra mqtt")
MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
pytestmark = pytest.mark.skipif(MOSQUITTO is None, reason="needs mosquitto: apt-get install mosquitto")


class Broker:
    """A real broker on a port of its own that can be stopped and started."""

    def __init__(self, folder: Path, password: str | None = None) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self._config = folder / "mosquitto.conf"
        lines = [f"listener {self.port} 127.0.0.1", "allow_anonymous " + ("true" if password is None else "false")]
        if password is not None:
            path = folder / "passwords"
            subprocess.run(["mosquitto_passwd", "-b", "-c", path, "camera", password], check=True, capture_output=True)
            path.chmod(0o644)
            lines += [f"password_file {path}", "user root"]
        self._config.write_text("\n".join(lines) + "\n")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [str(MOSQUITTO), "-c", str(self._config)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(self._answers)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 0.2).close()
        except OSError:
            return False
        return True


class Listener:
    """Hears everything, and says which of it was retained."""

    def __init__(self, port: int, **login: str) -> None:
        self.heard: list[tuple[str, bytes, bool]] = []
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2)
        if login:
            self._client.username_pw_set(**login)
        self._client.on_connect = lambda client, *rest: client.subscribe("#", qos=1)
        self._client.on_message = lambda client, userdata, message: self.heard.append(
            (message.topic, message.payload, message.retain)
        )
        self._client.reconnect_delay_set(1, 1)
        subscribed: list[int] = []
        self._client.on_subscribe = lambda *rest: subscribed.append(1)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        wait_until(lambda: bool(subscribed))

    def on(self, topic: str) -> list[bytes]:
        return [payload for name, payload, _ in list(self.heard) if name == topic]

    def publish(self, topic: str, payload: bytes) -> None:
        """Leave a retained message, as an earlier version did."""
        self._client.publish(topic, payload, qos=1, retain=True).wait_for_publish(5)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    made = Broker(tmp_path)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def make_sink(tmp_path: Path) -> Iterator[Callable[..., MqttSink]]:
    """Return a function that makes sinks for a broker."""
    made: list[MqttSink] = []

    def make(broker: Broker, **changes: Any) -> MqttSink:
        password, timeout_s = changes.pop("password", None), changes.pop("timeout_s", 5.0)
        settings = MqttSettings("127.0.0.1", changes.pop("camera_id", "cam1"), broker.port, **changes)
        made.append(MqttSink(settings, tmp_path / "store", "0.1.0", password, timeout_s))
        return made[-1]

    yield make
    for sink in made:
        sink.close()


def _visits(payloads: list[bytes]) -> list[str]:
    return [json.loads(payload)["visit_id"] for payload in payloads]


def test_an_event_arrives_and_the_state_is_retained(broker: Broker, make_sink: Callable[..., MqttSink]) -> None:
    listener = Listener(broker.port)
    make_sink(broker).deliver(event(1, label="lynx"))
    wait_until(lambda: bool(listener.on("trailcam/cam1/state")))
    assert _visits(listener.on("trailcam/cam1/visit")) == ["visit-1"]
    listener.close()
    late = Listener(broker.port)
    wait_until(lambda: len(late.heard) >= 3)
    retained = {topic: payload for topic, payload, kept in late.heard if kept}
    assert json.loads(retained["trailcam/cam1/state"])["label"] == "lynx"
    assert retained["trailcam/cam1/availability"] == b"online"
    config = json.loads(retained["homeassistant/device/trailcam_cam1/config"])
    assert config["components"]["trailcam_cam1_animal"]["platform"] == "sensor"
    assert "trailcam/cam1/visit" not in retained
    late.close()


@pytest.mark.parametrize("owner", ["gate.1", "gate_1"])
def test_the_device_of_an_earlier_version_is_removed_unless_it_is_of_another_camera(
    broker: Broker, make_sink: Callable[..., MqttSink], owner: str
) -> None:
    listener = Listener(broker.port)
    former = former_discovery_topic("homeassistant", "gate.1")
    payload = json.dumps({"state_topic": f"trailcam/{owner}/state"}).encode()
    listener.publish(former, payload)
    make_sink(broker, camera_id="gate.1").deliver(event(1))
    wait_until(lambda: bool(listener.on("trailcam/gate.1/state")))
    if owner == "gate.1":
        wait_until(lambda: listener.on(former) == [payload, b""])
    late = Listener(broker.port)
    wait_until(lambda: bool(late.on("trailcam/gate.1/state")))
    assert late.on(former) == ([] if owner == "gate.1" else [payload])
    assert late.on(discovery_topic("homeassistant", "gate.1"))
    late.close()
    listener.close()


DEEP = b"[" * 100_000  # Python cannot read it
ODD_PAYLOADS = {
    "nested too deeply": DEEP,
    "not UTF-8": bytes(range(256)),
    "null": b"null",
    "no table": b'{"components": 3}',
    "other components": b'{"components": {"x": {"platform": ["y"]}, "z": 3}, "state_topic": {}}',
}


@pytest.mark.parametrize("camera_id", ["cam1", "gate.1"])
@pytest.mark.parametrize("payload", ODD_PAYLOADS.values(), ids=ODD_PAYLOADS)
def test_what_others_left_at_the_broker_does_not_end_the_deliveries(
    broker: Broker, make_sink: Callable[..., MqttSink], camera_id: str, payload: bytes
) -> None:
    listener = Listener(broker.port)
    topics = [
        discovery_topic("homeassistant", camera_id, "trailcam"),
        former_discovery_topic("homeassistant", camera_id),
    ]
    for topic in topics:
        listener.publish(topic, payload)
    sink = make_sink(broker, camera_id=camera_id)
    wait_until(lambda: len(listener.on(topics[0])) >= 2 and sink._connected.is_set())  # it has its former message
    for number in (1, 2):
        sink.deliver(event(number))
    wait_until(lambda: _visits(listener.on(f"trailcam/{camera_id}/visit")) == ["visit-1", "visit-2"])
    listener.close()


def test_a_topic_that_is_not_utf_8_does_not_end_the_thread_of_the_client(make_sink: Callable[..., MqttSink]) -> None:
    accepted, hears_it = b"\x20\x02\x00\x00", b"\x31\x05\x00\x02\xff\xfe{"
    with socket.create_server(("127.0.0.1", 0)) as server:
        broker: Any = type("Broker", (), {"port": server.getsockname()[1]})
        sink = make_sink(broker, timeout_s=1.0)
        connection, _ = server.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(accepted + hears_it + b"\xd0\x00")
            time.sleep(0.3)
            connection.sendall(b"\xd0\x00")
            assert sink._client._thread is not None
            sink.close()


def test_a_goodbye_says_offline(broker: Broker, make_sink: Callable[..., MqttSink]) -> None:
    listener = Listener(broker.port)
    sink = make_sink(broker)
    sink.deliver(event(1))
    sink.close()
    wait_until(lambda: listener.on("trailcam/cam1/availability") == [b"online", b"offline"])
    listener.close()


def test_a_camera_that_is_cut_off_is_declared_offline_by_the_broker(
    broker: Broker, make_sink: Callable[..., MqttSink]
) -> None:
    listener = Listener(broker.port)
    sink = make_sink(broker)
    sink.deliver(event(1))
    sink._client.socket().shutdown(socket.SHUT_RDWR)  # type: ignore[union-attr]
    wait_until(lambda: b"offline" in listener.on("trailcam/cam1/availability"))
    wait_until(lambda: listener.on("trailcam/cam1/availability")[-1] == b"online")  # it came back by itself
    listener.close()


def test_pictures_go_along_when_asked_for(
    broker: Broker,
    make_sink: Callable[..., MqttSink],
    deliver: Callable[..., SinkWorker],
    add: Callable[..., None],
    store: EventStore,
) -> None:
    listener = Listener(broker.port)
    sink = make_sink(broker, pictures=True)
    add(range(1), picture=True)
    deliver(sink)
    wait_until(lambda: bool(listener.on("trailcam/cam1/picture")))
    assert listener.on("trailcam/cam1/picture")[0][:2] == b"\xff\xd8"
    listener.close()


def test_a_broker_that_is_down_costs_no_event(
    tmp_path: Path,
    make_sink: Callable[..., MqttSink],
    deliver: Callable[..., SinkWorker],
    add: Callable[..., None],
    store: EventStore,
) -> None:
    broker = Broker(tmp_path)
    sink = make_sink(broker, timeout_s=0.2)
    sink._client.reconnect_delay_set(1, 1)
    delivery = deliver(sink)
    add(range(200))  # a day's visits
    delivery.wake()
    wait_until(lambda: delivery.status().waiting == 200 and delivery.status().error is not None)
    broker.start()
    listener = Listener(broker.port)
    wait_until(lambda: store.acknowledged(sink.name) == 200, 30)
    wait_until(lambda: "visit-199" in _visits(listener.on("trailcam/cam1/visit")))
    seen = _visits(listener.on("trailcam/cam1/visit"))
    # Those sent before the listener was there are missing for it, none after.
    first = int(seen[0].removeprefix("visit-"))
    assert list(dict.fromkeys(seen)) == [f"visit-{number}" for number in range(first, 200)]
    listener.close()
    broker.stop()


def test_a_broker_that_dies_in_between_costs_no_event(
    broker: Broker,
    make_sink: Callable[..., MqttSink],
    deliver: Callable[..., SinkWorker],
    add: Callable[..., None],
    store: EventStore,
) -> None:
    sink = make_sink(broker, timeout_s=0.5)
    sink._client.reconnect_delay_set(1, 1)
    delivery = deliver(sink)
    add(range(3))
    delivery.wake()
    wait_until(lambda: store.acknowledged(sink.name) == 3)
    broker.stop()
    add(range(3, 6))
    delivery.wake()
    wait_until(lambda: delivery.status().error is not None)
    broker.start()
    listener = Listener(broker.port)
    wait_until(lambda: store.acknowledged(sink.name) == 6)
    wait_until(lambda: json.loads((listener.on("trailcam/cam1/state") or [b"{}"])[-1]).get("visit_id") == "visit-5")
    listener.close()


def test_a_refused_login_is_said(tmp_path: Path, make_sink: Callable[..., MqttSink]) -> None:
    if shutil.which("mosquitto_passwd") is None:
        pytest.skip("needs mosquitto_passwd")
    broker = Broker(tmp_path, password="right")
    broker.start()
    try:
        sink = make_sink(broker, username="camera", password="wrong", timeout_s=0.5)
        wait_until(lambda: "refuses" in sink._problem)
        with pytest.raises(SinkError, match="refuses the camera"):
            sink.deliver(event(1))
        make_sink(broker, username="camera", password="right").deliver(event(2))
    finally:
        broker.stop()


def test_nobody_waits_for_a_broker_that_is_not_there(tmp_path: Path, make_sink: Callable[..., MqttSink]) -> None:
    start_s = time.monotonic()
    sink = make_sink(Broker(tmp_path), timeout_s=0.05)
    with pytest.raises(SinkError, match="broker"):
        sink.deliver(event(1))
    sink.close()
    assert time.monotonic() - start_s < 10  # hangs otherwise
