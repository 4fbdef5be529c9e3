"""JSON objects of answers; those of visits and blind times are in ``trailcam_edge.store.records``."""

from typing import Any

from trailcam_core.classifier import Classification


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
