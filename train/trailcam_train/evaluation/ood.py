"""Out-of-distribution images: run a model on them, choose the reject rule, and evaluate it."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from trailcam_core.datasets.out_of_distribution import EVALUATION_HALF, TUNING_HALF, list_ood_images
from trailcam_core.errors import DataError, SourceError
from trailcam_core.images.decode import read_image
from trailcam_core.images.resize import fit_image
from trailcam_core.inference.decision import confidence_score, fit_reject_rule, is_named
from trailcam_core.jobs.progress import Progress, silent
from trailcam_core.spec import REJECT_SCORES, InputSpec, OutputSpec
from trailcam_core.statistics.wilson import wilson_interval
from trailcam_train.fitting.gather import gather_rows, local_share

Floats = npt.NDArray[np.floating[Any]]

KNOWN_ACCEPT_RATE = 0.95  # of pictures of known labels, which sets the threshold of the reject rule
_DEFAULT_SCORE = "max_logit"  # Source: Hendrycks et al., ICML 2022: the better simple score on many classes
_BATCH = 32


@dataclass(frozen=True)
class SplitLogits:
    """A model's (N, K) logits for the N pictures of a split, and their class ids, (N,)."""

    logits: Floats
    class_ids: npt.NDArray[np.int32]

    @property
    def right(self) -> npt.NDArray[np.bool_]:
        """Whether each answer is correct, (N,)."""
        return np.asarray(self.logits.argmax(axis=1) == self.class_ids)

    def of(self, class_ids: Sequence[int]) -> "SplitLogits":
        """Return the pictures of these classes alone."""
        chosen = np.isin(self.class_ids, class_ids)
        return SplitLogits(self.logits[chosen], self.class_ids[chosen])


@dataclass(frozen=True)
class OodLogits:
    """Logits, (M, K), of out-of-distribution images by group: the tuning half and the evaluation half."""

    tuning: dict[str, Floats]
    evaluation: dict[str, Floats]


def check_ood_images(root: Path, spec: InputSpec) -> None:
    """Refuse a folder that ``predict_ood_images`` cannot use, before a training.

    Raises:
        DataError: no such folder, or no two readable pictures in any group.
    """
    for members in list_ood_images(root).values():
        readable = (path for path in members if _try_fit(path, spec) is not None)
        if len(list(islice(readable, 2))) == 2:
            return
    raise _too_few(root)


def predict_ood_images(model: keras.Model, root: Path, spec: InputSpec, progress: Progress = silent) -> OodLogits:
    """Run ``model`` on a folder of out-of-distribution images.

    ``trailcam_core.datasets.out_of_distribution`` defines the groups and halves.

    Raises:
        DataError: no such folder, or fewer than two pictures that can be read.
    """
    groups = list_ood_images(root)
    total = sum(map(len, groups.values()))
    tuning: dict[str, Floats] = {}
    evaluation: dict[str, Floats] = {}
    done = 0
    for group, members in groups.items():
        logits = []
        for start in range(0, len(members), _BATCH):
            batch = members[start : start + _BATCH]
            logits.append(_answer(model, batch, spec))
            done += len(batch)
            progress("reading others", done, total)
        found = np.concatenate(logits) if logits else np.zeros((0, 1), np.float32)
        if len(found) >= 2:
            tuning[group], evaluation[group] = found[TUNING_HALF], found[EVALUATION_HALF]
    if not tuning:
        raise _too_few(root)
    return OodLogits(tuning, evaluation)


def _answer(model: keras.Model, batch: Sequence[Path], spec: InputSpec) -> Floats:
    """Return the logits of the readable pictures of a batch, (n, K); each of several hosts reads its part."""
    share = local_share()
    part = batch[share.within(0, len(batch))]
    images = [_try_fit(path, spec) for path in part]
    readable = np.array([image is not None for image in images], bool)
    logits = np.zeros((len(part), model.output_shape[-1]), np.float32)
    if readable.any():
        logits[readable] = model.predict_on_batch(np.stack([image for image in images if image is not None]))
    kept = gather_rows(readable, len(batch), share)
    return np.asarray(gather_rows(logits, len(batch), share)[kept])


def _too_few(root: Path) -> DataError:
    return DataError(f"{root}: no two readable pictures of others in any folder, expected at least two.")


