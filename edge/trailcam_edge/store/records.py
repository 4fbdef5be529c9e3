"""Records of the store with resolved wall time, and their JSON and CSV forms: ``docs/events.md`` has the schema."""

from dataclasses import dataclass, fields
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import Any, NamedTuple

from trailcam_core.files.names import FORMULA_STARTS
from trailcam_core.images.boxes import Box
from trailcam_edge.events import CLOSED, UNKNOWN, BlindTime, Moment, Visit, is_recording, stated_confidence
from trailcam_edge.store.wall_time import WallTime, is_plausible

CLOCK = [f"{second // 60:02}:{second % 60:02}" for second in range(3600)]  # within an hour
_QUARTER_S = 900
_MILLISECONDS = [f".{number:03}Z" for number in range(1000)]


class EventRecord(NamedTuple):  # cheaper than a dataclass: a store has millions
    """One visit; ``event_id`` is 0 before it is stored, ``picture`` its path below the store, or None.

    ``box`` is the place of the animal in the picture, None if frames were classified as a whole. ``station`` and
    ``source`` (the file of the picture below its card) are those of a visit that was read from a card;
    ``picture_offset_s`` is the time from its start to its picture, None if unknown. ``kind`` is "closed"; "opened" or
    "updated" in the events that sinks get before the end of a visit. ``clip_offset_s`` is the time from its start to
    the first frame of its clip, None without a clip.
    """

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
    station: str | None = None
    source: str | None = None
    picture_offset_s: float | None = None
    kind: str = CLOSED
    clip_offset_s: float | None = None

    @property
    def clip(self) -> str | None:
        """The path of the clip below the store, or None."""
        return None if self.clip_offset_s is None else f"clips/{self.visit_id}.mp4"


# One visit as a list for people shows it: time and basis as in ``WallTime``, duration in s, label, confidence, and
# picture as in ``EventRecord``.
EventLine = tuple[float | None, str, float, str, float, str | None]


@dataclass(frozen=True)
class BlindRecord:
    """One period in which the camera could not see."""

    reason: str
    started: WallTime
    ended: WallTime
    station: str | None = None


@dataclass(frozen=True)
class WatchRecord:
    """One interval of watching, from its start to its last heartbeat, or the first and last file of a card."""

    bundle: str
    started: WallTime
    ended: WallTime
    frames: int
    station: str | None = None


@dataclass(frozen=True)
class Station:
    """One camera at one place, whose cards were read.

    Latitude and longitude are decimal degrees in WGS84, both None where they are unknown. ``timezone`` is that of the
    clock of the camera: a name such as "Europe/Berlin" or an offset such as "+02:00".
    """

    deployment_id: str
    latitude: float | None = None
    longitude: float | None = None
    camera: str | None = None
    timezone: str | None = None


