"""What the answers of a model from elsewhere say about the model itself."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from trailcam_core.errors import ExportError
from trailcam_export.gate.reference_check import SwappedColours, check_reference, check_scaling
from trailcam_export.gate.statistics import ClassIds
from trailcam_export.inference.batches import Logits

LABELS = tuple("abcdefghij")
MODEL = Path("theirs.keras")


def _logits(answers: npt.NDArray[np.intp]) -> Logits:
    return np.eye(len(LABELS), dtype=np.float32)[answers]


def _doubt(class_ids: ClassIds, answers: npt.NDArray[np.intp], exchanged: npt.NDArray[np.intp]) -> str | None:
    some = slice(None, None, 3)
    swapped = SwappedColours(class_ids[some], _logits(answers[some]), _logits(exchanged[some]))
    return check_reference(_logits(answers), class_ids, LABELS, swapped, MODEL)


@pytest.fixture
def class_ids() -> ClassIds:
    return np.arange(200) % 10


@pytest.fixture
def by_chance() -> npt.NDArray[np.intp]:
    return np.random.default_rng(0).integers(0, 10, 200)


def _answers(class_ids: ClassIds, right: float) -> npt.NDArray[np.intp]:
    random = np.random.default_rng(1)
    return np.where(random.random(len(class_ids)) < right, class_ids, random.integers(0, 10, len(class_ids)))


@pytest.mark.parametrize("right", [0.5, 0.9, 1.0])
def test_a_model_that_is_right_is_not_doubted(class_ids: ClassIds, by_chance: ClassIds, right: float) -> None:
    assert _doubt(class_ids, _answers(class_ids, right), by_chance) is None


@pytest.mark.parametrize("right", [0.0, 0.1])
def test_answers_at_the_level_of_chance_are_told_with_what_to_do(
    class_ids: ClassIds, by_chance: ClassIds, right: float
) -> None:
    reference_warning = _doubt(class_ids, _answers(class_ids, right), by_chance)
    assert reference_warning is not None
    assert "chance would give 10.0%" in reference_warning
    assert "preprocess_input" in reference_warning


def test_the_same_answer_to_everything_is_chance(class_ids: ClassIds) -> None:
    always = np.full(200, 3)
    assert "chance" in str(_doubt(class_ids, always, always))


def test_a_model_trained_on_bgr_pictures_is_told_by_exchanging_them(class_ids: ClassIds) -> None:
    reference_warning = _doubt(class_ids, _answers(class_ids, 0.4), _answers(class_ids, 0.95))
    assert "BGR" in str(reference_warning)
    assert _doubt(class_ids, _answers(class_ids, 0.9), _answers(class_ids, 0.95)) is None


def test_labels_in_another_order_stop_the_export_and_the_right_order_is_shown(
    class_ids: ClassIds, by_chance: ClassIds
) -> None:
    order = np.array([1, 2, 0, 3, 4, 5, 6, 7, 8, 9])  # the output that stands for each label
    answers = order[_answers(class_ids, 0.9)]
    with pytest.raises(ExportError, match="c, a, b, d, e, f, g, h, i, j") as refused:
        _doubt(class_ids, answers, by_chance)
    assert "a is called b, b is called c, c is called a" in str(refused.value)
    with pytest.raises(ExportError, match="is: j, a, b, c"):  # also where other colours happen to help
        _doubt(class_ids, (class_ids + 1) % 10, np.where(by_chance < 6, class_ids, by_chance))


def test_few_pictures_of_a_label_prove_no_order(by_chance: ClassIds) -> None:
    class_ids = np.arange(20) % 10  # two of each
    assert "Likely cause: label order" in str(_doubt(class_ids, (class_ids + 1) % 10, by_chance[:20]))


def test_labels_that_no_picture_shows_keep_a_place_in_the_order(class_ids: ClassIds, by_chance: ClassIds) -> None:
    shown = class_ids < 8
    order = np.array([9, 0, 2, 3, 4, 5, 6, 7, 8, 1])
    with pytest.raises(ExportError, match=r"is: b, i, c, d, e, f, g, h, j, a\."):
        _doubt(class_ids[shown], order[class_ids[shown]], by_chance[shown])


def test_a_model_that_is_surely_better_with_another_range_is_refused_and_the_best_one_named(
    class_ids: ClassIds, by_chance: npt.NDArray[np.intp]
) -> None:
    others = [
        ("--input-range 0 1", _logits(_answers(class_ids, 0.5))),
        ("--input-range 0 255", _logits(_answers(class_ids, 0.9))),
        ("--input-range -1 1", _logits(by_chance)),
    ]

    with pytest.raises(
        ExportError, match=r"theirs\.keras: right on .* with --input-range 0 255: they are scaled twice"
    ):
        check_scaling(_logits(by_chance), class_ids, others, MODEL)


@pytest.mark.parametrize("right", [0.9, 1.0])
def test_a_model_that_is_as_good_with_another_range_is_not_refused(class_ids: ClassIds, right: float) -> None:
    answers = _logits(_answers(class_ids, right))

    check_scaling(answers, class_ids, [("--input-range 0 1", answers)], MODEL)
    check_scaling(
        answers[:6], class_ids[:6], [("--input-range 0 1", _logits(class_ids[:6]))], MODEL
    )  # too few to prove


def test_one_answer_for_everything_is_no_better_range(class_ids: ClassIds) -> None:
    always = _logits(np.zeros(200, np.intp))

    check_scaling(_logits((class_ids + 1) % 10), class_ids, [("--input-range 0 1", always)], MODEL)
