"""Events over MQTT, with Home Assistant discovery, a retained state and a last will.

Needs paho-mqtt, the extra ``mqtt``. Its network runs in a thread of its own and connects again by itself.
"""

import json
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trailcam_edge.sinks.home_assistant import discovery_payload, discovery_topic
from trailcam_edge.sinks.mqtt_topics import OFFLINE, ONLINE, camera_topics
from trailcam_edge.sinks.settings import MqttSettings
from trailcam_edge.sinks.worker import SinkError
from trailcam_edge.store.records import EventRecord, event_json

if TYPE_CHECKING:
    from paho.mqtt.client import MQTTMessageInfo

__all__ = ["MqttSink"]

_QOS = 1  # at least once: the broker says that it has the message
_QUEUED = 20  # messages that paho may hold; the store holds the rest
_CONNECT_DELAY_S = (1, 120)
_KEEPALIVE_S = 60


class MqttSink:
    """Publishes each event and waits until the broker has it."""

    def __init__(
        self,
        settings: MqttSettings,
        store_folder: Path,
        version: str,
        password: str | None = None,
        timeout_s: float = 20.0,
    ) -> None:
        """Start connecting; an unreachable broker is not an error.

        Args:
            settings: the broker and the names of the camera.
            store_folder: the folder with the pictures.
            version: of Trailcam, for Home Assistant.
            password: for ``settings.username``.
            timeout_s: for a connection and for each confirmation.

        Raises:
            ModuleNotFoundError: paho-mqtt is not installed.
        """
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion

        self._settings = settings
        self._timeout_s = timeout_s
        self._store_folder = store_folder
        self._version = version
        self._topics = camera_topics(settings.base_topic, settings.camera_id)
        self._connected = threading.Event()
        self._trouble = "not connected yet"
        self._pending: tuple[str, list[MQTTMessageInfo]] | None = None
        self._client = Client(CallbackAPIVersion.VERSION2, client_id=f"trailcam-{settings.camera_id}")
        self._client.on_connect = self._on_connect
        self._client.on_connect_fail = self._on_connect_fail
        self._client.on_disconnect = self._on_disconnect
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
        """Broker and camera make the sink's name."""
        return f"mqtt {self._settings.host}:{self._settings.port} {self._settings.camera_id}"

    def deliver(self, event: EventRecord) -> None:
        """Publish one event and wait until the broker has it.

        Raises:
            SinkError: no broker, or it does not answer in time.
        """
        if not self._connected.wait(self._timeout_s):
            raise SinkError(f"{self._place()}: {self._trouble}.")
        # What was published and not yet confirmed is not published again while paho still works at it.
        if self._pending is None or self._pending[0] != event.visit_id:
            self._pending = (event.visit_id, self._publish(event))
        try:
            for info in self._pending[1]:
                info.wait_for_publish(self._timeout_s)
                if not info.is_published():
                    raise SinkError(f"{self._place()}: the broker does not confirm messages.")
        except (ValueError, RuntimeError) as error:
            self._pending = None
            raise SinkError(f"{self._place()}: {error}.") from error
        self._pending = None

    def close(self) -> None:
        """Say "offline" and disconnect: a broker sends the last will only for those that leave without goodbye."""
        if self._connected.is_set():
            info = self._client.publish(self._topics.availability, OFFLINE, _QOS, retain=True)
            try:
                info.wait_for_publish(2.0)
            except (ValueError, RuntimeError):
                self._trouble = "disconnected"  # the last will says it then
        self._client.disconnect()
        self._client.loop_stop()

    def _publish(self, event: EventRecord) -> "list[MQTTMessageInfo]":
        payload = json.dumps(event_json(event), ensure_ascii=False)
        sent = [
            self._client.publish(self._topics.visit, payload, _QOS),
            self._client.publish(self._topics.state, payload, _QOS, retain=True),
        ]
        if self._settings.pictures and event.picture is not None:
            try:
                content = (self._store_folder / event.picture).read_bytes()
            except OSError:
                return sent  # deleted for room since: the event goes without
            sent.append(self._client.publish(self._topics.picture, content, _QOS, retain=True))
        return sent

    def _on_connect(self, client: Any, _userdata: Any, _flags: Any, reason_code: Any, _properties: Any) -> None:
        if reason_code.is_failure:
            self._trouble = f"the broker refuses the camera ({reason_code})"
            return
        settings = self._settings
        if settings.discovery_prefix:
            payload = discovery_payload(
                settings.camera_id,
                settings.camera_name or settings.camera_id,
                self._version,
                self._topics,
                settings.pictures,
            )
            topic = discovery_topic(settings.discovery_prefix, settings.camera_id)
            client.publish(topic, json.dumps(payload), _QOS, retain=True)
        client.publish(self._topics.availability, ONLINE, _QOS, retain=True)
        self._connected.set()

    def _on_connect_fail(self, _client: Any, _userdata: Any) -> None:
        self._trouble = "the broker cannot be reached"

    def _on_disconnect(self, _client: Any, _userdata: Any, _flags: Any, reason_code: Any, _properties: Any) -> None:
        if self._connected.is_set():  # else it was refused, and why is known already
            self._trouble = f"disconnected ({reason_code})"
        self._connected.clear()

    def _place(self) -> str:
        return f"MQTT broker {self._settings.host}:{self._settings.port}"
