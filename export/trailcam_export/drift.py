"""What quantisation cost: a file against the model it was made from, on the same pictures, and if that is too much.

Pure functions of logits. The gate is the first, thin one:

    fail          top-1 falls by more than 1.0 point, or fewer than 98 % of the answers are the same, on 200 pictures
                  or more; on fewer only if even the upper end of the 95 % interval of the agreement is below 98 %
    inconclusive  no fail, but fewer than 200 pictures: too few to tell 98 % from 95 %
    pass          otherwise
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
import numpy.typing as npt

from trailcam_edge.intervals import wilson_interval
from trailcam_edge.manifest import Drift, Metrics
from trailcam_export.pictures import Logits

__all__ = [
    "MIN_AGREEMENT",
    "MIN_PICTURES",
    "MIN_TOP1_DELTA",
    "Score",
    "Verdict",
    "compare",
    "judge",
    "score",
    "to_class_ids",
]

ClassIds = npt.NDArray[np.intp]  # (N,)

# A well-made int8 image classifier passes: MLPerf Mobile asks for 98 % of the float top-1, and the TensorFlow Lite
# guide reports losses of up to one point for MobileNet and Inception. At n = 200 and 98 % agreement the 95 % interval
# still reaches down to 95 %; with fewer pictures a pass would say nothing.
MIN_TOP1_DELTA = -0.010
MIN_AGREEMENT = 0.98
MIN_PICTURES = 200


class Verdict(Enum):
    """What the gate says."""

    PASS = "pass"  # noqa: S105
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True)
class Score:
    """Top-1 of ``n`` pictures with its 95 % interval, and the recall of each label, None where none of it was shown."""

    n: int
    top1: float
    top1_low: float
    top1_high: float
    recall: tuple[float | None, ...]

    def as_metrics(self) -> Metrics | None:
        """Return what the manifest says; None when a label was never shown, for which it has no words."""
        known = tuple(share for share in self.recall if share is not None)
        if len(known) < len(self.recall):
            return None
        return Metrics(self.n, self.top1, self.top1_low, self.top1_high, known)


def score(logits: Logits, class_ids: ClassIds) -> Score:
    """Return the score of (N, K) logits against (N,) true classes; N at least 1."""
    right = logits.argmax(axis=1) == class_ids
    hits, n = int(right.sum()), len(class_ids)
    recall = [
        float(right[class_ids == class_id].mean()) if (class_ids == class_id).any() else None
        for class_id in range(logits.shape[1])
    ]
    return Score(n, hits / n, *wilson_interval(hits, n), tuple(recall))


def compare(reference: Logits, variant: Logits, class_ids: ClassIds) -> Drift:
    """Return how far a variant's answers are from the reference's: (N, K) logits, (N,) true classes, N at least 1."""
    first, second = reference.argmax(axis=1), variant.argmax(axis=1)
    delta = int((second == class_ids).sum()) - int((first == class_ids).sum())
    return Drift(len(class_ids), delta / len(class_ids), float((first == second).mean()))


def judge(drift: Drift) -> tuple[Verdict, str]:
    """Return the verdict on a quantised file and its reason."""
    agreeing = round(drift.top1_agreement * drift.n)
    _, best_agreement = wilson_interval(agreeing, drift.n)
    enough = drift.n >= MIN_PICTURES
    faults = []
    if (enough and drift.top1_agreement < MIN_AGREEMENT) or best_agreement < MIN_AGREEMENT:
        faults.append(f"agreement {drift.top1_agreement:.1%} is below {MIN_AGREEMENT:.0%}")
    if enough and drift.top1_delta < MIN_TOP1_DELTA:
        faults.append(f"top-1 changed by {_points(drift.top1_delta)}, more than {_points(MIN_TOP1_DELTA)}")
    if faults:
        return Verdict.FAIL, " and ".join(faults)
    if not enough:
        return Verdict.INCONCLUSIVE, f"{drift.n} test pictures; {MIN_PICTURES} or more would decide"
    return Verdict.PASS, f"agreement of {MIN_AGREEMENT:.0%} or more, top-1 no worse than {_points(MIN_TOP1_DELTA)}"


def _points(share: float) -> str:
    return f"{share * 100:+.1f} points"


def to_class_ids(labels: Sequence[str], shown: Sequence[str]) -> ClassIds:
    """Return the (N,) class numbers of N names."""
    numbers = {label: number for number, label in enumerate(labels)}
    return np.array([numbers[label] for label in shown], np.intp)
