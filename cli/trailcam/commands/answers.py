"""How an answer looks to a program."""

from typing import Any

from trailcam_edge.classifier import Classification

__all__ = ["answer_record"]


def answer_record(answer: Classification) -> dict[str, Any]:
    """Return the JSON object of an answer; ``label`` is null for "unknown"."""
    return {
        "label": answer.label,
        "confidence": round(answer.confidence, 6),
        "top": [{"label": item.label, "probability": round(item.probability, 6)} for item in answer.top],
        "latency_ms": round(answer.latency_ms, 3),
    }
