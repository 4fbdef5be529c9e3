from typing import Any

import pytest

from trailcam_core.statistics.wilson import wilson_interval
from trailcam_train.evaluation.verdict import GOOD, GUESSING, WEAK, Training, judge

SCRATCH = Training("runs/a", "photos", pretrained=False, training_pictures=168)
PRETRAINED = Training("runs/a", "photos", pretrained=True, training_pictures=168)


def metrics(right: int, n: int, label_count: int) -> dict[str, Any]:
    per_label, low = n // label_count, wilson_interval(right, n)[0]
    rows = {f"label{k}": {"n": per_label, "recall": right / n} for k in range(label_count)}
    return {"n": n, "top1": right / n, "top1_low": low, "per_class": rows}


@pytest.mark.parametrize(
    ("right", "n", "label_count", "grade"),
    [
        (13, 36, 9, GUESSING),  # a network from nothing on 240 photographs: 36 %
        (46, 100, 10, WEAK),  # the bound, skill 0.4
        (45, 100, 10, GUESSING),
        (82, 100, 10, GOOD),  # the bound, skill 0.8
        (81, 100, 10, WEAK),
        (6, 6, 2, GOOD),
        (4, 6, 2, GUESSING),  # the interval holds a half
        (72, 100, 2, WEAK),
    ],
)
def test_a_run_is_judged_by_how_far_it_is_from_guessing(right: int, n: int, label_count: int, grade: str) -> None:
    assert judge(metrics(right, n, label_count), SCRATCH).grade == grade


def test_chance_is_the_share_of_the_commonest_label() -> None:
    test = metrics(50, 100, 2)
    test["per_class"] = {"fox": {"n": 90, "recall": 0.5}, "hare": {"n": 10, "recall": 0.5}}

    verdict = judge(test, SCRATCH)

    assert (verdict.chance, verdict.commonest, verdict.grade) == (0.9, "fox", GUESSING)


def test_a_bad_network_from_nothing_is_followed_by_one_with_weights_and_not_by_an_export() -> None:
    verdict = judge(metrics(13, 36, 9), SCRATCH)

    assert "barely beats guessing" in verdict.advice[0]
    assert verdict.next_command == "trailcam train photos"


def test_a_bad_network_with_weights_is_followed_by_a_look_at_the_data() -> None:
    verdict = judge(metrics(13, 36, 9), PRETRAINED)

    assert "19 pictures a label" in verdict.advice[0]
    assert verdict.next_command == "trailcam data check photos"


def test_a_good_network_is_exported_without_advice() -> None:
    verdict = judge(metrics(190, 200, 10), PRETRAINED)

    assert verdict.advice == ()
    assert verdict.next_command == "trailcam export runs/a"


def test_a_label_that_is_never_recognised_is_named() -> None:
    test = metrics(180, 200, 4)
    test["per_class"]["label2"]["recall"] = 0.0

    assert "Never recognised: label2." in judge(test, PRETRAINED).advice[0]


def test_few_test_pictures_are_said_to_be_few() -> None:
    assert judge(metrics(95, 99, 3), PRETRAINED).advice == (
        "99 test pictures prove little: more photographs make the interval narrower.",
    )