def iso_time(unix_s: float | None) -> str | None:
    """Return a Unix time as ISO 8601 in UTC with milliseconds, or None for None."""
    if unix_s is None:
        return None
    hour, rest_s = divmod(unix_s, 3600)
    microseconds = round(rest_s * 1e6)
    if microseconds == 3_600_000_000:
        hour, microseconds = hour + 1, 0
    second, millisecond = divmod(microseconds // 1000, 1000)
    return f"{iso_hour(hour)}{CLOCK[second]}{_MILLISECONDS[millisecond]}"


@lru_cache
def iso_hour(number: float) -> str:
    """Return the ISO 8601 text in UTC of a Unix time in hours, up to its minutes: many events share one."""
    return datetime.fromtimestamp(3600 * number, UTC).isoformat(timespec="hours")[:-6] + ":"


def event_json(event: EventRecord) -> dict[str, Any]:
    """Return the JSON object of a visit: the same in files, over MQTT, in webhooks and from every command."""
    stated = stated_confidence(event.label, event.confidence)
    return {
        "event_id": event.event_id or None,
        "visit_id": event.visit_id,
        "label": event.label,
        "start": iso_time(event.started.unix_s),
        "end": iso_time(event.ended.unix_s),
        "time_basis": event.started.basis,
        "duration_s": round(event.duration_s, 3),
        "confidence": None if stated is None else round(stated, 6),
        "votes": event.votes,
        "frames": event.frames,
        "bundle": event.bundle,
        "latency_ms": round(event.latency_ms, 3),
        "picture": event.picture,
        "boot_id": event.boot_id,
        "monotonic_s": round(event.monotonic_s, 3),
        "box": box_json(event.box),
        "station": event.station,
        "source": event.source,
        "clip": event.clip,
    }


def sink_json(event: EventRecord) -> dict[str, Any]:
    """Return the JSON object that sinks send: ``event`` ("opened", "updated", "closed") and the visit."""
    return {"event": event.kind} | event_json(event)


def box_json(box: Box | None) -> dict[str, float] | None:
    """Return the JSON object of a box: x, y, width and height as fractions of the image, from its upper left corner."""
    if box is None:
        return None
    return {"x": round(box.x, 5), "y": round(box.y, 5), "width": round(box.width, 5), "height": round(box.height, 5)}


def blind_json(blind: BlindRecord) -> dict[str, Any]:
    """Return the JSON object of a blind time: the same from every command."""
    return {
        "reason": blind.reason,
        "start": iso_time(blind.started.unix_s),
        "end": iso_time(blind.ended.unix_s),
        "time_basis": blind.started.basis,
    }


def unstored_event(visit: Visit) -> EventRecord:
    """Return the record of a visit that has just ended: no event number, no picture, the time as known by now."""
    return EventRecord(
        event_id=0,
        visit_id=visit.visit_id,
        label=visit.label,
        started=_wall_time(visit.started),
        ended=_wall_time(visit.ended),
        boot_id=visit.started.boot_id,
        monotonic_s=visit.started.monotonic_s,
        duration_s=visit.ended.monotonic_s - visit.started.monotonic_s,
        confidence=visit.confidence,
        votes=visit.votes,
        frames=visit.frames,
        bundle=visit.bundle,
        latency_ms=visit.latency_ms,
        picture=None,
        picture_state="none",
        box=visit.box,
        station=visit.station,
        source=visit.source,
        picture_offset_s=visit.picture_offset_s,
    )


def unstored_blind_time(blind: BlindTime) -> BlindRecord:
    """Return the record of a blind time that has just ended, with the time as known by now."""
    return BlindRecord(blind.reason, _wall_time(blind.started), _wall_time(blind.ended), blind.station)


def _wall_time(moment: Moment) -> WallTime:
    if moment.wall is None or not is_plausible(moment.wall.timestamp(), moment.boot_id):
        return WallTime(None, "unknown")
    return WallTime(moment.wall.timestamp(), "not after" if is_recording(moment.boot_id) else "clock")


def csv_row(event: EventRecord, station: Station | None = None, zone: tzinfo | None = None) -> list[str]:
    """Return the cells of ``CSV_HEADER``: the values of ``event_json`` as texts, place, local times and source.

    Numbers have fixed decimals. A text that a spreadsheet takes for a formula has a quote in front.

    Args:
        event: the visit.
        station: that of the visit, None for the camera of this machine.
        zone: of local times; None is that of this machine.
    """
    event_id, visit_id, label, started, ended, boot_id, monotonic_s, duration_s, confidence, votes, frames = event[:11]
    bundle, latency_ms, picture, _, box, name, source = event[11:18]
    start, start_local = _both_times(started[0], zone)
    end, end_local = _both_times(ended[0], zone)
    return [
        str(event_id or ""),
        visit_id,
        _cell(label),
        start,
        end,
        started[1],
        f"{duration_s:.3f}",
        "" if label == UNKNOWN else f"{confidence:.6f}",
        str(votes),
        str(frames),
        _cell(bundle),
        f"{latency_ms:.3f}",
        picture or "",
        _cell(boot_id),
        f"{monotonic_s:.3f}",
        *(_NO_BOX if box is None else (f"{box.x:.5f}", f"{box.y:.5f}", f"{box.width:.5f}", f"{box.height:.5f}")),
        *(_no_station(name) if station is None else _station_cells(station)),
        start_local,
        end_local,
        _cell(source) if source else "",
        event.clip or "",
    ]


@lru_cache(4096)
def _cell(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


@lru_cache
def _station_cells(station: Station) -> list[str]:
    place = (station.latitude, station.longitude)
    names = (_cell(station.deployment_id), _cell(station.camera or ""))
    return [*names, *("" if value is None else str(value) for value in place)]


@lru_cache
def _no_station(name: str | None) -> list[str]:
    return _station_cells(Station(name or ""))


def _both_times(unix_s: float | None, zone: tzinfo | None) -> tuple[str, str]:
    """Return a Unix time as ISO 8601 in UTC, as ``iso_time``, and with the offset of its zone; "" twice for None."""
    if unix_s is None:
        return "", ""
    quarter, rest_s = divmod(unix_s, _QUARTER_S)
    microseconds = round(rest_s * 1e6)
    if microseconds == 900_000_000:
        quarter, microseconds = quarter + 1, 0
    second, rest = divmod(microseconds, 1_000_000)
    utc, first, local, local_first, offset = _quarter_texts(quarter, zone)
    in_utc = utc + CLOCK[first + second] + _MILLISECONDS[rest // 1000]
    if local_first < 0:
        return in_utc, datetime.fromtimestamp(int(unix_s), UTC).astimezone(zone).isoformat(timespec="seconds")
    return in_utc, local + CLOCK[local_first + second] + offset


@lru_cache
def _quarter_texts(number: float, zone: tzinfo | None) -> tuple[str, int, str, int, str]:
    """Return date and hour, and the second in it, in UTC and in a zone, and the offset of the zone then.

    Many events share a quarter of an hour, and no zone changes within one. The second in a zone is -1 where quarters of
    an hour begin at other times: "+02:07".
    """
    start = datetime.fromtimestamp(_QUARTER_S * number, UTC)
    local = start.astimezone(zone)
    text = local.isoformat(timespec="seconds")
    second, local_second = (60 * each.minute + each.second for each in (start, local))
    return start.isoformat()[:14], second, text[:14], -1 if local_second % _QUARTER_S else local_second, text[19:]


_NEVER = WallTime(None, "unknown")
_EMPTY = EventRecord(0, "", "", _NEVER, _NEVER, "", 0.0, 0.0, 0.0, 0, 0, "", 0.0, None, "none")
_LAST_KEYS = ("box", "station", "source", "clip")
_NO_BOX = [""] * len(fields(Box))
_STATION_COLUMNS = ("station", "camera", "latitude", "longitude", "start_local", "end_local", "source", "clip")
CSV_HEADER = (
    *(name for name in event_json(_EMPTY) if name not in _LAST_KEYS),
    *(f"box_{field.name}" for field in fields(Box)),
    *_STATION_COLUMNS,
)
