"""What a finished model is worth: every figure of ``metrics.json``, each with the number of pictures behind it.

Validation pictures choose the temperature, the reject score and its threshold; test pictures only report.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from trailcam_core.datasets.out_of_distribution import FIT_HALF, REPORT_HALF, group_others
from trailcam_core.errors import DataError, SourceError
from trailcam_core.images.decode import read_image
from trailcam_core.images.resize import fit_image
from trailcam_core.inference.decision import fit_reject_rule, probabilities, reject_score
from trailcam_core.inference.temperature import fit_temperature, negative_log_likelihood
from trailcam_core.progress import Progress, silent
from trailcam_core.spec import REJECT_SCORES, InputSpec
from trailcam_core.statistics.wilson import wilson_interval
from trailcam_train.evaluation.bootstrap import calibration_error_interval, macro_f1_interval
from trailcam_train.evaluation.calibration_error import auroc, calibration_error, reliability_bins

__all__ = ["KEEP", "Answers", "Others", "check_others", "judge", "read_others"]

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.int32]

KEEP = 0.95  # share of pictures of known labels that the reject rule keeps
_DEFAULT_SCORE = "max_logit"  # Source: Hendrycks et al., ICML 2022: the better simple score on many classes
_BATCH = 32


@dataclass(frozen=True)
class Answers:
    """A model's (N, K) logits for the N pictures of a split, and their class ids, (N,)."""

    logits: Floats
    class_ids: Ints

    @property
    def right(self) -> npt.NDArray[np.bool_]:
        """Whether each picture got its label, (N,)."""
        return np.asarray(self.logits.argmax(axis=1) == self.class_ids)


@dataclass(frozen=True)
class Others:
    """Logits, (M, K), of pictures of none of the labels, by group: one half to choose a score, the other to report."""

    fit: dict[str, Floats]
    report: dict[str, Floats]


def judge(labels: Sequence[str], validation: Answers, test: Answers, others: Others | None = None) -> dict[str, Any]:
    """Return the content of ``metrics.json``: plain numbers, texts, lists and tables."""
    temperature = fit_temperature(validation.logits, validation.class_ids)
    metrics: dict[str, Any] = {
        "temperature": temperature,
        "reject": _judge_reject(validation, test, others),
        "validation": _judge_split(labels, validation, temperature),
        "test": _judge_split(labels, test, temperature),
    }
    if others is not None:
        metrics["others"] = _judge_others(metrics["reject"], validation, test, others)
    return metrics


def check_others(root: Path, spec: InputSpec) -> None:
    """Refuse, before a training, a folder that ``read_others`` could not use after it.

    Raises:
        DataError: no such folder, or no two readable pictures in any group.
    """
    for members in group_others(root).values():
        readable = (path for path in members if _try_fit(path, spec) is not None)
        if len(list(islice(readable, 2))) == 2:
            return
    raise _too_few(root)


def read_others(model: keras.Model, root: Path, spec: InputSpec, progress: Progress = silent) -> Others:
    """Run ``model`` over a folder of pictures of none of the labels.

    ``trailcam_core.datasets.out_of_distribution`` says what the groups and halves are.

    Raises:
        DataError: no such folder, or fewer than two pictures that can be read.
    """
    groups = group_others(root)
    total = sum(map(len, groups.values()))
    fit: dict[str, Floats] = {}
    report: dict[str, Floats] = {}
    done = 0
    for group, members in groups.items():
        logits = []
        for start in range(0, len(members), _BATCH):
            images = [_try_fit(path, spec) for path in members[start : start + _BATCH]]
            readable = [image for image in images if image is not None]
            done += len(images)
            progress("looking at others", done, total)
            if readable:
                logits.append(np.asarray(model.predict_on_batch(np.stack(readable)), np.float32))
        found = np.concatenate(logits) if logits else np.zeros((0, 1), np.float32)
        if len(found) >= 2:
            fit[group], report[group] = found[FIT_HALF], found[REPORT_HALF]
    if not fit:
        raise _too_few(root)
    return Others(fit, report)


def _too_few(root: Path) -> DataError:
    return DataError(f"{root}: no two readable pictures of others in any folder, expected at least two.")


