"""The text of a message: a template filled in with an event. Pure functions."""

import json
import re
from datetime import datetime, tzinfo
from typing import Any

from trailcam_core.records import FieldError
from trailcam_edge.events import stated_confidence
from trailcam_edge.store.records import EventRecord, iso_time

NAMES = ("camera", "label", "kind", "time", "start", "percent", "confidence", "duration_s", "visit_id", "bundle")
PICTURE, CLIP = "picture_base64", "clip_base64"
_PLACE = re.compile(r"\{([A-Za-z0-9_]+)\}")


def check_template(field: str, template: str, is_json: bool = False) -> None:
    """Refuse a template with an unknown name in braces.

    Raises:
        FieldError: it has one.
    """
    known = (*NAMES, PICTURE, CLIP) if is_json else NAMES
    texts = _texts(json.loads(template)) if is_json else [template]
    for name in (name for text in texts for name in _PLACE.findall(text)):
        if name not in known:
            raise FieldError(field, f"{field} has {{{name}}}, expected one of {', '.join(known)}")


def values_of(event: EventRecord, camera: str, zone: tzinfo | None = None) -> dict[str, Any]:
    """Return the values of ``NAMES`` for an event; ``zone`` is that of ``time``, None for that of the machine."""
    unix_s = event.started.unix_s if event.started.known else None
    time = "time unknown" if unix_s is None else f"{datetime.fromtimestamp(unix_s, zone):%Y-%m-%d %H:%M}"
    stated = stated_confidence(event.label, event.confidence)
    return {
        "camera": camera,
        "label": event.label,
        "kind": event.kind,
        "time": time,
        "start": iso_time(event.started.unix_s),
        "percent": "no sure label" if stated is None else f"{stated:.0%}",
        "confidence": None if stated is None else round(stated, 4),
        "duration_s": round(event.duration_s, 1),
        "visit_id": event.visit_id,
        "bundle": event.bundle,
    }


def fill(template: str, values: dict[str, Any]) -> str:
    """Return a template with its names filled in, in one pass: a label may hold braces."""
    return _PLACE.sub(lambda found: _text(values.get(found[1], found[0])), template)


def fill_json(template: str, values: dict[str, Any]) -> bytes:
    """Return a JSON template with the names in its texts filled in; a text of one name alone becomes its value."""
    return json.dumps(_filled(json.loads(template), values), ensure_ascii=False).encode("utf-8")


def _filled(value: Any, values: dict[str, Any]) -> Any:
    if isinstance(value, dict):
        return {key: _filled(item, values) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, values) for item in value]
    if not isinstance(value, str):
        return value
    alone = _PLACE.fullmatch(value)
    return values[alone[1]] if alone and alone[1] in values else fill(value, values)


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for item in value.values() for text in _texts(item)]
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    return [value] if isinstance(value, str) else []


def _text(value: Any) -> str:
    return "" if value is None else str(value)
