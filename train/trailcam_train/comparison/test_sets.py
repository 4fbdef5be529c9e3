"""The test sets of a run that took another up: pictures of the earlier run, and new ones.

The later run holds the answers of the earlier one to the new test pictures, so nothing has to be run again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from trailcam_core.datasets.run_directory import Run
from trailcam_core.files.digest import file_sha256
from trailcam_train.comparison.paired_predictions import PairedResult, pair_predictions
from trailcam_train.evaluation.predictions import (
    PREDICTIONS_FILE,
    Prediction,
    read_earlier_answers,
    read_predictions,
)

EARLIER_TESTS = "the test pictures of the earlier run"
NEW_TESTS = "new test pictures of labels that both know"
NEW_LABELS = "new test pictures of labels that only the later run knows"


@dataclass(frozen=True)
class TestSet:
    """Both runs on one of the test sets of a run that took the other up."""

    name: str
    pairing: PairedResult


def _took_up(later: Run, earlier: Run) -> bool:
    return later.provenance.get("earlier_sha256") == file_sha256(earlier.model_path)


def own_answers(run: Run, other: Run) -> tuple[Prediction, ...]:
    """Return the answers of a run to its test split; those that a later run recorded where it has no file of them."""
    if (run.path / PREDICTIONS_FILE).is_file() or not _took_up(other, run):
        return read_predictions(run, "test")
    tested = {row.sha256 for row in run.pictures("test")}
    return tuple(answer for answer in read_earlier_answers(other, run.labels) if answer.row.sha256 in tested)


def later_answers(run: Run, other: Run) -> tuple[Prediction, ...]:
    """Return the answers of a run to the new test pictures of one that took it up."""
    if not _took_up(other, run):
        return ()
    tested = {row.sha256 for row in run.pictures("test")}
    return tuple(answer for answer in read_earlier_answers(other, run.labels) if answer.row.sha256 not in tested)


def compare_test_sets(
    first: Run, second: Run, answers: tuple[Sequence[Prediction], Sequence[Prediction]]
) -> tuple[TestSet, ...]:
    """Return both runs on the test pictures of the earlier one, and on the new ones of old and of new labels."""
    earlier = first if _took_up(second, first) else second if _took_up(first, second) else None
    if earlier is None:
        return ()
    tested = {row.sha256 for row in earlier.pictures("test")}

    def is_old(answer: Prediction) -> bool:
        return answer.row.sha256 in tested

    def is_known(answer: Prediction) -> bool:
        return answer.row.label in earlier.labels

    sets: tuple[tuple[str, Callable[[Prediction], bool]], ...] = (
        (EARLIER_TESTS, is_old),
        (NEW_TESTS, lambda answer: not is_old(answer) and is_known(answer)),
        (NEW_LABELS, lambda answer: not is_old(answer) and not is_known(answer)),
    )
    found = [TestSet(name, pair_predictions(*(list(filter(keep, side)) for side in answers))) for name, keep in sets]
    return tuple(item for item in found if item.pairing.n)