def _judge_split(labels: Sequence[str], answers: Answers, temperature: float) -> dict[str, Any]:
    n, right = len(answers.class_ids), int(answers.right.sum())
    low, high = wilson_interval(right, n)
    confusion = np.zeros((len(labels), len(labels)), int)  # rows: what it is; columns: what was answered
    np.add.at(confusion, (answers.class_ids, answers.logits.argmax(axis=1)), 1)
    per_class = {label: _judge_class(confusion, number) for number, label in enumerate(labels)}
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
        "macro_f1": float(np.mean([row["f1"] for row in per_class.values()])),
        "macro_f1_low": macro_f1_low,
        "macro_f1_high": macro_f1_high,
        "cross_entropy": negative_log_likelihood(answers.logits, answers.class_ids, temperature),
        "recall": {label: row["recall"] for label, row in per_class.items()},
        "per_class": per_class,
        "confusion": confusion.tolist(),
        **_judge_confidence(answers, 1.0, "before"),
        **_judge_confidence(answers, temperature, "after"),
    }


def _judge_confidence(answers: Answers, temperature: float, when: str) -> dict[str, Any]:
    """Return calibration error and bins; ``when`` says whether that is before or after temperature scaling."""
    confidence = probabilities(answers.logits, temperature).max(axis=1)
    low, high = calibration_error_interval(confidence, answers.right)
    return {
        f"ece_{when}": calibration_error(confidence, answers.right),
        f"ece_{when}_low": low,
        f"ece_{when}_high": high,
        f"reliability_{when}": [asdict(item) for item in reliability_bins(confidence, answers.right)],
    }


def _judge_class(confusion: npt.NDArray[np.integer[Any]], number: int) -> dict[str, Any]:
    hits, n = int(confusion[number, number]), int(confusion[number].sum())
    answered = int(confusion[:, number].sum())
    recall, precision = hits / n if n else 0.0, hits / answered if answered else 0.0
    recall_low, recall_high = wilson_interval(hits, n)
    precision_low, precision_high = wilson_interval(hits, answered)
    return {
        "n": n,
        "recall": recall,
        "recall_low": recall_low,
        "recall_high": recall_high,
        "answered": answered,
        "precision": precision,
        "precision_low": precision_low,
        "precision_high": precision_high,
        "f1": 2 * hits / (n + answered) if n + answered else 0.0,
    }


def _judge_reject(validation: Answers, test: Answers, others: Others | None) -> dict[str, Any]:
    """Choose the score on others (their half to fit), the threshold on validation; measure both on what set neither."""
    score = _DEFAULT_SCORE
    if others is not None:
        strange = np.concatenate(list(others.fit.values()))
        score = max(REJECT_SCORES, key=lambda name: _auroc_of(name, validation.logits, strange))
    threshold = fit_reject_rule(validation.logits, score, KEEP)
    reported = np.concatenate(list(others.report.values())) if others is not None else None
    kept = int((reject_score(test.logits, score) >= threshold).sum())
    low, high = wilson_interval(kept, len(test.class_ids))
    return {
        "score": score,
        "threshold": threshold,
        "animals_kept": kept / len(test.class_ids),
        "animals_kept_low": low,
        "animals_kept_high": high,
        "n_animals": len(test.class_ids),
        "others_rejected": None if reported is None else float((reject_score(reported, score) < threshold).mean()),
        "n_others": 0 if reported is None else len(reported),
    }


def _judge_others(rule: dict[str, Any], validation: Answers, test: Answers, others: Others) -> dict[str, Any]:
    strange = np.concatenate(list(others.fit.values()))
    # The threshold comes from validation and keeps more or fewer test pictures; runs are compared where all keep alike.
    at_keep = fit_reject_rule(test.logits, rule["score"], KEEP)
    groups = {}
    for group, logits in others.report.items():
        scores = reject_score(logits, rule["score"])
        groups[group] = {
            "n": len(logits),
            **_share("rejected", scores < rule["threshold"]),
            **_share("rejected_at_keep", scores < at_keep),
            "auroc": _auroc_of(rule["score"], test.logits, logits),
        }
    return {
        "choice": {name: _auroc_of(name, validation.logits, strange) for name in REJECT_SCORES},
        "n_choice": len(strange),
        "groups": groups,
    }


def _share(name: str, hits: npt.NDArray[np.bool_]) -> dict[str, float]:
    low, high = wilson_interval(int(hits.sum()), len(hits))
    return {name: float(hits.mean()), f"{name}_low": low, f"{name}_high": high}


def _auroc_of(score: str, familiar: Floats, strange: Floats) -> float:
    return auroc(reject_score(familiar, score), reject_score(strange, score))


def _try_fit(path: Path, spec: InputSpec) -> npt.NDArray[np.uint8] | None:
    try:
        return fit_image(read_image(path, spec), spec)
    except SourceError:
        return None  # a broken picture of others costs one example, not the run; the counts are reported
