"""Status of a camera as one JSON object: a pure function of its state."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from trailcam_edge.events import stated_confidence
from trailcam_edge.live.latest_picture import FrameSummary, frame_record
from trailcam_edge.live.state import ProgramState, duration
from trailcam_edge.live.visit_counts import Chart, RecentVisit, VisitCounts
from trailcam_edge.store.records import iso_time
from trailcam_edge.telemetry.health import HealthSnapshot
from trailcam_edge.telemetry.prometheus import MetricsSnapshot
from trailcam_edge.update.install.journal import Journal

_HOT_C = 80.0  # from here on a Raspberry Pi slows down; source: its documentation, "Frequency management"
_MIN_DISK_BYTES = 200_000_000

_TRYING = {
    "self_test": "testing",
    "activate": "activating",
    "watch": "trying",
    "roll_back": "going back from",
}

Row = tuple[str, str, bool]


@dataclass(frozen=True)
class CameraState:
    """State of a camera at one moment.

    ``date_known`` is False until the clock has been set, ``alive`` True while frames arrive; ``state`` has details.
    ``store_problem`` is the reason why nothing can be stored, ``update`` the update journal, None without one.
    """

    snapshot: MetricsSnapshot
    frame: FrameSummary
    health: HealthSnapshot
    alive: bool
    date_known: bool
    state: ProgramState
    store_problem: str | None = None
    update: Journal | None = None
    last_frame_unix_s: float | None = None


def status_record(state: CameraState, counts: VisitCounts, now: datetime) -> dict[str, Any]:
    """Return the JSON object of ``/status.json``; ``now`` is local time with its zone."""
    snapshot, update = state.snapshot, state.update
    return {
        "bundle": snapshot.bundle,
        "version": snapshot.version,
        "alive": state.alive,
        "paused": snapshot.paused,
        "state": state.state.code,
        "state_words": state.state.words,
        "date_known": state.date_known,
        "frame": None if state.frame.sequence < 0 else frame_record(state.frame),
        "last_frame": iso_time(state.last_frame_unix_s),
        "today": counts.today(now),
        "visits": [_visit(seen, now) for seen in counts.recent()],
        "hours": _chart(counts.hours(now)),
        "days": _chart(counts.days(now)),
        "health": health_rows(snapshot, state.health, state.store_problem) + update_rows(update),
        "update": None if update is None else _update(update),
    }


def health_rows(snapshot: MetricsSnapshot, health: HealthSnapshot, store_problem: str | None = None) -> list[Row]:
    """Return a row for each known value: its name, its text, and True if it is normal."""
    rows: list[Row] = [
        ("Frame rate", f"{snapshot.frame_rate_hz or 0:.1f} frames/s", True),
        ("Frames", f"{snapshot.frames:,} ({snapshot.frames_dropped:,} dropped)", True),
        ("Running for", duration(snapshot.uptime_s), True),
    ]
    if snapshot.latency_ms is not None:
        rows.append(("Latency", f"{snapshot.latency_ms:.0f} ms", True))
    return rows + _machine_rows(health) + _store_rows(snapshot, store_problem) + _sink_rows(snapshot)


def _machine_rows(health: HealthSnapshot) -> list[Row]:
    rows: list[Row] = []
    if health.temperature_c is not None:
        rows.append(("Temperature", f"{health.temperature_c:.0f} °C", health.temperature_c < _HOT_C))
    if health.throttling is not None:
        now, before = health.throttling.now, health.throttling.since_start
        earlier = f"not now; since the start: {', '.join(before)}" if before else "no"
        rows.append(("Throttling", ", ".join(now) or earlier, not now))
    if health.clock_hz is not None:
        rows.append(("Processor", f"{health.clock_hz / 1e6:.0f} MHz", True))
    if health.memory_bytes is not None:
        rows.append(("Memory", f"{health.memory_bytes / 1e6:.0f} MB", True))
    if health.disk_free_bytes is not None:
        free_gb = health.disk_free_bytes / 1e9
        rows.append(("Disk", f"{free_gb:.1f} GB free", health.disk_free_bytes > _MIN_DISK_BYTES))
    return rows


def _store_rows(snapshot: MetricsSnapshot, problem: str | None) -> list[Row]:
    rows: list[Row] = []
    if snapshot.store_bytes is not None and snapshot.store_max_bytes is not None:
        full = f"{snapshot.store_bytes / 1e6:.0f} of {snapshot.store_max_bytes / 1e6:.0f} MB"
        rows.append(("Store", full, True))
    if problem is not None:
        rows.append(("Store", f"nothing can be stored: {problem}", False))
    if snapshot.events_waiting or snapshot.events_lost:
        rows.append(("Not stored", f"{snapshot.events_waiting} waiting, {snapshot.events_lost} lost", False))
    return rows + [(f"Blind: {reason}", duration(s), False) for reason, s in sorted(snapshot.blind_s.items())]


def _sink_rows(snapshot: MetricsSnapshot) -> list[Row]:
    rows: list[Row] = []
    for sink in snapshot.sinks:
        text = f"{sink.delivered} delivered, {sink.waiting} waiting"
        rows.append((sink.name, text if sink.error is None else f"{text}; {sink.error}", sink.error is None))
    return rows


def update_rows(update: Journal | None) -> list[Row]:
    """Return rows like those of ``health_rows`` for the state of the update."""
    if update is None:
        return []
    if update.candidate is None:
        rows: list[Row] = [("Update", f"{update.running} runs", True)]
    else:
        rows = [("Update", f"{_TRYING[update.state]} {update.candidate}; before it {update.running}", True)]
    refused = list(update.refused.items())[-1:]
    return rows + [("Refused", f"{slot}: {reason}", update.candidate is not None) for slot, reason in refused]


def _update(update: Journal) -> dict[str, Any]:
    return {
        "state": update.state,
        "running": update.running,
        "previous": update.previous,
        "candidate": update.candidate,
        "starts": update.starts,
        "refused": update.refused,
    }


def _visit(seen: RecentVisit, now: datetime) -> dict[str, Any]:
    stated = stated_confidence(seen.label, seen.confidence)
    return {
        "label": seen.label,
        "time": _when(seen.unix_s, now),
        "duration_s": round(seen.duration_s, 1),
        "confidence": None if stated is None else round(stated, 4),
        "picture": f"/pictures/{seen.visit_id}.jpg" if seen.has_picture else None,
    }


def _when(unix_s: float | None, now: datetime) -> str:
    """Return the time of day, with the date if that is not today's."""
    if unix_s is None:
        return "time unknown"
    when = datetime.fromtimestamp(unix_s, now.tzinfo)
    return f"{when:%H:%M}" if when.date() == now.date() else f"{when:%Y-%m-%d %H:%M}"


def _chart(chart: Chart) -> dict[str, Any]:
    return {"bars": [bar.isoformat() for bar in chart.bars], "counts": chart.counts}
