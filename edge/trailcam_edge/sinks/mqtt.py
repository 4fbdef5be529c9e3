"""Events over MQTT, with Home Assistant discovery, a retained state and a last will.

Needs paho-mqtt, the extra ``mqtt``. Its network code runs in a separate thread and reconnects automatically.
"""

import json
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trailcam_core.network.secrets import mask_address
from trailcam_edge.sinks.home_assistant import device_id, discovery_payload, discovery_topic, former_discovery_topic
from trailcam_edge.sinks.mqtt_topics import OFFLINE, ONLINE, camera_topics
from trailcam_edge.sinks.settings import MqttSettings
from trailcam_edge.sinks.worker import SinkError
from trailcam_edge.store.records import EventRecord, event_json

if TYPE_CHECKING:
    from paho.mqtt.client import MQTTMessageInfo

_QOS = 1  # at least once: the broker confirms each message
_QUEUED = 20  # messages that paho may queue; the store has the rest
_CONNECT_DELAY_S = (1, 120)
_KEEPALIVE_S = 60


class MqttSink:
    """Publish each event and wait until the broker has confirmed it."""

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
        self._problem = "not connected yet"
        self._pending: tuple[str, list[MQTTMessageInfo]] | None = None
        self._device = device_id(settings.camera_id, settings.base_topic)
        self._client = Client(CallbackAPIVersion.VERSION2, client_id=self._device)
        self._client.on_connect = self._on_connect
        self._client.on_connect_fail = self._on_connect_fail
        self._client.on_disconnect = self._on_disconnect
        self._client.on_message = self._on_message
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
        if self._pending is None or self._pending[0] != event.visit_id:
            self._pending = (event.visit_id, self._publish(event))
        try:
            for info in self._pending[1]:
                info.wait_for_publish(self._timeout_s)
                if not info.is_published():
                    raise SinkError(f"{self._broker()}: the broker does not confirm messages.")
        except (ValueError, RuntimeError) as error:
            self._pending = None
            raise SinkError(f"{self._broker()}: {error}.") from error
        self._pending = None

    def close(self) -> None:
        """Publish "offline" and disconnect: a broker sends the last will only after an unclean disconnect."""
        if self._connected.is_set():
            info = self._client.publish(self._topics.availability, OFFLINE, _QOS, retain=True)
            try:
                info.wait_for_publish(2.0)
            except (ValueError, RuntimeError):
                self._problem = "disconnected"  # the broker publishes the last will then
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
                return sent  # deleted meanwhile: the event is sent without it
            sent.append(self._client.publish(self._topics.picture, content, _QOS, retain=True))
        return sent

    def _on_connect(self, client: Any, _userdata: Any, _flags: Any, reason_code: Any, _properties: Any) -> None:
        if reason_code.is_failure:
            self._problem = f"the broker refuses the camera ({reason_code})"
            return
        settings = self._settings
        if settings.discovery_prefix:
            payload = discovery_payload(
                self._device,
                settings.camera_name or settings.camera_id,
                self._version,
                self._topics,
                settings.pictures,
            )
            topic = discovery_topic(settings.discovery_prefix, settings.camera_id, settings.base_topic)
            client.publish(topic, json.dumps(payload), _QOS, retain=True)
            former = former_discovery_topic(settings.discovery_prefix, settings.camera_id)
            if former != topic:
                client.subscribe(former, _QOS)
        client.publish(self._topics.availability, ONLINE, _QOS, retain=True)
        self._connected.set()

    def _on_message(self, client: Any, _userdata: Any, message: Any) -> None:
        """Remove the device that an earlier version made of this camera, but not one of another camera."""
        try:
            found = json.loads(message.payload)
        except ValueError:
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
