"""The MQTT topics of one camera."""

import re
from dataclasses import dataclass

ONLINE, OFFLINE = "online", "offline"
ON, OFF = "ON", "OFF"
DEFAULT_BASE = "trailcam"


@dataclass(frozen=True)
class Topics:
    """``visit`` carries every event; ``state`` the last one, retained; ``availability`` "online" or "offline".

    ``status`` is the state of the camera, retained.
    """

    visit: str
    state: str
    availability: str
    picture: str
    status: str

    def present(self, label: str) -> str:
        """Return the topic that is ``ON``, retained, while a visit of a label is open."""
        return f"{self.visit.removesuffix('/visit')}/present/{plain_key(label)}"


def camera_topics(base: str, camera_id: str) -> Topics:
    """Return the topics below ``base``; ``MqttSettings`` has checked both names."""
    root = f"{base}/{camera_id}"
    return Topics(*(f"{root}/{name}" for name in ("visit", "state", "availability", "picture", "status")))


def plain_key(text: str) -> str:
    """Return a text of A-Z a-z 0-9 - and _ that no other text has: "_" and two digits for each byte of the rest."""
    return re.sub(rb"[^A-Za-z0-9-]", lambda found: b"_%02x" % found[0][0], text.encode("utf-8", "replace")).decode()
