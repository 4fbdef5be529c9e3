"""What is counted, against cases that can be counted by hand."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from trailcam_core.inference.decision import probabilities
from trailcam_core.spec import OutputSpec, RejectRule
from trailcam_core.statistics.paired import mcnemar_exact
from trailcam_export.gate.paired_proportions import PairedProportion
from trailcam_export.gate.statistics import ModelOutputs, divergence, measure_drift

OUTPUT = OutputSpec(("a", "b"), 1.0, RejectRule("max_logit", 1.0, 0.9, 10, None, 0))


def _answers(*rows: tuple[float, float], **more: Any) -> ModelOutputs:
    return ModelOutputs(np.array(rows, np.float32), OUTPUT, **more)


def test_pairs_are_counted_by_hand() -> None:
    truth = np.array([0, 0, 1, 1])
    first = _answers((2, 0), (2, 0), (0, 2), (2, 0))  # right, right, right, wrong
    second = _answers((2, 0), (0, 0.5), (0, 2), (0, 2))  # right, wrong and unknown, right, right
    drift = measure_drift(first, second, truth)
    assert drift.right == PairedProportion(4, 2, 1, 1)
    assert drift.recall == (PairedProportion(2, 1, 1, 0), PairedProportion(2, 1, 0, 1))
    assert (drift.agreeing, drift.agreement) == (2, 0.5)
    assert drift.unknown == PairedProportion(4, 0, 0, 1)
    assert drift.confusion.tolist() == [[1, 2], [0, 1]]
    assert drift.mcnemar_p == mcnemar_exact(1, 1) == 1.0
    assert (drift.finite, drift.gives_probabilities, drift.unknown_ood) == (4, False, None)


def test_kl_is_that_of_the_probabilities_at_the_references_temperature() -> None:
    random = np.random.default_rng(0)
    first, second = random.normal(0, 3, (2, 50, 4)).astype(np.float32)
    p, q = probabilities(first, 2.0), probabilities(second, 2.0)
    assert divergence(first, second, 2.0) == pytest.approx((p * np.log(p / q)).sum(axis=1))
    assert divergence(first, first).max() < 1e-15


def test_confidence_and_its_calibration_are_as_each_model_ships() -> None:
    truth = np.array([0, 0])
    first = _answers((2, 0), (2, 0))
    second = replace(first, logits=first.logits * 2, output=replace(OUTPUT, temperature=2.0))
    drift = measure_drift(first, second, truth)
    assert drift.confidence_shift == pytest.approx([0, 0])
    assert drift.kl.min() > 0.05
    assert drift.ece_reference == drift.ece_variant == pytest.approx(1 - probabilities(first.logits)[0, 0])


def test_others_are_compared_where_both_saw_them() -> None:
    first = _answers((2, 0), ood_logits=np.array([[0, 0.5], [0, 3]], np.float32))
    second = _answers((2, 0), ood_logits=np.array([[0, 3], [0, 3]], np.float32))
    assert measure_drift(first, second, np.array([0])).unknown_ood == PairedProportion(2, 0, 1, 0)
    without = replace(second, output=replace(OUTPUT, reject=None))
    assert measure_drift(first, without, np.array([0])).unknown_ood is None


def test_nan_is_never_right_never_the_same_and_always_unknown() -> None:
    first = _answers((2, 0), (2, 0))
    second = _answers((float("nan"), 0), (2, 0))
    drift = measure_drift(first, second, np.array([0, 0]))
    assert (drift.right, drift.agreeing, drift.finite) == (PairedProportion(2, 1, 1, 0), 1, 1)
    assert drift.unknown == PairedProportion(2, 0, 0, 1)
    assert np.isfinite(drift.kl).all()
    assert np.isfinite(drift.confidence_shift).all()


def test_probabilities_are_told_from_logits(cases: Any) -> None:
    answers, class_ids = cases.reference(50)
    rounded = (np.round(probabilities(answers.logits) * 256) / 256).astype(np.float32)
    assert measure_drift(answers, replace(answers, logits=rounded), class_ids).gives_probabilities
    assert not measure_drift(answers, answers, class_ids).gives_probabilities


def test_the_same_seed_gives_the_same_interval_and_shapes_must_fit(cases: Any) -> None:
    answers, class_ids = cases.reference(300)
    noisy = cases.turned(answers, class_ids, lost=9, won=2)
    first, second = (measure_drift(answers, noisy, class_ids, seed=3) for _ in range(2))
    assert (first.bootstrap_low, first.bootstrap_high) == (second.bootstrap_low, second.bootstrap_high)
    assert first.bootstrap_low < first.right.delta < first.bootstrap_high
    with pytest.raises(ValueError, match="N at least 1"):
        measure_drift(answers, noisy, class_ids[:5])
