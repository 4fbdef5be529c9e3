"""From logits to an answer: temperature, softmax and the reject rule, as pure functions."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trailcam_core.images.boxes import Box
from trailcam_core.spec import REJECT_SCORES, OutputSpec, RejectRule

Floats = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Candidate:
    """One label and its probability in 0..1."""

    label: str
    probability: float


@dataclass(frozen=True)
class Rejection:
    """Why a picture is unknown: the value of its confidence score is below the threshold of the reject rule."""

    score: str
    value: float
    threshold: float


@dataclass(frozen=True)
class Classification:
    """The answer for one picture.

    ``label`` is None for "unknown", and for "nothing there", where ``blank`` is true. ``confidence`` and ``top`` are
    probabilities in 0..1; ``latency_ms`` is the time from the decoded image to the answer. ``box`` is the part of the
    picture that a second look answered for, None where the answer is for the whole picture. ``rejection`` is the
    reason for which the nearest label is not the answer, None unless the reject rule decided.
    """

    label: str | None
    confidence: float
    top: tuple[Candidate, ...]
    latency_ms: float
    blank: bool = False
    box: Box | None = None
    rejection: Rejection | None = None


@dataclass(frozen=True)
class Decision:
    """The answer for one picture.

    ``label`` is None when the answer is "unknown"; ``confidence`` is the probability of the best candidate either way;
    ``top`` lists the best candidates, most probable first. ``blank`` is True when the answer is "nothing there"; then
    ``label`` is None as well. ``rejection`` is set if the reject rule made it unknown.
    """

    label: str | None
    confidence: float
    top: tuple[Candidate, ...]
    blank: bool = False
    rejection: Rejection | None = None


def probabilities(logits: Floats, temperature: float = 1.0) -> npt.NDArray[np.float64]:
    """Return softmax(logits / temperature) along the last axis: (..., K) float64, each row sums to 1."""
    scaled = logits.astype(np.float64) / temperature
    powers = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def confidence_score(logits: Floats, score: str) -> npt.NDArray[np.float64]:
    """Return how familiar each picture looks, higher is more familiar: (..., K) logits to (...) float64.

    ``max_logit``: the largest logit. ``energy``: log of the sum of exponentials. ``max_probability``: the largest
    softmax probability.

    Source: Hendrycks et al., "Scaling out-of-distribution detection for real-world settings", ICML 2022 (max logit);
    Liu et al., "Energy-based out-of-distribution detection", NeurIPS 2020.
    """
    if score == "max_logit":
        return np.asarray(logits.max(axis=-1), np.float64)
    if score == "energy":
        wide = logits.astype(np.float64)
        peak = wide.max(axis=-1)
        return np.asarray(peak + np.log(np.exp(wide - peak[..., None]).sum(axis=-1)))
    if score == "max_probability":
        return np.asarray(probabilities(logits).max(axis=-1))
    raise ValueError(f"score must be one of {', '.join(REJECT_SCORES)}, got {score!r}")


def fit_reject_rule(logits: Floats, score: str, keep: float) -> float:
    """Return the threshold that keeps at least the share ``keep`` of these pictures of known labels.

    Args:
        logits: (N, K) of pictures that all show a known label; N at least 1.
        score: see ``confidence_score``.
        keep: share in 0..1.
    """
    if not len(logits) or not 0 <= keep <= 1:
        raise ValueError(f"expected at least one picture and keep in 0..1, got {len(logits)} pictures and keep {keep}")
    scores = np.sort(confidence_score(logits, score))
    return float(scores[min(len(scores) - 1, int(np.floor((1 - keep) * len(scores))))])


def is_named(logits: Floats, output: OutputSpec, score: str, threshold: float) -> npt.NDArray[np.bool_]:
    """Return whether each picture gets a label as its answer: (N, K) logits to (N,).

    Args:
        logits: in the order of ``output.labels``.
        output: which labels are never an answer; its reject rule is not read.
        score: see ``confidence_score``.
        threshold: the picture is unknown below it.
    """
    known = np.isin(logits.argmax(axis=-1), output.known_ids)
    return np.asarray(known & (confidence_score(logits, score) >= threshold))


def decide(logits: Floats, output: OutputSpec, top_count: int = 3, background: int | None = None) -> Decision:
    """Turn the logits of one picture into an answer.

    Args:
        logits: (K,), finite, in the order of ``output.labels``.
        output: labels, temperature and reject rule.
        top_count: how many candidates to list, at least 1.
        background: class that means "nothing there"; its answer is "unknown".

    Returns:
        The best label, unless it is one of ``output.blank_labels`` (blank), one of ``output.unknown_labels``, or
        rejected by the rule (unknown).
    """
    if top_count < 1 or logits.shape != (len(output.labels),) or not np.isfinite(logits).all():
        raise ValueError(f"expected {len(output.labels)} finite logits and top_count of 1 or more, got {logits.shape}")
    shares = probabilities(logits, output.temperature)
    order = np.argsort(-shares, kind="stable")[:top_count]
    top = tuple(Candidate(output.labels[class_id], float(shares[class_id])) for class_id in order)
    best = top[0].label
    blank = best in output.blank_labels
    silent = blank or int(order[0]) == background or best in output.unknown_labels
    rejection = None if silent else _reject(logits, output.reject)
    return Decision(None if silent or rejection else best, top[0].probability, top, blank, rejection)


def _reject(logits: Floats, rule: RejectRule | None) -> Rejection | None:
    if rule is None:
        return None
    value = float(confidence_score(logits, rule.score))
    return Rejection(rule.score, value, rule.threshold) if value < rule.threshold else None
