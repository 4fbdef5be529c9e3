from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from trailcam_core.errors import DataError
from trailcam_core.inference.decision import probabilities
from trailcam_core.spec import InputSpec, OutputSpec
from trailcam_core.statistics.calibration_error import calibration_error, reliability_bins
from trailcam_train.evaluation.evaluate import compute_metrics
from trailcam_train.evaluation.ood import OodLogits, SplitLogits, auroc, check_ood_images, predict_ood_images

RNG = np.random.default_rng(0)
ABCD = OutputSpec(tuple("abcd"), 1.0, None)
ABC = OutputSpec(("a", "b", "c"), 1.0, None)


def answers(predicted: list[int], true: list[int], strength: float = 5.0) -> SplitLogits:
    return SplitLogits(np.eye(3, dtype=np.float32)[predicted] * strength, np.array(true, np.int32))


def calibrated(count: int, spread: float = 2.0) -> tuple[Any, Any]:
    """Return logits and class ids that are drawn from exactly the probabilities the logits state."""
    logits = RNG.normal(0, spread, (count, 4))
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return logits, (shares.cumsum(axis=1) < RNG.random((count, 1))).sum(axis=1)


def error(logits: Any, class_ids: Any, temperature: float = 1.0) -> float:
    shares = probabilities(logits, temperature)
    return calibration_error(shares.max(axis=1), shares.argmax(axis=1) == class_ids)


def test_calibration_error_is_small_for_calibrated_logits_and_falls_with_the_temperature() -> None:
    logits, class_ids = calibrated(20_000)

    assert error(logits, class_ids) < 0.02
    assert error(logits * 3, class_ids) > 0.1
    assert error(logits * 3, class_ids, temperature=3) < 0.02


def test_bins_hold_every_picture_once_even_at_full_confidence() -> None:
    bins = reliability_bins(np.array([1.0, 0.52]), np.array([True, False]))

    assert sum(item.n for item in bins) == 2
    assert bins[-1].accuracy == 1.0
    assert bins[0].accuracy == 0.0


def test_auroc_counts_pairs_and_ties_half() -> None:
    assert auroc(np.array([2.0, 3.0]), np.array([0.0, 1.0])) == 1.0
    assert auroc(np.array([0.0, 1.0]), np.array([2.0, 3.0])) == 0.0
    assert auroc(np.array([1.0, 2.0]), np.array([1.0, 0.0])) == (0.5 + 1 + 1 + 1) / 4


def test_figures_of_a_split_are_what_one_counts_by_hand() -> None:
    validation = answers([0, 1, 2], [0, 1, 2])
    test = answers([0, 0, 1, 2, 2, 2], [0, 0, 0, 1, 2, 2])

    found = compute_metrics(ABC, validation, test)["test"]

    assert (found["n"], found["top1"]) == (6, 4 / 6)
    assert found["top1_low"] < found["top1"] < found["top1_high"]
    assert found["recall"] == {"a": 2 / 3, "b": 0.0, "c": 1.0}
    assert found["confusion"] == [[2, 1, 0], [0, 0, 1], [0, 0, 2]]
    assert found["per_class"]["c"]["precision"] == 2 / 3
    assert 0.1 <= compute_metrics(ABC, validation, test)["temperature"] < 1  # validation is all right
    assert (found["per_class"]["a"]["n"], found["per_class"]["a"]["answered"]) == (3, 2)
    assert found["macro_f1"] == pytest.approx((0.8 + 0 + 0.8) / 3)


def test_a_label_without_a_test_picture_is_left_out_of_macro_f1() -> None:
    found = compute_metrics(ABC, answers([0, 1, 2], [0, 1, 2]), answers([0, 0, 1, 1], [0, 0, 1, 1]))["test"]

    assert (found["macro_f1"], found["macro_f1_low"], found["macro_f1_high"]) == (1.0, 1.0, 1.0)


@pytest.mark.parametrize("key", ["top1", "top5", "macro_f1", "ece_before", "ece_after"])
def test_every_figure_of_a_split_lies_in_its_interval(key: str) -> None:
    logits, class_ids = calibrated(300)
    found = compute_metrics(ABCD, SplitLogits(logits, class_ids), SplitLogits(logits * 2, class_ids))["test"]

    assert found[f"{key}_low"] <= found[key] <= found[f"{key}_high"]
    assert key == "top5" or found[f"{key}_low"] < found[f"{key}_high"]  # four classes are always among five
    assert found["top5_low"] > 0.98


def test_the_reject_rule_is_set_on_validation_and_measured_on_test() -> None:
    strengths = np.arange(1, 101)
    validation = SplitLogits(np.eye(3)[np.zeros(100, int)] * strengths[:, None], np.zeros(100, np.int32))
    test = answers([0] * 10, [0] * 10, strength=3.0)

    rule = compute_metrics(ABC, validation, test)["reject"]

    assert rule["score"] == "max_logit"
    assert rule["threshold"] == 6.0  # keeps 6 to 100, 95 of 100
    assert (rule["animals_kept"], rule["n_animals"]) == (0.0, 10)
    assert (rule["others_rejected"], rule["n_others"]) == (None, 0)


def test_the_score_is_chosen_on_one_half_of_the_others_and_reported_on_the_other() -> None:
    """Others have high probabilities but low logits: only max_logit and energy can tell."""
    known = answers([0, 1, 2] * 20, [0, 1, 2] * 20, strength=9.0)
    ood = np.array([[2.0, -20.0, -20.0]] * 8)
    others = OodLogits({"cars": ood}, {"cars": np.concatenate([ood, [[9.5, 0.0, 0.0]] * 2])})

    metrics = compute_metrics(ABC, known, known, others)

    assert metrics["reject"]["score"] in ("max_logit", "energy")
    assert metrics["others"]["choice"]["max_probability"] < 0.5
    assert (metrics["reject"]["others_rejected"], metrics["reject"]["n_others"]) == (0.8, 10)
    assert metrics["others"]["groups"]["cars"]["n"] == 10
    assert metrics["others"]["n_choice"] == 8


