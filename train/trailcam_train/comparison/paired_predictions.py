"""Pair the predictions of two runs by sha256 and test whether their accuracies differ."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trailcam_core.statistics.paired import bootstrap_delta, mcnemar_exact
from trailcam_train.evaluation.predictions import Prediction

Flags = npt.NDArray[np.bool_]

_SEED = 0


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class ClassDelta:
    """Recall of one class on its ``n`` common pictures; ``delta`` is the second minus the first."""

    label: str
    n: int
    first: float
    second: float
    delta: Estimate


@dataclass(frozen=True)
class PairedResult:
    """Both runs on their ``n`` common test pictures, copies of a picture counted once.

    ``delta`` is the accuracy of the second minus the first; ``relabelled`` pictures have another label in the other run
    and are excluded.
    """

    n: int
    both: int
    only_first: int
    only_second: int
    neither: int
    delta: Estimate
    p_value: float
    classes: tuple[ClassDelta, ...]
    relabelled: int = 0


def pair_predictions(first: Sequence[Prediction], second: Sequence[Prediction]) -> PairedResult:
    """Pair the answers of two runs by sha256 and test whether their accuracies differ."""
    ours, theirs = _by_digest(first), _by_digest(second)
    shared = sorted(set(ours) & set(theirs))
    common = [digest for digest in shared if ours[digest].row.label == theirs[digest].row.label]
    first_right = np.array([ours[digest].right for digest in common], bool)
    second_right = np.array([theirs[digest].right for digest in common], bool)
    labels = np.array([ours[digest].row.label for digest in common], object)
    only_first, only_second = int((first_right & ~second_right).sum()), int((second_right & ~first_right).sum())
    classes = []
    for label in sorted(set(labels)):
        inside = labels == label
        recalls = float(first_right[inside].mean()), float(second_right[inside].mean())
        delta = _delta(first_right[inside], second_right[inside])
        classes.append(ClassDelta(label, int(inside.sum()), *recalls, delta))
    return PairedResult(
        n=len(common),
        both=int((first_right & second_right).sum()),
        only_first=only_first,
        only_second=only_second,
        neither=int((~first_right & ~second_right).sum()),
        delta=_delta(first_right, second_right),
        p_value=mcnemar_exact(only_first, only_second),
        classes=tuple(classes),
        relabelled=len(shared) - len(common),
    )


def _delta(first_right: Flags, second_right: Flags) -> Estimate:
    value = float(second_right.mean() - first_right.mean()) if len(first_right) else 0.0
    return Estimate(value, *bootstrap_delta(first_right, second_right, _SEED))


def _by_digest(answers: Sequence[Prediction]) -> dict[str, Prediction]:
    """Return one prediction per picture; a picture with two labels in a run is excluded."""
    found: dict[str, Prediction] = {}
    torn = set()
    for answer in answers:
        digest = answer.row.sha256
        if found.setdefault(digest, answer).row.label != answer.row.label:
            torn.add(digest)
    return {digest: answer for digest, answer in found.items() if digest not in torn}
