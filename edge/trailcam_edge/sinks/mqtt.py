"""Events over MQTT, with Home Assistant discovery, retained states and a last will.

Needs paho-mqtt, the extra ``mqtt``. Its network code runs in a separate thread and reconnects automatically.
"""

import json
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trailcam_core.network.secrets import mask_address
from trailcam_edge.sinks.home_assistant import device_id, discovery_topic, former_discovery_topic
from trailcam_edge.sinks.mqtt_facts import CameraFacts, NoFacts
from trailcam_edge.sinks.mqtt_retained import RetainedState, removal
from trailcam_edge.sinks.mqtt_topics import OFFLINE, ONLINE, camera_topics
from trailcam_edge.sinks.settings import MqttSettings
from trailcam_edge.sinks.worker import SinkError
from trailcam_edge.store.records import EventRecord, sink_json

if TYPE_CHECKING:
    from paho.mqtt.client import MQTTMessageInfo

_log = logging.getLogger(__name__)
_QOS = 1  # at least once: the broker confirms each message
_QUEUED = 20  # messages that paho may queue; the store has the rest
_CONNECT_DELAY_S = (1, 120)
_KEEPALIVE_S = 60


def _nothing() -> None:
    """Do nothing: no thread waits yet."""


class MqttSink:
    """Publish each event and wait until the broker has confirmed it."""

    def __init__(
        self,
        settings: MqttSettings,
        store_folder: Path,
        version: str,
        password: str | None = None,
        timeout_s: float = 20.0,
        facts: CameraFacts | None = None,
    ) -> None:
        """Start connecting; an unreachable broker is not an error.

        Args:
            settings: the broker and the names of the camera.
            store_folder: the folder with the pictures.
            version: of Trailcam, for Home Assistant.
            password: for ``settings.username``.
            timeout_s: for a connection and for each confirmation.
            facts: the state of the camera; without it only events are retained.

        Raises:
            ModuleNotFoundError: paho-mqtt is not installed.
        """
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion

        self._settings = settings
        self._timeout_s = timeout_s
        self._version = version
        self._topics = camera_topics(settings.base_topic, settings.camera_id)
        self._connected = threading.Event()
        self._problem = "not connected yet"
        self._stale = threading.Event()  # the broker may have forgotten what is retained
        self._wake: Callable[[], None] = _nothing
        self._pending: tuple[tuple[str, str], list[MQTTMessageInfo]] | None = None
        self._device = device_id(settings.camera_id, settings.base_topic)
        self._client = Client(CallbackAPIVersion.VERSION2, client_id=self._device)
        self._retained = RetainedState(settings, self._topics, facts or NoFacts(), store_folder, self._publish_retained)
        self._client.on_connect = self._surviving(self._on_connect)
        self._client.on_connect_fail = self._on_connect_fail
        self._client.on_disconnect = self._on_disconnect
        self._client.on_message = self._surviving(self._on_message)
        self._client.will_set(self._topics.availability, OFFLINE, _QOS, retain=True)
        self._client.max_queued_messages_set(_QUEUED)
        self._client.reconnect_delay_set(*_CONNECT_DELAY_S)
        if settings.username is not None:
            self._client.username_pw_set(settings.username, password)
        if settings.tls:
            self._client.tls_set()
        self._client.connect_async(settings.host, settings.port, _KEEPALIVE_S)
        self._client.loop_start()

    @property
    def name(self) -> str:
        """The name of the sink, made of broker and camera."""
        return f"mqtt {mask_address(self._settings.host)}:{self._settings.port} {self._settings.camera_id}"

    def deliver(self, event: EventRecord) -> None:
        """Publish one event and wait until the broker has confirmed it.

        Raises:
            SinkError: no connection, or no confirmation in time.
        """
        if not self._connected.wait(self._timeout_s):
            raise SinkError(f"{self._broker()}: {self._problem}.")
        # A message that paho still tries to deliver is not published again.
        key = (event.visit_id, event.kind)
        if self._pending is None or self._pending[0] != key:
            self._pending = (key, self._publish(event))
        try:
            for info in self._pending[1]:
                info.wait_for_publish(self._timeout_s)
                if not info.is_published():
                    raise SinkError(f"{self._broker()}: the broker does not confirm messages.")
        except (ValueError, RuntimeError) as error:
            self._pending = None
            raise SinkError(f"{self._broker()}: {error}.") from error
        self._pending = None

    def subscribe(self, wake: Callable[[], None]) -> None:
        """Call ``wake``, which returns at once, when ``refresh`` has something to do."""
        self._wake = wake

    def refresh(self) -> None:
        """Publish what is retained and has changed; everything after a connection.

        Raises:
            SinkError: the broker does not confirm.
        """
        if not self._connected.is_set():
            return
        try:
            if self._retained.add_labels():
                self._publish_retained(self._discovery_topic(), json.dumps(self._discovery()))
            if self._stale.is_set():
                self._stale.clear()  # before: a connection that is made meanwhile sets it again
                try:
                    self._retained.publish_all()
                except BaseException:
                    self._stale.set()
                    raise
            else:
                self._retained.refresh()
        except (ValueError, RuntimeError) as error:
            raise SinkError(f"{self._broker()}: {error}.") from error

    def close(self) -> None:
        """Publish "offline" and disconnect: a broker sends the last will only after an unclean disconnect."""
        if self._connected.is_set():
            self._retained.leave()
            info = self._client.publish(self._topics.availability, OFFLINE, _QOS, retain=True)
            try:
                info.wait_for_publish(2.0)
            except (ValueError, RuntimeError):
                self._problem = "disconnected"  # the broker publishes the last will then
        self._client.disconnect()
        self._client.loop_stop()

    def _publish(self, event: EventRecord) -> "list[MQTTMessageInfo]":
        payload = json.dumps(sink_json(event), ensure_ascii=False)
        sent = [
            self._client.publish(self._topics.visit, payload, _QOS),
            self._client.publish(self._topics.state, payload, _QOS, retain=True),
        ]
        if self._settings.pictures and event.picture is not None:
            info = self._retained.publish_picture(event.picture)
            sent += [] if info is None else [info]
        return sent

    def _publish_retained(self, topic: str, payload: "str | bytes") -> "MQTTMessageInfo":
        return self._client.publish(topic, payload, _QOS, retain=True)

    def _discovery(self) -> dict[str, Any]:
        return self._retained.discovery(self._device, self._version)

    def _discovery_topic(self) -> str:
        settings = self._settings
        return discovery_topic(settings.discovery_prefix, settings.camera_id, settings.base_topic)

    def _surviving(self, callback: Callable[..., None]) -> Callable[..., None]:
        """Return a callback that raises nothing: an exception ends the thread of paho, and with it all deliveries."""

        def call(*arguments: Any) -> None:
            try:
                callback(*arguments)
            except Exception as error:  # the supervisor: what other programs leave at a broker can be anything
                _log.warning("%s: a message is passed over (%s: %s).", self._broker(), type(error).__name__, error)

        return call

    def _on_connect(self, client: Any, _userdata: Any, _flags: Any, reason_code: Any, _properties: Any) -> None:
        if reason_code.is_failure:
            self._problem = f"the broker refuses the camera ({reason_code})"
            return
        settings = self._settings
        if settings.discovery_prefix:
            self._retained.add_labels()
            client.subscribe(self._discovery_topic(), _QOS)  # its former message, before the next one
            client.publish(self._discovery_topic(), json.dumps(self._discovery()), _QOS, retain=True)
            former = former_discovery_topic(settings.discovery_prefix, settings.camera_id)
            if former != self._discovery_topic():
                client.subscribe(former, _QOS)
        client.publish(self._topics.availability, ONLINE, _QOS, retain=True)
        self._stale.set()
        self._connected.set()
        self._wake()

    def _on_message(self, client: Any, _userdata: Any, message: Any) -> None:
        """Remove what an earlier version or configuration has left in Home Assistant, but nothing of another camera."""
        if message.topic == self._discovery_topic():
            gone = removal(message.payload, self._discovery(), self._retained.keeps) if message.retain else None
            if gone is not None:
                client.publish(message.topic, json.dumps(gone), _QOS, retain=True)
                client.publish(message.topic, json.dumps(self._discovery()), _QOS, retain=True)
            return
        try:
            found = json.loads(message.payload)
        except (ValueError, RecursionError):
            return
        if isinstance(found, dict) and found.get("state_topic") == self._topics.state:
            client.publish(message.topic, b"", _QOS, retain=True)

    def _on_connect_fail(self, _client: Any, _userdata: Any) -> None:
        self._problem = "the broker cannot be reached"

    def _on_disconnect(self, _client: Any, _userdata: Any, _flags: Any, reason_code: Any, _properties: Any) -> None:
        if self._connected.is_set():  # else it was refused, and the reason is set already
            self._problem = f"disconnected ({reason_code})"
        self._connected.clear()

    def _broker(self) -> str:
        return f"MQTT broker {mask_address(self._settings.host)}:{self._settings.port}"
