"""Temperature and reject rule of the very file that ships, because quantisation moves its logits.

Validation pictures set both numbers; the stated shares are measured on test pictures and on others, which did not.
"""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from trailcam_core.datasets.out_of_distribution import REPORT_HALF, group_others
from trailcam_core.datasets.run_directory import Run
from trailcam_core.errors import DataError, ExportError, SourceError
from trailcam_core.images.decode import read_image
from trailcam_core.inference.decision import fit_reject_rule, is_named, reject_score
from trailcam_core.inference.temperature import fit_temperature
from trailcam_core.progress import Progress, silent
from trailcam_core.spec import REJECT_SCORES, InputSpec, OutputSpec, RejectRule
from trailcam_export.gate.statistics import ClassIds
from trailcam_export.inference.batches import Logits

__all__ = ["KEEP", "choose_score", "find_others", "fit_output"]

KEEP = 0.95  # share of pictures of known labels that keep their answer
_DEFAULT_SCORE = "max_logit"


def choose_score(run: Run) -> str:
    """Return the reject score that training chose, ``max_logit`` where it chose none.

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
    others: Logits | None,
) -> OutputSpec:
    """Fit both numbers and measure what they do.

    Args:
        draft: K labels, and which of them mean nothing there or an animal that is none of the others.
        score: see ``trailcam_core.inference.decision.reject_score``.
        validation: (N, K) logits and (N,) true classes that set the numbers.
        test: (M, K) logits and (M,) true classes that measure them.
        others: (L, K) logits of pictures of none of the labels, where there are any. Test pictures of nothing and of
            other animals count among them.

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
    threshold = fit_reject_rule(logits[np.isin(class_ids, output.known_ids)], score, KEEP)
    known = np.isin(test[1], output.known_ids)
    strange = [test[0][~known], *([] if others is None else [others])]
    named = is_named(np.concatenate(strange), output, score, threshold)
    rule = RejectRule(
        score=score,
        threshold=threshold,
        animals_kept=float(is_named(test[0][known], output, score, threshold).mean()),
        n_animals=int(known.sum()),
        others_rejected=float((~named).mean()) if len(named) else None,
        n_others=len(named),
    )
    return replace(output, reject=rule)


def find_others(
    root: Path, spec: InputSpec, progress: Progress = silent, learned: frozenset[str] = frozenset()
) -> tuple[list[Path], int]:
    """List the pictures of none of the labels that may be measured on, and how many files do not decode.

    Args:
        root: folder of others; training chooses the reject score on one half of it, these are of the other.
        spec: the model's input.
        progress: told of each picture.
        learned: digests of others that were shown in training; they are left out wherever they lie now.

    Raises:
        ExportError: no such folder, or no picture in it.
    """
    try:
        groups = group_others(root)
    except DataError as error:
        raise ExportError(str(error)) from error
    total = sum(map(len, groups.values()))
    chosen: list[Path] = []
    unreadable = done = 0
    for members in groups.values():
        readable = []
        for path in members:
            done += 1
            try:
                read_image(path, spec)
            except SourceError:
                unreadable += 1
            else:
                readable.append(path)
            progress("looking at others", done, total)
        chosen += readable[REPORT_HALF]
    if learned:
        chosen = [path for path in chosen if hashlib.sha256(path.read_bytes()).hexdigest() not in learned]
    if not chosen:
        raise ExportError(
            f"{root}: no two readable pictures in a folder of it. --others names pictures of none of the labels, other "
            "ones than those shown in training."
        )
    return sorted(chosen), unreadable