def reject_metrics(
    output: OutputSpec, validation: SplitLogits, test: SplitLogits, ood: OodLogits | None
) -> dict[str, Any]:
    """Choose the score on the tuning half, the threshold on validation; measure both on the evaluation data.

    Pictures of labels that are never an answer are no animals. Those of test count as others; those of validation
    choose the score where there are no ``ood`` images. Neither sets the threshold.
    """
    known, tested = validation.of(output.known_ids), test.of(output.known_ids)
    score = _DEFAULT_SCORE
    if ood is not None:
        tuning = np.concatenate(list(ood.tuning.values()))
        score = max(REJECT_SCORES, key=lambda name: _auroc_of(name, known.logits, tuning))
    elif len(rest := validation.logits[~np.isin(validation.class_ids, output.known_ids)]):
        score = max(REJECT_SCORES, key=lambda name: _rejected_by(name, output, known.logits, rest))
    threshold = fit_reject_rule(known.logits, score, KNOWN_ACCEPT_RATE)
    negatives = test.logits[~np.isin(test.class_ids, output.known_ids)]
    strange = np.concatenate([negatives, *(ood.evaluation.values() if ood is not None else ())])
    kept = int(is_named(tested.logits, output, score, threshold).sum())
    low, high = wilson_interval(kept, len(tested.class_ids))
    return {
        "score": score,
        "threshold": threshold,
        "animals_kept": kept / len(tested.class_ids),
        "animals_kept_low": low,
        "animals_kept_high": high,
        "n_animals": len(tested.class_ids),
        "others_rejected": float((~is_named(strange, output, score, threshold)).mean()) if len(strange) else None,
        "n_others": len(strange),
    }


def ood_metrics(
    output: OutputSpec, rule: dict[str, Any], validation: SplitLogits, test: SplitLogits, ood: OodLogits
) -> dict[str, Any]:
    """Return the rejected fraction and the AUROC of each group, and the AUROC that chose the score."""
    known, tested = validation.of(output.known_ids), test.of(output.known_ids)
    tuning = np.concatenate(list(ood.tuning.values()))
    # The threshold comes from validation and keeps more or fewer test pictures; runs are compared where all keep alike.
    at_keep = fit_reject_rule(tested.logits, rule["score"], KNOWN_ACCEPT_RATE)
    groups = {}
    for group, logits in ood.evaluation.items():
        groups[group] = {
            "n": len(logits),
            **_share("rejected", ~is_named(logits, output, rule["score"], rule["threshold"])),
            **_share("rejected_at_keep", ~is_named(logits, output, rule["score"], at_keep)),
            "auroc": _auroc_of(rule["score"], tested.logits, logits),
        }
    return {
        "choice": {name: _auroc_of(name, known.logits, tuning) for name in REJECT_SCORES},
        "n_choice": len(tuning),
        "groups": groups,
    }


def _share(name: str, hits: npt.NDArray[np.bool_]) -> dict[str, float]:
    low, high = wilson_interval(int(hits.sum()), len(hits))
    return {name: float(hits.mean()), f"{name}_low": low, f"{name}_high": high}


def _rejected_by(score: str, output: OutputSpec, known: Floats, others: Floats) -> float:
    """Return the fraction of ``others`` without a name, where the score keeps most of ``known``."""
    threshold = fit_reject_rule(known, score, KNOWN_ACCEPT_RATE)
    return float((~is_named(others, output, score, threshold)).mean())


def _auroc_of(score: str, familiar: Floats, ood: Floats) -> float:
    return auroc(confidence_score(familiar, score), confidence_score(ood, score))


def _try_fit(path: Path, spec: InputSpec) -> npt.NDArray[np.uint8] | None:
    try:
        return fit_image(read_image(path, spec), spec)
    except SourceError:
        return None  # a broken image costs one example, not the run; the counts are reported


def auroc(familiar: Floats, ood: Floats) -> float:
    """Return the probability that a familiar picture scores above a strange one, ties half: 0.5 is chance.

    Args:
        familiar: (N,) scores of pictures of known labels, N at least 1.
        ood: (M,) scores of out-of-distribution images, M at least 1.
    """
    ordered = np.sort(ood)
    below = np.searchsorted(ordered, familiar, side="left")
    not_above = np.searchsorted(ordered, familiar, side="right")
    return float((below + not_above).sum() / 2 / (len(familiar) * len(ood)))
