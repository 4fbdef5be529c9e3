"""Pairing the answers of two runs."""

from trailcam_core.datasets.run_directory import SplitRow
from trailcam_train.comparison.paired_predictions import pair_predictions
from trailcam_train.evaluation.predictions import Prediction


def answers(text: str, label: str = "fox", start: int = 0) -> list[Prediction]:
    """Return one test picture of ``label`` per letter: r is right, w is wrong; digests count from ``start``."""
    return [
        Prediction(SplitRow(f"{n}.jpg", f"{n:064x}", "test", label), label if letter == "r" else "owl", 0.9)
        for n, letter in enumerate(text, start)
    ]


def test_pictures_are_paired_by_digest_wherever_they_lie() -> None:
    ours, theirs = answers("rrw"), answers("rww")[::-1]
    moved = [Prediction(SplitRow(f"else/{a.row.file}", *vars_of(a)), a.answer, 0.5) for a in theirs]

    found = pair_predictions(ours, moved)

    assert (found.n, found.both, found.only_first, found.only_second, found.neither) == (3, 1, 1, 0, 1)
    assert found.delta.value == -1 / 3
    assert found.p_value == 1.0


def vars_of(answer: Prediction) -> tuple[str, str, str]:
    return answer.row.sha256, answer.row.split, answer.row.label


def test_each_class_has_its_own_delta() -> None:
    ours = answers("rrww") + answers("rw", "hare", start=10)
    theirs = answers("rrrr") + answers("ww", "hare", start=10)

    fox, hare = pair_predictions(ours, theirs).classes

    assert (fox.label, fox.n, fox.first, fox.second, fox.delta.value) == ("fox", 4, 0.5, 1.0, 0.5)
    assert (hare.label, hare.n, hare.first, hare.second, hare.delta.value) == ("hare", 2, 0.5, 0.0, -0.5)
    assert fox.delta.low <= 0.5 <= fox.delta.high


def test_only_pictures_that_both_answered_count() -> None:
    found = pair_predictions(answers("rrrr"), answers("ww", start=2) + answers("rrrrr", start=50))

    assert (found.n, found.only_first) == (2, 2)


def test_copies_of_a_picture_count_once() -> None:
    ours, theirs = answers("rw"), answers("rr")

    assert pair_predictions([*ours, *ours], [*theirs, *theirs]) == pair_predictions(ours, theirs)


def test_a_picture_with_another_label_in_the_other_run_is_left_out_and_counted() -> None:
    found = pair_predictions(answers("rrr"), answers("r", "hare") + answers("rr", start=1))

    assert (found.n, found.relabelled) == (2, 1)


def test_a_picture_under_two_labels_in_one_run_is_left_out() -> None:
    found = pair_predictions(answers("rr") + answers("r", "hare"), answers("rr"))

    assert found.n == 1


def test_nothing_in_common_is_no_difference() -> None:
    found = pair_predictions(answers("rr"), answers("ww", start=5))

    assert (found.n, found.delta.value, found.p_value, found.classes) == (0, 0.0, 1.0, ())
    assert (found.delta.low, found.delta.high) == (-1.0, 1.0)
