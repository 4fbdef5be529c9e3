"""Fit temperature and reject rule on the shipped file, because quantisation changes its logits.

Validation images set both numbers; the rates are measured on test and OOD images, which did not.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from trailcam_core.datasets.out_of_distribution import EVALUATION_HALF, find_readable_images
from trailcam_core.datasets.run_directory import Run
from trailcam_core.errors import DataError, ExportError
from trailcam_core.files.digest import file_sha256
from trailcam_core.inference.decision import fit_reject_rule, is_named
from trailcam_core.inference.temperature import fit_temperature
from trailcam_core.jobs.progress import Progress, silent
from trailcam_core.spec import REJECT_SCORES, InputSpec, OutputSpec, RejectRule
from trailcam_export.gate.statistics import ClassIds
from trailcam_export.inference.batches import Logits

KNOWN_ACCEPT_RATE = 0.95  # fraction of images of known labels that keep their answer
_DEFAULT_SCORE = "max_logit"


def choose_score(run: Run) -> str:
    """Return the confidence score that training chose, ``max_logit`` if it chose none.

    Raises:
        ExportError: metrics.json names a score that no device knows.
    """
    rule: Any = run.metrics.get("reject")
    found = rule.get("score", _DEFAULT_SCORE) if isinstance(rule, dict) else _DEFAULT_SCORE
    if found not in REJECT_SCORES:
        raise ExportError(
            f"{run.path / 'metrics.json'}: reject.score is {found!r}, expected one of {', '.join(REJECT_SCORES)}."
        )
    return str(found)


def fit_output(
    draft: OutputSpec,
    score: str,
    validation: tuple[Logits, ClassIds],
    test: tuple[Logits, ClassIds],
    ood: Logits | None,
) -> OutputSpec:
    """Fit both numbers and measure their effect.

    Args:
        draft: K labels, and which of them are never an answer.
        score: see ``trailcam_core.inference.decision.score_name``.
        validation: (N, K) logits and (N,) true classes that set the numbers.
        test: (M, K) logits and (M,) true classes that measure their effect.
        ood: (L, K) logits of out-of-distribution images, if there are any. Test images of labels that are never an
            answer are added to them.

    Raises:
        ExportError: the file gives NaN or infinity for a validation picture.
    """
    logits, class_ids = validation
    broken = int((~np.isfinite(logits).all(axis=1)).sum())
    if broken:
        raise ExportError(
            f"A converted file gives NaN or infinity for {broken:,} of {len(logits):,} validation pictures. A layer "
            "overflows in these numbers: leave this variant out, or train the run again."
        )
    output = replace(draft, temperature=fit_temperature(logits, class_ids), reject=None)
    threshold = fit_reject_rule(logits[np.isin(class_ids, output.known_ids)], score, KNOWN_ACCEPT_RATE)
    known = np.isin(test[1], output.known_ids)
    strange = np.concatenate([test[0][~known], *([] if ood is None else [ood])])
    rejected = ~is_named(strange, output, score, threshold)
    rule = RejectRule(
        score=score,
        threshold=threshold,
        known_accept_rate=float(is_named(test[0][known], output, score, threshold).mean()),
        n_known=int(known.sum()),
        ood_reject_rate=float(rejected.mean()) if len(rejected) else None,
        n_ood=len(rejected),
    )
    return replace(output, reject=rule)


def find_ood_images(
    root: Path, spec: InputSpec, progress: Progress = silent, learned: frozenset[str] = frozenset()
) -> tuple[list[Path], int]:
    """List the out-of-distribution images for evaluation, and the number of files that do not decode.

    Args:
        root: the folder; training chooses the score on its tuning half, these are of the evaluation half.
        spec: the model's input.
        progress: receives each image.
        learned: digests of images that training showed; they are excluded, also under another path.

    Raises:
        ExportError: no such folder, or no picture in it.
    """
    try:
        groups, unreadable = find_readable_images(root, spec, progress)
    except DataError as error:
        raise ExportError(str(error)) from error
    chosen = [path for members in groups.values() for path in members[EVALUATION_HALF]]
    if learned:
        chosen = [path for path in chosen if file_sha256(path) not in learned]
    if not chosen:
        raise ExportError(
            f"{root}: no two readable pictures in a folder of it. --others names out-of-distribution pictures, "
            "other ones than those shown in training."
        )
    return sorted(chosen), unreadable
