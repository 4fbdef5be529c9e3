"""Filters of notifications and actions: pure functions of an event and of what was sent before."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, tzinfo
from typing import Annotated, Any

from trailcam_core.records import Choice, FieldError, Range, check_ranges
from trailcam_edge.events import CLOSED, OPENED
from trailcam_edge.store.records import EventRecord

_DAY_S = 86_400.0
_MAX_LABELS = 1_000


@dataclass(frozen=True)
class FilterSettings:
    """Keys that ``[notify.NAME]`` and ``[actions.NAME]`` share: which events they take.

    ``labels`` empty is all; ``only_when`` is the end of a visit at which it is taken.
    """

    labels: tuple[str, ...] = ()
    min_confidence: Annotated[float, Range(0, 1)] = 0.0
    only_when: Annotated[str, Choice(OPENED, CLOSED)] = OPENED

    def __post_init__(self) -> None:
        check_ranges(self)
        if len(set(self.labels)) != len(self.labels):
            raise FieldError("labels", f"labels is {list(self.labels)}, expected each label once")

    def takes(self, event: EventRecord) -> bool:
        """Return True for an event of these labels, confidence and kind."""
        wanted = not self.labels or event.label in self.labels
        return wanted and event.confidence >= self.min_confidence and event.kind == self.only_when


@dataclass(frozen=True)
class Sent:
    """When an event of a label was sent: the start of its visit. ``unix_s`` is None while the date is unknown."""

    boot_id: str
    monotonic_s: float
    unix_s: float | None


@dataclass(frozen=True)
class Memory:
    """The last event sent of each label."""

    last: Mapping[str, Sent] = field(default_factory=dict)

    def add(self, event: EventRecord) -> "Memory":
        """Return a memory with this event as the last of its label; the oldest labels are forgotten."""
        kept = {label: sent for label, sent in self.last.items() if label != event.label}
        kept[event.label] = _sent(event)
        return replace(self, last=dict(list(kept.items())[-_MAX_LABELS:]))

    def to_text(self) -> str:
        """Return the memory as JSON."""
        return json.dumps({label: [sent.boot_id, sent.monotonic_s, sent.unix_s] for label, sent in self.last.items()})


def read_memory(text: str) -> Memory:
    """Return a memory from its JSON; an empty one if the text is none."""
    try:
        return Memory({str(label): _read_sent(*values) for label, values in json.loads(text or "{}").items()})
    except (AttributeError, TypeError, ValueError, RecursionError):
        return Memory()


def is_quiet(event: EventRecord, memory: Memory, quiet_min: float, first_of_day: bool, zone: tzinfo | None) -> bool:
    """Return True if an event is not sent, because another one of its label was sent not long ago.

    Args:
        event: to be sent.
        memory: of what was sent.
        quiet_min: minutes after an event of a label in which no other one is sent.
        first_of_day: only the first event of a label on a day is sent.
        zone: of the day; None for that of the machine.
    """
    last = memory.last.get(event.label)
    if last is None:
        return False
    now = _sent(event)
    elapsed_s = _elapsed_s(last, now)
    if elapsed_s is not None and elapsed_s < quiet_min * 60:
        return True
    if not first_of_day:
        return False
    if last.unix_s is None or now.unix_s is None:
        return elapsed_s is not None and elapsed_s < _DAY_S
    return datetime.fromtimestamp(last.unix_s, zone).date() == datetime.fromtimestamp(now.unix_s, zone).date()


def _elapsed_s(last: Sent, now: Sent) -> float | None:
    """Return the time between two events, by the clock that never jumps if they are of one boot; None if unknown."""
    if last.boot_id == now.boot_id:
        return max(0.0, now.monotonic_s - last.monotonic_s)
    if last.unix_s is None or now.unix_s is None:
        return None
    return max(0.0, now.unix_s - last.unix_s)


def _sent(event: EventRecord) -> Sent:
    return Sent(event.boot_id, event.monotonic_s, event.started.unix_s if event.started.known else None)


def _read_sent(boot_id: Any, monotonic_s: Any, unix_s: Any) -> Sent:
    return Sent(str(boot_id), float(monotonic_s), None if unix_s is None else float(unix_s))
