"""JSON lines, and the objects of answers; those of visits and blind times are in ``trailcam_edge.store.records``."""

import json
import re
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trailcam_core.classifier import Classification
    from trailcam_core.inference.decision import Rejection

_STEERING = re.compile("[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]")  # C0 is escaped already


def json_line(record: dict[str, Any]) -> str:
    """Return a record as one line of JSON that can be printed: characters that steer a terminal are escaped."""
    text = json.dumps(record, ensure_ascii=False)
    return _STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def answer_record(answer: "Classification") -> dict[str, Any]:
    """Return the JSON object of an answer; ``label`` is null for "unknown", and with ``nothing`` for an empty scene."""
    return {
        "label": answer.label,
        **({"nothing": True} if answer.blank else {}),
        "confidence": round(answer.confidence, 6),
        "top": [{"label": item.label, "probability": round(item.probability, 6)} for item in answer.top],
        "latency_ms": round(answer.latency_ms, 3),
        **({} if answer.rejection is None else {"rejection": _rejection_record(answer.rejection)}),
        **({} if answer.box is None else {"box": {key: round(value, 5) for key, value in asdict(answer.box).items()}}),
    }


def _rejection_record(rejection: "Rejection") -> dict[str, Any]:
    value, threshold = round(rejection.value, 6), round(rejection.threshold, 6)
    return {"score": rejection.score, "value": value, "threshold": threshold}


def explained(answer: "Classification") -> str:
    """Return the word for an answer and, if it is no label, the reason."""
    if answer.label is not None or answer.blank:
        return named(answer)
    nearest, rejection = answer.top[0].label, answer.rejection
    if rejection is None:
        return f"unknown, nearest {nearest}, which is never an answer"
    score = rejection.score.replace("_", " ")
    return f"unknown, nearest {nearest}: {score} {rejection.value:.2f} is below {rejection.threshold:.2f}"


def named(answer: "Classification") -> str:
    """Return the word for an answer: its label, "nothing" or "unknown"."""
    return answer.label or ("nothing" if answer.blank else "unknown")
