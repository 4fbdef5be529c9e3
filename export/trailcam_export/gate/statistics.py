"""Drift statistics: a file against the model that it was made from, on the same images. Pure functions of logits.

All counts are paired: each image was answered by both. ``gate`` evaluates them, ``docs/drift.md`` explains them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trailcam_core.inference.decision import is_named, probabilities
from trailcam_core.spec import Drift, Gate, Metrics, OutputSpec
from trailcam_core.statistics.calibration_error import calibration_error
from trailcam_core.statistics.paired import bootstrap_delta, mcnemar_exact
from trailcam_core.statistics.wilson import wilson_interval
from trailcam_export.gate.paired_proportions import PairedProportion, pair_outcomes
from trailcam_export.inference.batches import Logits

ClassIds = npt.NDArray[np.intp]  # (N,)
Floats = npt.NDArray[np.float64]

_NO_ANSWER = -1  # of an image with NaN or infinity: never right, never equal
# Of the sum of a row of probabilities: an 8-bit output rounds each of K by up to 1/512.
_SUM_TOLERANCE = 0.02


@dataclass(frozen=True)
class Score:
    """Top-1 of ``n`` pictures with its 95 % interval, and the recall of each label, None where none of it was shown."""

    n: int
    top1: float
    top1_low: float
    top1_high: float
    recall: tuple[float | None, ...]

    def as_metrics(self) -> Metrics | None:
        """Return the metrics of the manifest; None if a label does not occur, which the manifest cannot express."""
        known = tuple(recall for recall in self.recall if recall is not None)
        if len(known) < len(self.recall):
            return None
        return Metrics(self.n, self.top1, self.top1_low, self.top1_high, known)


@dataclass(frozen=True)
class ModelOutputs:
    """The outputs of one model: (N, K) logits, its temperature and reject rule, (M, K) logits of OOD images."""

    logits: Logits
    output: OutputSpec
    ood_logits: Logits | None = None


@dataclass(frozen=True, eq=False)
class DriftStatistics:
    """The distance of a variant from its reference, on ``n`` images.

    right: whether each model's answer is the true label; reference first.
    mcnemar_p: probability of a difference at least this large between models of equal accuracy.
    bootstrap_low, bootstrap_high: 95 % percentile interval of the delta of ``right``.
    agreeing: pictures with the same answer, right or wrong.
    recall: ``right`` of the pictures of each label.
    unknown, unknown_ood: whether each model's reject rule rejects an image, of known labels and out of distribution.
    ece_reference, ece_variant: expected calibration error with each model's own temperature, 0..1.
    kl: (N,) divergence of the variant's probabilities from the reference's in nats. Both are at the reference's
        temperature: the change of the numbers before a new temperature compensates for it.
    confidence_shift: (N,) confidence of the variant minus that of the reference, each as it ships.
    confusion: (K, K) pictures; rows: answer of the reference, columns: answer of the variant.
    finite: pictures for which the variant gives finite numbers only.
    gives_probabilities: the variant's outputs are probabilities that add up to 1 instead of logits.
    """

    n: int
    reference: Score
    variant: Score
    right: PairedProportion
    mcnemar_p: float
    bootstrap_low: float
    bootstrap_high: float
    agreeing: int
    recall: tuple[PairedProportion, ...]
    unknown: PairedProportion | None
    unknown_ood: PairedProportion | None
    ece_reference: float
    ece_variant: float
    kl: Floats
    confidence_shift: Floats
    confusion: npt.NDArray[np.int64]
    finite: int
    gives_probabilities: bool

    @property
    def agreement(self) -> float:
        """Fraction of images with the same answer."""
        return self.agreeing / self.n

    def as_drift(self, gate: Gate) -> Drift:
        """Return the drift entry of the manifest."""
        return Drift(self.n, self.right.delta, self.agreement, gate)


def score(logits: Logits, class_ids: ClassIds) -> Score:
    """Return the score of (N, K) logits against (N,) true classes; N at least 1."""
    right = _answers(logits) == class_ids
    hits, n = int(right.sum()), len(class_ids)
    recall = [
        float(right[class_ids == class_id].mean()) if (class_ids == class_id).any() else None
        for class_id in range(logits.shape[1])
    ]
    return Score(n, hits / n, *wilson_interval(hits, n), tuple(recall))


def measure_drift(
    reference: ModelOutputs, variant: ModelOutputs, class_ids: ClassIds, seed: int = 0
) -> DriftStatistics:
    """Compare two models' answers to the same pictures.

    Args:
        reference: the float model; its logits are finite.
        variant: the file.
        class_ids: (N,) true classes in 0..K-1, N at least 1.
        seed: of the bootstrap.

    Raises:
        ValueError: shapes that do not fit, or no picture.
    """
    shape = reference.logits.shape
    if variant.logits.shape != shape or class_ids.shape != shape[:1] or not len(class_ids):
        raise ValueError(
            f"expected logits (N, K) of both and (N,) class_ids, N at least 1, got {shape}, {variant.logits.shape} "
            f"and {class_ids.shape}"
        )
    first, second = _answers(reference.logits), _answers(variant.logits)
    first_right, second_right = first == class_ids, second == class_ids
    right = pair_outcomes(first_right, second_right)
    low, high = bootstrap_delta(first_right, second_right, seed)
    answered = second != _NO_ANSWER
    confusion = np.zeros((shape[1], shape[1]), np.int64)
    np.add.at(confusion, (first[answered], second[answered]), 1)
    ours, theirs = _confidence(reference), _confidence(variant)
    return DriftStatistics(
        n=len(class_ids),
        reference=score(reference.logits, class_ids),
        variant=score(variant.logits, class_ids),
        right=right,
        mcnemar_p=mcnemar_exact(right.only_first, right.only_second),
        bootstrap_low=low,
        bootstrap_high=high,
        agreeing=int((first == second).sum()),
        recall=tuple(
            pair_outcomes(first_right[class_ids == class_id], second_right[class_ids == class_id])
            for class_id in range(shape[1])
        ),
        unknown=_unknown(reference, variant, *_of_known(reference, variant, class_ids)),
        unknown_ood=_unknown(reference, variant, reference.ood_logits, variant.ood_logits),
        ece_reference=calibration_error(ours, first_right),
        ece_variant=calibration_error(theirs, second_right),
        kl=divergence(reference.logits, variant.logits, reference.output.temperature),
        confidence_shift=theirs - ours,
        confusion=confusion,
        finite=int(answered.sum()),
        gives_probabilities=_are_probabilities(variant.logits) and not _are_probabilities(reference.logits),
    )


def divergence(reference: Logits, variant: Logits, temperature: float = 1.0) -> Floats:
    """Return the KL divergence of each picture's probabilities in nats, at least 0: (N,).

    Args:
        reference: (N, K) finite logits.
        variant: (N, K) logits; a row that is not finite counts as uniform.
        temperature: of both.
    """
    first = probabilities(reference, temperature)
    scaled = _finite(variant).astype(np.float64) / temperature
    scaled -= scaled.max(axis=1, keepdims=True)
    log_second = scaled - np.log(np.exp(scaled).sum(axis=1, keepdims=True))
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(first > 0, first * (np.log(first) - log_second), 0.0)
    return np.asarray(np.maximum(0.0, terms.sum(axis=1)))  # rounding must not make a distance negative


def to_class_ids(labels: Sequence[str], shown: Sequence[str]) -> ClassIds:
    """Return the (N,) class ids of N names."""
    numbers = {label: number for number, label in enumerate(labels)}
    return np.array([numbers[label] for label in shown], np.intp)


def _answers(logits: Logits) -> ClassIds:
    return np.where(_finite_rows(logits), _finite(logits).argmax(axis=1), _NO_ANSWER)


def _finite(logits: Logits) -> Logits:
    """Return the logits with a uniform row in place of one that is not finite."""
    return np.where(_finite_rows(logits)[:, None], logits, np.float32(0))


def _finite_rows(logits: Logits) -> npt.NDArray[np.bool_]:
    return np.asarray(np.isfinite(logits).all(axis=1))


def _confidence(answers: ModelOutputs) -> Floats:
    return np.asarray(probabilities(_finite(answers.logits), answers.output.temperature).max(axis=1))


def _unknown(
    reference: ModelOutputs, variant: ModelOutputs, first: Logits | None, second: Logits | None
) -> PairedProportion | None:
    ours, theirs = reference.output.reject, variant.output.reject
    if first is None or second is None or ours is None or theirs is None:
        return None
    rejected = ~_finite_rows(second) | ~is_named(_finite(second), variant.output, theirs.score, theirs.threshold)
    return pair_outcomes(~is_named(first, reference.output, ours.score, ours.threshold), rejected)


def _of_known(
    reference: ModelOutputs, variant: ModelOutputs, class_ids: ClassIds
) -> tuple[Logits, Logits] | tuple[None, None]:
    """Return the logits of pictures whose label can be an answer: "nothing" turned away is no animal lost."""
    known = np.isin(class_ids, reference.output.known_ids)
    return (reference.logits[known], variant.logits[known]) if known.any() else (None, None)


def _are_probabilities(logits: Logits) -> bool:
    tolerance = _SUM_TOLERANCE + logits.shape[1] / 512
    with np.errstate(invalid="ignore"):
        in_range = logits.min() >= -1e-6 and logits.max() <= 1 + 1e-6
        return bool(in_range and np.abs(logits.sum(axis=1) - 1).max() <= tolerance)
