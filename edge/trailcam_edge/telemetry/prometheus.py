"""Health and counts in the text format that Prometheus scrapes: a pure function of a snapshot.

Source: "Text-based format", Prometheus documentation, exposition formats, version 0.0.4.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from trailcam_edge.sinks.worker import SinkStatus

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_Sample = tuple[Mapping[str, str], float]


@dataclass(frozen=True)
class MetricsSnapshot:
    """Metrics of a camera at one moment; None omits a metric, counters start at zero with the process."""

    version: str
    bundle: str
    uptime_s: float
    frames: int
    frames_dropped: int
    frame_rate_hz: float | None = None
    latency_ms: float | None = None
    visits: Mapping[str, int] = field(default_factory=dict)  # stored, by label
    blind_s: Mapping[str, float] = field(default_factory=dict)  # by reason
    events_waiting: int = 0
    events_lost: int = 0
    store_bytes: int | None = None
    store_max_bytes: int | None = None
    disk_free_bytes: int | None = None
    memory_bytes: int | None = None
    temperature_c: float | None = None
    throttled: bool | None = None
    sinks: tuple[SinkStatus, ...] = ()
    update_state: str | None = None  # of the update journal
    update_starts: int | None = None  # of the candidate
    suppressed: Mapping[tuple[str, str], int] = field(default_factory=dict)  # visits, by label and reason
    paused: bool = False  # by the schedule


def render_metrics(snapshot: MetricsSnapshot) -> str:
    """Return the snapshot in Prometheus' text format, ending in a line feed."""
    lines: list[str] = []

    def add(name: str, kind: str, meaning: str, samples: Iterable[_Sample]) -> None:
        rows = [f"trailcam_{name}{_labels(labels)} {_number(value)}" for labels, value in samples]
        if rows:
            lines.extend([f"# HELP trailcam_{name} {meaning}", f"# TYPE trailcam_{name} {kind}", *rows])

    def one(name: str, kind: str, meaning: str, value: float | None) -> None:
        add(name, kind, meaning, [] if value is None else [({}, value)])

    add("info", "gauge", "Running version and bundle.", [({"version": snapshot.version, "bundle": snapshot.bundle}, 1)])
    one("uptime_seconds", "gauge", "Time since the start.", snapshot.uptime_s)
    one("frames_total", "counter", "Frames that were classified.", snapshot.frames)
    one(
        "frames_dropped_total",
        "counter",
        "Frames replaced while another was being classified.",
        snapshot.frames_dropped,
    )
    one("frame_rate_hertz", "gauge", "Frames classified per second.", snapshot.frame_rate_hz)
    latency_s = None if snapshot.latency_ms is None else snapshot.latency_ms / 1000
    one("latency_seconds", "gauge", "From a frame to its answer.", latency_s)
    visits = [({"label": label}, float(number)) for label, number in sorted(snapshot.visits.items())]
    add("visits", "gauge", "Visits in the store.", visits)
    blind = [({"reason": reason}, seconds) for reason, seconds in sorted(snapshot.blind_s.items())]
    add("blind_seconds_total", "counter", "Seconds in which the camera could not see.", blind)
    suppressed = [
        ({"label": label, "reason": reason}, float(number))
        for (label, reason), number in sorted(snapshot.suppressed.items())
    ]
    add("visits_suppressed_total", "counter", "Visits that the settings suppressed.", suppressed)
    one("paused", "gauge", "1 outside the hours of the schedule.", snapshot.paused)
    one("events_waiting", "gauge", "Events that wait to be stored.", snapshot.events_waiting)
    one("events_lost_total", "counter", "Events that could not be stored.", snapshot.events_lost)
    one("store_bytes", "gauge", "Disk space of the event store.", snapshot.store_bytes)
    one("store_max_bytes", "gauge", "Limit of the event store.", snapshot.store_max_bytes)
    one("disk_free_bytes", "gauge", "Free space on the disk.", snapshot.disk_free_bytes)
    one("memory_resident_bytes", "gauge", "Resident memory of the process.", snapshot.memory_bytes)
    one("temperature_celsius", "gauge", "Temperature of the processor.", snapshot.temperature_c)
    one("throttled", "gauge", "1 while the processor is slowed down.", snapshot.throttled)
    state = snapshot.update_state
    add("update_state", "gauge", "State of the update.", [] if state is None else [({"state": state}, 1)])
    one("update_starts", "gauge", "Starts of the candidate bundle.", snapshot.update_starts)
    sinks = [({"sink": sink.name}, sink) for sink in snapshot.sinks]
    add("sink_waiting", "gauge", "Events that wait for a sink.", [(labels, sink.waiting) for labels, sink in sinks])
    add("sink_up", "gauge", "1 while a sink works.", [(labels, sink.error is None) for labels, sink in sinks])
    delivered = [(labels, float(sink.delivered)) for labels, sink in sinks]
    add("sink_delivered_total", "counter", "Events delivered to a sink.", delivered)
    rejected = [(labels, float(sink.rejected)) for labels, sink in sinks]
    add("sink_rejected_total", "counter", "Events rejected by a sink.", rejected)
    return "\n".join(lines) + "\n"


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    pairs = ",".join(f'{name}="{_escape(value)}"' for name, value in labels.items())
    return "{" + pairs + "}"


def _escape(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _number(value: float) -> str:
    number = float(value)
    return str(int(number)) if number.is_integer() else repr(number)
