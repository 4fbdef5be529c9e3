"""JSON objects of answers; those of visits and blind times are in ``trailcam_edge.store.records``."""

from typing import Any

from trailcam_core.classifier import Classification


def answer_record(answer: Classification) -> dict[str, Any]:
    """Return the JSON object of an answer; ``label`` is null for "unknown"."""
    return {
        "label": answer.label,
        "confidence": round(answer.confidence, 6),
        "top": [{"label": item.label, "probability": round(item.probability, 6)} for item in answer.top],
        "latency_ms": round(answer.latency_ms, 3),
    }
