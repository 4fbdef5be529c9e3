"""What comes out of the store, with wall time worked out, and how it looks to a program."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from trailcam_core.images.boxes import Box
from trailcam_edge.store.wall_time import WallTime

__all__ = ["CSV_HEADER", "BlindRecord", "EventRecord", "WatchRecord", "box_json", "csv_row", "event_json", "iso_time"]


@dataclass(frozen=True)
class EventRecord:
    """One stored visit; ``picture`` is its path below the store, or None, and ``box`` the animal's place in it."""

    event_id: int
    visit_id: str
    label: str
    started: WallTime
    ended: WallTime
    boot_id: str
    monotonic_s: float
    duration_s: float
    confidence: float
    votes: int
    frames: int
    bundle: str
    latency_ms: float
    picture: str | None
    picture_state: str
    box: Box | None = None


@dataclass(frozen=True)
class BlindRecord:
    """One time in which the camera could not see."""

    reason: str
    started: WallTime
    ended: WallTime


@dataclass(frozen=True)
class WatchRecord:
    """One time in which the camera watched, from its start to the last that is known of it."""

    bundle: str
    started: WallTime
    ended: WallTime
    frames: int


def iso_time(unix_s: float | None) -> str | None:
    """Return a Unix time as ISO 8601 in UTC with milliseconds, or None for None."""
    if unix_s is None:
        return None
    return datetime.fromtimestamp(unix_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def event_json(event: EventRecord) -> dict[str, Any]:
    """Return the JSON object of an event: the same in files, over MQTT, in webhooks and from ``trailcam events``."""
    return {
        "event_id": event.event_id,
        "visit_id": event.visit_id,
        "label": event.label,
        "start": iso_time(event.started.unix_s),
        "end": iso_time(event.ended.unix_s),
        "time_basis": event.started.basis,
        "duration_s": round(event.duration_s, 3),
        "confidence": round(event.confidence, 6),
        "votes": event.votes,
        "frames": event.frames,
        "bundle": event.bundle,
        "latency_ms": round(event.latency_ms, 3),
        "picture": event.picture,
        "boot_id": event.boot_id,
        "monotonic_s": round(event.monotonic_s, 3),
        "box": box_json(event.box),
    }


def box_json(box: Box | None) -> dict[str, float] | None:
    """Return the JSON object of a box: x, y, width and height as fractions of the picture, from its upper left."""
    return None if box is None else {name: round(value, 5) for name, value in asdict(box).items()}


def csv_row(event: EventRecord) -> list[Any]:
    """Return the fields of ``CSV_HEADER``; empty where JSON has null."""
    return ["" if value is None else value for value in _flat(event).values()]


def _flat(event: EventRecord) -> dict[str, Any]:
    """Return the JSON object with a column for each number of the box."""
    record = event_json(event)
    box = record.pop("box") or dict.fromkeys(("x", "y", "width", "height"))
    return record | {f"box_{name}": value for name, value in box.items()}


_NEVER = WallTime(None, "unknown")
_EMPTY = EventRecord(0, "", "", _NEVER, _NEVER, "", 0.0, 0.0, 0.0, 0, 0, "", 0.0, None, "none")
CSV_HEADER = tuple(_flat(_EMPTY))
