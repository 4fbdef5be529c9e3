"""The MQTT topics of one camera."""

from dataclasses import dataclass

ONLINE, OFFLINE = "online", "offline"
DEFAULT_BASE = "trailcam"


@dataclass(frozen=True)
class Topics:
    """``visit`` carries every event; ``state`` the last one, retained; ``availability`` "online" or "offline"."""

    visit: str
    state: str
    availability: str
    picture: str


def camera_topics(base: str, camera_id: str) -> Topics:
    """Return the topics below ``base``; ``MqttSettings`` has checked both names."""
    root = f"{base}/{camera_id}"
    return Topics(f"{root}/visit", f"{root}/state", f"{root}/availability", f"{root}/picture")
