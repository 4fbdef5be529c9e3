"""The state of a camera as one JSON object, for a fleet that it cannot be asked over SSH: a pure function."""

import time
from dataclasses import asdict, dataclass
from typing import Any

from trailcam_edge.store.records import EventRecord, event_json, iso_time
from trailcam_edge.telemetry.health import HealthSnapshot, health_json
from trailcam_edge.telemetry.prometheus import MetricsSnapshot
from trailcam_edge.update.install.journal import Journal

SUMMARY_SCHEMA = 1


@dataclass(frozen=True)
class LastFrame:
    """The newest frame; ``at_s`` is monotonic, the rest as in ``FrameResult``."""

    at_s: float
    outcome: str | None
    rate_hz: float
    dropped: int

    def unix_s(self, now_unix_s: float, now_s: float | None = None) -> float:
        """Return when it was classified; ``now_unix_s`` and ``now_s`` are two clocks now."""
        return now_unix_s + self.at_s - (time.monotonic() if now_s is None else now_s)


def camera_summary(
    snapshot: MetricsSnapshot,
    frame: LastFrame | None,
    health: HealthSnapshot,
    update: Journal | None,
    last_visit: EventRecord | None,
    alive: bool,
) -> dict[str, Any]:
    """Return the JSON object that is retained over MQTT; its keys are those of ``trailcam status --json``."""
    now_unix_s = time.time()
    return {
        "schema": SUMMARY_SCHEMA,
        "version": snapshot.version,
        "at": iso_time(now_unix_s),
        "running": True,
        "alive": alive,
        "paused": snapshot.paused,
        "bundle": snapshot.bundle or None,
        "frame": None if frame is None else _frame(frame),
        "last_frame": None if frame is None else iso_time(frame.unix_s(now_unix_s)),
        "update": None if update is None else asdict(update),
        "last_visit": None if last_visit is None else event_json(last_visit),
        "store": None
        if snapshot.store_bytes is None
        else {
            "visits": sum(snapshot.visits.values()),
            "bytes": snapshot.store_bytes,
            "max_bytes": snapshot.store_max_bytes,
            "waiting": snapshot.events_waiting,
            "lost": snapshot.events_lost,
        },
        "suppressed": sum(snapshot.suppressed.values()),
        "sinks": [
            {"name": sink.name, "waiting": sink.waiting, "rejected": sink.rejected, "error": sink.error}
            for sink in snapshot.sinks
        ],
        **health_json(health),
    }


def _frame(frame: LastFrame) -> dict[str, Any]:
    return {"outcome": frame.outcome, "rate_hz": round(frame.rate_hz, 2), "dropped": frame.dropped}
