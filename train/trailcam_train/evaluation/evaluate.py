"""Compute the content of ``metrics.json``; each figure has the number of pictures behind it.

Validation pictures choose the temperature, the reject score and its threshold; test pictures are for evaluation only.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt

from trailcam_core.inference.decision import probabilities
from trailcam_core.inference.temperature import fit_temperature, negative_log_likelihood
from trailcam_core.spec import OutputSpec
from trailcam_core.statistics.calibration_error import calibration_error, reliability_bins
from trailcam_core.statistics.wilson import wilson_interval
from trailcam_train.evaluation.bootstrap import calibration_error_interval, macro_f1_interval
from trailcam_train.evaluation.ood import OodLogits, SplitLogits, ood_metrics, reject_metrics


def compute_metrics(
    output: OutputSpec, validation: SplitLogits, test: SplitLogits, ood: OodLogits | None = None
) -> dict[str, Any]:
    """Return the content of ``metrics.json``: plain numbers, texts, lists and tables.

    Args:
        output: labels, and which of them are never an answer; temperature and reject rule are not read.
        validation: chooses the temperature and the reject rule.
        test: for evaluation only.
        ood: out-of-distribution images, if there are any.
    """
    labels = output.labels
    temperature = fit_temperature(validation.logits, validation.class_ids)
    metrics: dict[str, Any] = {
        "temperature": temperature,
        "reject": reject_metrics(output, validation, test, ood),
        "validation": _split_metrics(labels, validation, temperature),
        "test": _split_metrics(labels, test, temperature),
    }
    if ood is not None:
        metrics["others"] = ood_metrics(output, metrics["reject"], validation, test, ood)
    return metrics


def _split_metrics(labels: Sequence[str], answers: SplitLogits, temperature: float) -> dict[str, Any]:
    n, right = len(answers.class_ids), int(answers.right.sum())
    low, high = wilson_interval(right, n)
    confusion = np.zeros((len(labels), len(labels)), int)  # rows: what it is; columns: what was answered
    np.add.at(confusion, (answers.class_ids, answers.logits.argmax(axis=1)), 1)
    per_class = {label: _class_metrics(confusion, number) for number, label in enumerate(labels)}
    order = np.argsort(-answers.logits, axis=1)[:, :5]
    among_five = int((order == answers.class_ids[:, None]).any(axis=1).sum())
    top5_low, top5_high = wilson_interval(among_five, n)
    macro_f1_low, macro_f1_high = macro_f1_interval(confusion)
    return {
        "n": n,
        "top1": right / n,
        "top1_low": low,
        "top1_high": high,
        "top5": among_five / n,
        "top5_low": top5_low,
        "top5_high": top5_high,
        "macro_f1": float(np.mean([row["f1"] for row in per_class.values() if row["n"]])),
        "macro_f1_low": macro_f1_low,
        "macro_f1_high": macro_f1_high,
        "cross_entropy": negative_log_likelihood(answers.logits, answers.class_ids, temperature),
        "recall": {label: row["recall"] for label, row in per_class.items()},
        "per_class": per_class,
        "confusion": confusion.tolist(),
        **_confidence_metrics(answers, 1.0, "before"),
        **_confidence_metrics(answers, temperature, "after"),
    }


def _confidence_metrics(answers: SplitLogits, temperature: float, when: str) -> dict[str, Any]:
    """Return calibration error and bins; ``when`` is before or after temperature scaling."""
    confidence = probabilities(answers.logits, temperature).max(axis=1)
    low, high = calibration_error_interval(confidence, answers.right)
    return {
        f"ece_{when}": calibration_error(confidence, answers.right),
        f"ece_{when}_low": low,
        f"ece_{when}_high": high,
        f"reliability_{when}": [asdict(item) for item in reliability_bins(confidence, answers.right)],
    }


def _class_metrics(confusion: npt.NDArray[np.integer[Any]], number: int) -> dict[str, Any]:
    hits, n = int(confusion[number, number]), int(confusion[number].sum())
    answered = int(confusion[:, number].sum())
    recall = hits / n if n else 0.0
    recall_low, recall_high = wilson_interval(hits, n)
    precision_low, precision_high = wilson_interval(hits, answered) if answered else (None, None)
    return {
        "n": n,
        "recall": recall,
        "recall_low": recall_low,
        "recall_high": recall_high,
        "answered": answered,
        "precision": hits / answered if answered else None,  # a class that is never answered has none
        "precision_low": precision_low,
        "precision_high": precision_high,
        "f1": 2 * hits / (n + answered) if n + answered else 0.0,
    }
