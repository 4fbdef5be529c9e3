"""How answers and events look to a program."""

from typing import Any

from trailcam_core.classifier import Classification
from trailcam_edge.events import BlindTime, Moment, Visit

__all__ = ["answer_record", "blind_record", "named", "visit_record"]


def answer_record(answer: Classification) -> dict[str, Any]:
    """Return the JSON object of an answer; ``label`` is null for "unknown" and, with ``blank``, for "nothing there"."""
    return {
        "label": answer.label,
        **({"blank": True} if answer.blank else {}),
        "confidence": round(answer.confidence, 6),
        "top": [{"label": item.label, "probability": round(item.probability, 6)} for item in answer.top],
        "latency_ms": round(answer.latency_ms, 3),
    }


def named(answer: Classification) -> str:
    """Return the word for an answer: its label, "blank" or "unknown"."""
    return answer.label or ("blank" if answer.blank else "unknown")


def visit_record(visit: Visit) -> dict[str, Any]:
    """Return the JSON object of a visit, without its picture."""
    return {
        "event": "visit",
        "visit_id": visit.visit_id,
        "label": visit.label,
        "started": _moment(visit.started),
        "ended": _moment(visit.ended),
        "confidence": round(visit.confidence, 6),
        "votes": visit.votes,
        "frames": visit.frames,
        "bundle": visit.bundle,
        "latency_ms": round(visit.latency_ms, 3),
    }


def blind_record(blind: BlindTime) -> dict[str, Any]:
    """Return the JSON object of a time in which the camera could not see."""
    return {
        "event": "blind",
        "reason": blind.reason,
        "started": _moment(blind.started),
        "ended": _moment(blind.ended),
    }


def _moment(moment: Moment) -> dict[str, Any]:
    """``wall`` is null while the date is not known."""
    wall = None if moment.wall is None else moment.wall.isoformat(timespec="milliseconds")
    return {"wall": wall, "monotonic_s": round(moment.monotonic_s, 3), "boot_id": moment.boot_id}
