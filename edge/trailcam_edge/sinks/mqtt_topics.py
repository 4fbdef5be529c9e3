"""The MQTT topics of one camera."""

import re
from dataclasses import dataclass

__all__ = ["OFFLINE", "ONLINE", "Topics", "camera_topics"]

ONLINE, OFFLINE = "online", "offline"
_CAMERA_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True)
class Topics:
    """``visit`` carries every event; ``state`` the last one, retained; ``availability`` "online" or "offline"."""

    visit: str
    state: str
    availability: str
    picture: str


def camera_topics(base: str, camera_id: str) -> Topics:
    """Return the topics below ``base``.

    Raises:
        ValueError: a name that would be more than one level, or a wildcard.
    """
    if not _CAMERA_ID.fullmatch(camera_id):
        raise ValueError(f"camera_id is {camera_id!r}, expected 1 to 64 of A-Z a-z 0-9 . _ -")
    if not base or any(letter in base for letter in "+#\0") or base.startswith("/") or base.endswith("/"):
        raise ValueError(f"the base topic is {base!r}, expected one or more levels without + and #")
    root = f"{base}/{camera_id}"
    return Topics(f"{root}/visit", f"{root}/state", f"{root}/availability", f"{root}/picture")
