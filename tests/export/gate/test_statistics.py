"""Scores and drift as a manifest states them."""

import numpy as np
import numpy.typing as npt

from trailcam_core.spec import Drift, Gate, OutputSpec
from trailcam_export.gate.statistics import ModelOutputs, measure_drift, score, to_class_ids


def _logits(answers: list[int], classes: int = 3) -> npt.NDArray[np.float32]:
    return np.eye(classes, dtype=np.float32)[answers]


def test_score_counts_and_gives_an_interval_and_recalls() -> None:
    found = score(_logits([0, 0, 1, 2]), np.array([0, 1, 1, 2]))
    assert (found.n, found.top1, found.recall) == (4, 0.75, (1.0, 0.5, 1.0))
    assert 0 < found.top1_low < 0.75 < found.top1_high < 1
    metrics = found.as_metrics()
    assert metrics is not None
    assert metrics.recall == (1.0, 0.5, 1.0)


def test_a_label_that_was_never_shown_has_no_recall_and_the_manifest_no_metrics() -> None:
    found = score(_logits([0, 1]), np.array([0, 1]))
    assert found.recall == (1.0, 1.0, None)
    assert found.as_metrics() is None


def test_drift_is_signed_and_counts_agreement_also_on_wrong_answers() -> None:
    truth = np.array([0, 1, 2, 0])
    output = OutputSpec(("a", "b", "c"), 1.0, None)
    statistics = measure_drift(
        ModelOutputs(_logits([0, 1, 2, 1]), output), ModelOutputs(_logits([0, 1, 0, 1]), output), truth
    )
    gate = Gate("strict", "fail")
    assert statistics.as_drift(gate) == Drift(4, -0.25, 0.75, gate)


def test_labels_become_class_numbers_in_the_order_of_the_run() -> None:
    assert to_class_ids(("b", "a"), ["a", "b", "a"]).tolist() == [1, 0, 1]
