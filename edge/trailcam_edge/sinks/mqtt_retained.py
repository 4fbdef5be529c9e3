"""What a camera leaves at the broker: the last event, who is there, and the state of the camera.

A broker without persistence forgets it when it restarts, a camera that was killed leaves it as it was. So all of it is
published again after every connection, from the store rather than from memory.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trailcam_edge.events import OPENED
from trailcam_edge.sinks.home_assistant import discovery_payload, without_former
from trailcam_edge.sinks.mqtt_facts import CameraFacts
from trailcam_edge.sinks.mqtt_topics import OFF, ON, Topics
from trailcam_edge.sinks.settings import MqttSettings
from trailcam_edge.store.records import sink_json

if TYPE_CHECKING:
    from paho.mqtt.client import MQTTMessageInfo

_MAX_LABELS = 50  # as entities of one device in Home Assistant
_CONFIRM_S = 10.0

Publish = Callable[[str, "str | bytes"], "MQTTMessageInfo"]


class RetainedState:
    """The retained messages of one camera, except availability; used by the thread of the sink.

    Args:
        settings: of the broker.
        topics: of the camera.
        facts: the state of the camera.
        store_folder: the folder with the pictures.
        publish: publishes a retained message.
    """

    def __init__(
        self, settings: MqttSettings, topics: Topics, facts: CameraFacts, store_folder: Path, publish: Publish
    ) -> None:
        self._settings = settings
        self._topics = topics
        self._facts = facts
        self._store_folder = store_folder
        self._publish = publish
        self._shown: dict[str, str] = {}  # payload by topic of a label
        self._status_s = float("-inf")
        self.labels = settings.labels[:_MAX_LABELS] if self.is_live else ()

    @property
    def is_live(self) -> bool:
        """True if visits are reported when they open."""
        return OPENED in self._settings.events

    def discovery(self, device: str, version: str) -> dict[str, Any]:
        """Return the message of Home Assistant's discovery."""
        name = self._settings.camera_name or self._settings.camera_id
        return discovery_payload(device, name, version, self._topics, self._settings.pictures, self.labels)

    def keeps(self, key: str) -> bool:
        """Return True for the entity of a label, unless the configuration has the labels: what was seen stays."""
        return self.is_live and not self._settings.labels and "_present_" in key

    def add_labels(self) -> bool:
        """Take up labels that were not seen before; return True if there are any."""
        if not self.is_live or self._settings.labels:
            return False
        seen = self._facts.labels()
        new = [label for label in seen if label not in self.labels]
        self.labels = (*self.labels, *new)[:_MAX_LABELS]
        return bool(new)

    def publish_all(self) -> None:
        """Publish everything, after a connection."""
        self._shown = {}
        self._status_s = float("-inf")
        event = self._facts.last_event(self.is_live)
        if event is not None:
            self._confirmed(self._topics.state, json.dumps(sink_json(event), ensure_ascii=False))
            if self._settings.pictures and event.picture is not None:
                self.publish_picture(event.picture)
        self.refresh()

    def refresh(self) -> None:
        """Publish what has changed."""
        open_labels = self._facts.open_labels() if self.labels else ()
        for label in self.labels:
            topic, payload = self._topics.present(label), ON if label in open_labels else OFF
            if self._shown.get(topic) != payload:
                self._confirmed(topic, payload)
                self._shown[topic] = payload
        if time.monotonic() >= self._status_s + self._settings.status_s:
            status = self._facts.status()
            if status is not None:
                self._confirmed(self._topics.status, json.dumps(status, ensure_ascii=False))
                self._status_s = time.monotonic()

    def publish_picture(self, picture: str) -> "MQTTMessageInfo | None":
        """Publish a picture by its path below the store; None if it was deleted meanwhile."""
        try:
            content = (self._store_folder / picture).read_bytes()
        except OSError:
            return None
        return self._publish(self._topics.picture, content)

    def leave(self) -> None:
        """Publish that no visit is open: this process ends all of them."""
        for label in self.labels:
            if self._shown.get(self._topics.present(label)) == ON:
                self._publish(self._topics.present(label), OFF)

    def _confirmed(self, topic: str, payload: str) -> None:
        """Publish and wait: the client keeps only some messages in its queue.

        Raises:
            ValueError: the queue is full.
            RuntimeError: the connection was lost.
        """
        info = self._publish(topic, payload)
        info.wait_for_publish(_CONFIRM_S)
        if not info.is_published():
            raise RuntimeError("the broker does not confirm messages")


def removal(message: bytes, payload: dict[str, Any], keeps: Callable[[str], bool]) -> dict[str, Any] | None:
    """Return the message that removes the entities of a former message from Home Assistant, or None.

    Args:
        message: the former one.
        payload: the present one.
        keeps: returns True for the key of an entity that stays also without being in ``payload``.
    """
    try:
        former = json.loads(message)
    except (ValueError, RecursionError):
        return None
    return without_former(payload, former, keeps) if isinstance(former, dict) else None
