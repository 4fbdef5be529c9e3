"""The text of a schedule: ``sunset-1h..sunrise+1h, 12:00..13:00``."""

import re
from dataclasses import dataclass

SUN_EVENTS = ("dawn", "sunrise", "noon", "sunset", "dusk")  # in the order of a day
CLOCK = "clock"
_POINT = re.compile(
    r"(?:(?P<hour>[01]?\d|2[0-3]):(?P<minute>[0-5]\d)|(?P<sun>dawn|sunrise|noon|sunset|dusk))"
    r"\s*(?:(?P<sign>[+-])\s*(?:(?P<h>\d{1,2})h)?(?:(?P<m>\d{1,3})m)?)?"
)
_MAX_OFFSET_MIN = 12 * 60
_MAX_WINDOWS = 20


@dataclass(frozen=True)
class Point:
    """One end of a window: ``name`` is ``CLOCK`` or an event of the sun, ``minutes`` those of the day or the offset."""

    name: str
    minutes: int


@dataclass(frozen=True)
class Window:
    """A part of every day, from ``start`` to the next ``end``."""

    start: Point
    end: Point


def parse_windows(text: str) -> tuple[Window, ...]:
    """Return the windows of a text, none for an empty one.

    Raises:
        ValueError: the text is none; the message names what was expected.
    """
    parts = [part.strip() for part in text.split(",")] if text.strip() else []
    if len(parts) > _MAX_WINDOWS:
        raise ValueError(f"expected at most {_MAX_WINDOWS} windows")
    return tuple(map(_window, parts))


def _window(text: str) -> Window:
    start, dots, end = text.partition("..")
    if not dots:
        raise ValueError('expected windows such as "sunset-1h..sunrise+1h" or "06:00..09:30"')
    window = Window(_point(start.strip()), _point(end.strip()))
    if window.start == window.end:
        raise ValueError('expected two different times, or "" to watch always')
    return window


def _point(text: str) -> Point:
    found = _POINT.fullmatch(text)
    if found is None or (found["sign"] and not (found["h"] or found["m"])):
        raise ValueError(f"expected HH:MM, {', '.join(SUN_EVENTS)}, or one of these with an offset such as -1h or +30m")
    offset_min = int(found["h"] or 0) * 60 + int(found["m"] or 0)
    if offset_min > _MAX_OFFSET_MIN:
        raise ValueError("expected an offset of at most 12h")
    offset_min = -offset_min if found["sign"] == "-" else offset_min
    if found["sun"]:
        return Point(found["sun"], offset_min)
    return Point(CLOCK, int(found["hour"]) * 60 + int(found["minute"]) + offset_min)
