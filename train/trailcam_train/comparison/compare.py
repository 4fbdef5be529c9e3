"""Compare two runs, with a paired test on the test pictures that both have answered.

Pictures are identified by their sha256. The test is of all test pictures of both runs that neither was trained on. With
different splits a test picture of one may be a validation picture of the other: it counts, and a warning states it. No
training framework is needed.

A run that took the other up (``trailcam train --from``) holds the answers of the earlier one to the new test pictures.
Then both are compared on each test set apart: the earlier one, which shows what was forgotten, and the new one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trailcam_core.datasets.run_directory import Run
from trailcam_core.errors import TrainError
from trailcam_core.statistics.calibration_error import calibration_error
from trailcam_core.statistics.wilson import wilson_interval
from trailcam_train.comparison.paired_predictions import Estimate, PairedResult, pair_predictions
from trailcam_train.comparison.test_sets import TestSet, compare_test_sets, later_answers, own_answers
from trailcam_train.evaluation.bootstrap import calibration_error_interval, macro_f1_interval
from trailcam_train.evaluation.predictions import Prediction, read_predictions

_TOP = 5
_ORIGIN = ("data", "machine", "backend", "keras", "trailcam", "precision", "teacher")  # what else may explain a delta


@dataclass(frozen=True)
class RunSummary:
    """One run: its cost, and its figures on all of its ``n`` test pictures; None if its files do not state them."""

    name: str
    model_bytes: int
    epochs: int | None
    best_epoch: int | None
    training_s: float | None
    n: int
    top1: Estimate
    top5: Estimate | None
    macro_f1: Estimate
    calibration_error: Estimate


@dataclass(frozen=True)
class Difference:
    """A setting or a fact of provenance that differs; empty if a run does not have it."""

    key: str
    first: str
    second: str


@dataclass(frozen=True)
class Comparison:
    """The comparison; ``warnings`` must be read before the figures.

    ``test_sets`` are those of a run that took the other up, none otherwise; ``new_labels`` are known to it alone.
    """

    first: RunSummary
    second: RunSummary
    differences: tuple[Difference, ...]
    pairing: PairedResult
    warnings: tuple[str, ...]
    test_sets: tuple[TestSet, ...] = ()
    new_labels: tuple[str, ...] = ()


def compare_runs(first: Run, second: Run) -> Comparison:
    """Compare two finished runs.

    Raises:
        TrainError: it is one run twice, each has labels that the other lacks, they share no test picture, one of them
            learned from a test picture they share, or a file of them is missing or damaged.
    """
    if first.path.resolve() == second.path.resolve():
        raise TrainError(f"{first.path}: is one run, named twice. Name two.")
    _check_labels(first, second)
    names = _names(first, second)
    tested = own_answers(first, second), own_answers(second, first)
    answers = (*tested[0], *later_answers(first, second)), (*tested[1], *later_answers(second, first))
    warnings = _find_leaks(first, second, names)
    held_out = _held_out_answers(first, answers[0], answers[1]), _held_out_answers(second, answers[1], answers[0])
    pairing = pair_predictions(held_out[0], held_out[1])
    if not pairing.n:
        raise TrainError(
            f"{first.path} and {second.path} have no test picture in common (by sha256), so nothing can be compared. "
            f'{" ".join(warnings)} Train one with the split of the other: "--split {first.path / "split.csv"}".'
        )
    digests, answered = _digests(answers), _digests(held_out)
    for number, name in enumerate(names):
        own, other = digests[number], answered[1 - number]
        if own - other:
            warnings.append(
                f"{len(own - other):,} of the {len(own):,} test pictures of {name} are in neither test nor validation "
                "of the other run and are left out."
            )
        chosen_by = (answered[number] - own) & digests[1 - number]
        if chosen_by:
            warnings.append(
                f"{len(chosen_by):,} test pictures of the other run are validation pictures of {name}. They chose its "
                "best epoch, which favours it a little."
            )
    if pairing.relabelled:
        warnings.append(f"{pairing.relabelled:,} common pictures have another label in the other run and are left out.")
    return Comparison(
        _describe(first, names[0], tested[0]),
        _describe(second, names[1], tested[1]),
        _find_differences(first, second),
        pairing,
        tuple(warnings),
        compare_test_sets(first, second, held_out),
        tuple(sorted({*first.labels} ^ {*second.labels})),
    )


def _held_out_answers(run: Run, tested: Sequence[Prediction], other: Sequence[Prediction]) -> tuple[Prediction, ...]:
    """Return the answers of a run to its own test pictures, and to those of the other that are its validation."""
    wanted = {answer.row.sha256 for answer in other}
    learned = {row.sha256 for row in run.pictures("train")}
    if not any(row.sha256 in wanted - learned for row in run.pictures("validation")):
        return tuple(tested)
    validation = [answer for answer in read_predictions(run, "validation") if answer.row.sha256 in wanted - learned]
    return (*tested, *validation)


def _digests(answers: Sequence[Sequence[Prediction]]) -> list[set[str]]:
    return [{answer.row.sha256 for answer in found} for found in answers]


def _check_labels(first: Run, second: Run) -> None:
    only_first, only_second = set(first.labels) - set(second.labels), set(second.labels) - set(first.labels)
    if only_first and only_second:
        raise TrainError(
            f"{first.path} and {second.path} have other labels (only the first: {_listed(only_first)}; only the "
            f"second: {_listed(only_second)}), so their accuracies answer different questions. Compare runs of the "
            "same classes."
        )


def _listed(labels: set[str]) -> str:
    return ", ".join(sorted(labels)) or "none"


def _find_leaks(first: Run, second: Run, names: tuple[str, str]) -> list[str]:
    """Return a warning for each run that learned from test pictures of the other.

    Raises:
        TrainError: one learned from pictures that both have in their tests.
    """
    learned = [{row.sha256 for row in run.pictures("train")} for run in (first, second)]
    tested = [{row.sha256 for row in run.pictures("test")} for run in (first, second)]
    for name, seen in zip(names, learned, strict=True):
        leaked = seen & tested[0] & tested[1]
        if leaked:
            raise TrainError(
                f"{name}: it learned from {len(leaked):,} pictures that both runs have in their test, so its accuracy "
                'on them means nothing. Train it again on a split without such copies ("trailcam train" makes one).'
            )
    warnings = []
    for one, other in ((0, 1), (1, 0)):
        leaked = learned[one] & tested[other]
        if leaked:
            warnings.append(
                f"{names[one]} learned from {len(leaked):,} of the {len(tested[other]):,} test pictures of "
                f"{names[other]}. Figures on these must not be compared, and are not part of the paired test."
            )
    return warnings


def _names(first: Run, second: Run) -> tuple[str, str]:
    names = first.path.resolve().name, second.path.resolve().name
    return names if names[0] != names[1] else (str(first.path), str(second.path))


def _describe(run: Run, name: str, answers: Sequence[Prediction]) -> RunSummary:
    numbers = {label: number for number, label in enumerate(run.labels)}
    confusion = np.zeros((len(numbers), len(numbers)), int)  # rows: what it is; columns: what was answered
    for answer in answers:
        confusion[numbers[answer.row.label], numbers[answer.answer]] += 1
    right = np.array([answer.right for answer in answers], bool)
    confidence = np.array([answer.confidence for answer in answers])
    shown = confusion.sum(axis=1) > 0  # a label without a common picture has no F1
    hits, counted = confusion.diagonal(), confusion.sum(axis=0) + confusion.sum(axis=1)
    f1 = 2 * hits[shown] / counted[shown]
    return RunSummary(
        name=name,
        model_bytes=run.model_path.stat().st_size,
        epochs=_number(run.provenance.get("epochs"), int),
        best_epoch=_number(run.provenance.get("best_epoch"), int),
        training_s=_number(run.provenance.get("training_seconds"), float),
        n=len(right),
        top1=Estimate(float(right.mean()), *wilson_interval(int(right.sum()), len(right))),
        top5=_read_top5(run, len(right)),
        macro_f1=Estimate(float(f1.mean()), *macro_f1_interval(confusion)),
        calibration_error=Estimate(
            calibration_error(confidence, right), *calibration_error_interval(confidence, right)
        ),
    )


def _read_top5(run: Run, n: int) -> Estimate | None:
    """Return top-5 of ``metrics.json``, because ``predictions.csv`` holds only the first answer.

    None where no test was recorded, and for five labels and fewer: every label is among five answers then.
    """
    test = run.metrics.get("test")
    if test is None:
        return None
    if not isinstance(test, dict) or test.get("n") != n:
        raise TrainError(
            f"{run.path / 'metrics.json'}: it is not of the {n:,} test pictures that predictions.csv answers. Both are "
            "written by one training: copy the whole folder again."
        )
    value = test.get("top5")
    if len(run.labels) <= _TOP or not isinstance(value, int | float) or not 0 <= value <= 1:
        return None
    return Estimate(float(value), *wilson_interval(round(value * n), n))


def _number(text: str | None, kind: Callable[[str], Any]) -> Any:
    try:
        return kind(text) if text is not None else None
    except ValueError:
        return None


def _find_differences(first: Run, second: Run) -> tuple[Difference, ...]:
    ours, theirs = _flatten(first.recipe), _flatten(second.recipe)
    for key in _ORIGIN:
        ours[key], theirs[key] = first.provenance.get(key, ""), second.provenance.get(key, "")
    return tuple(
        Difference(key, ours.get(key, ""), theirs.get(key, ""))
        for key in {**ours, **theirs}
        if ours.get(key, "") != theirs.get(key, "")
    )


def _flatten(table: dict[str, Any], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in table.items():
        if isinstance(value, dict):
            flat.update(_flatten(value, f"{prefix}{key}."))
        else:
            flat[prefix + key] = str(value)
    return flat