def test_what_is_turned_away_is_also_said_where_95_percent_of_the_test_pictures_are_kept() -> None:
    """The threshold from validation is so low here that it keeps all; at 95 % of the test pictures half would go."""
    sure = np.eye(3)[np.zeros(100, int)]
    validation = SplitLogits(sure * np.linspace(1, 2, 100)[:, None], np.zeros(100, np.int32))
    test = SplitLogits(sure * np.linspace(5, 6, 100)[:, None], np.zeros(100, np.int32))
    ood = np.eye(3)[[0] * 4] * np.array([[3.0], [4.0], [5.5], [5.9]])

    metrics = compute_metrics(ABC, validation, test, OodLogits({"cars": ood}, {"cars": ood}))

    assert metrics["reject"]["animals_kept"] == metrics["reject"]["animals_kept_high"] == 1.0
    assert metrics["reject"]["animals_kept_low"] > 0.95
    found = metrics["others"]["groups"]["cars"]
    assert (found["rejected"], found["rejected_at_keep"]) == (0.0, 0.5)
    assert found["rejected_at_keep_low"] < 0.5 < found["rejected_at_keep_high"]


class Echo:
    """A model whose logits are the mean of each channel."""

    output_shape = (None, 3)

    def predict_on_batch(self, images: Any) -> Any:
        return images.mean(axis=(1, 2))


def test_others_are_halved_by_group_and_broken_ones_passed_over(tmp_path: Path) -> None:
    for group, count in (("animals", 5), ("things", 4)):
        (tmp_path / group).mkdir()
        for number in range(count):
            cv2.imwrite(str(tmp_path / group / f"{number}.png"), np.full((20, 20, 3), number * 10, np.uint8))
    (tmp_path / "things" / "broken.jpg").write_bytes(b"\xff\xd8\xff")

    others = predict_ood_images(Echo(), tmp_path, InputSpec(32, 32, "crop"))

    assert {group: len(found) for group, found in others.tuning.items()} == {"animals": 3, "things": 2}
    assert {group: len(found) for group, found in others.evaluation.items()} == {"animals": 2, "things": 2}
    assert others.tuning["animals"][:, 0].tolist() == [0, 20, 40]


@pytest.mark.parametrize("name", ["missing", "empty"])
def test_a_folder_of_no_others_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    with pytest.raises(DataError, match=name):
        predict_ood_images(Echo(), tmp_path / name, InputSpec(32, 32, "crop"))
    with pytest.raises(DataError, match=name):
        check_ood_images(tmp_path / name, InputSpec(32, 32, "crop"))


def test_others_that_can_be_read_after_a_training_pass_before_it(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(tmp_path / name), np.zeros((20, 20, 3), np.uint8))
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    check_ood_images(tmp_path, InputSpec(32, 32, "crop"))
    (tmp_path / "b.png").unlink()
    with pytest.raises(DataError, match="no two readable pictures"):
        check_ood_images(tmp_path, InputSpec(32, 32, "crop"))


def test_negatives_are_no_animals_of_the_reject_rule() -> None:
    """Class c means nothing there: its pictures neither set the threshold nor count as kept."""
    output = OutputSpec(("a", "b", "c"), 1.0, None, blank_labels=("c",))
    logits = np.float32([[5, 0, 0], [0, 5, 0], [0, 0, 50], [0, 0, 60]])
    validation = SplitLogits(logits, np.array([0, 1, 2, 2], np.int32))
    test = SplitLogits(
        np.float32([[6, 0, 0], [0, 7, 0], [0, 0, 9], [0, 0, 70], [80, 0, 0]]), np.array([0, 1, 0, 2, 2], np.int32)
    )
    rule = compute_metrics(output, validation, test)["reject"]
    assert rule["threshold"] == pytest.approx(5)
    assert (rule["n_animals"], rule["n_others"]) == (3, 2)
    assert rule["animals_kept"] == pytest.approx(2 / 3)  # the third "a" was taken for nothing
    assert rule["others_rejected"] == pytest.approx(1 / 2)  # one empty picture was named "a"


def test_without_others_the_negatives_of_validation_choose_the_score() -> None:
    """Both empty pictures have large logits for "a" and "b" at once: only the probability is lower than an animal's."""
    output = OutputSpec(("a", "b", "c"), 1.0, None, blank_labels=("c",))
    logits = np.float32([[5, 0, 0], [0, 5, 0], [9, 8.5, 0], [8.5, 9, 0]])
    pictures = SplitLogits(logits, np.array([0, 1, 2, 2], np.int32))
    rule = compute_metrics(output, pictures, pictures)["reject"]
    assert rule["score"] == "max_probability"
    assert rule["others_rejected"] == 1.0


def test_others_taken_for_nothing_are_rejected_however_sure() -> None:
    output = OutputSpec(("a", "b", "c"), 1.0, None, blank_labels=("c",))
    known = SplitLogits(np.float32([[5, 0, 0], [0, 5, 0]]), np.array([0, 1], np.int32))
    sure = np.float32([[0, 0, 99], [0, 0, 99]])
    found = compute_metrics(output, known, known, OodLogits({"leaves": sure}, {"leaves": sure}))
    assert found["reject"]["others_rejected"] == 1.0
    assert found["others"]["groups"]["leaves"]["rejected"] == 1.0
