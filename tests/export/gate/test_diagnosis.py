"""A likely cause is named where its pattern is there, and none where it is not."""

from typing import Any

import numpy as np
import pytest

from trailcam_core.inference.decision import probabilities
from trailcam_export.gate.diagnosis import ChannelSwap, diagnose


def test_damage_without_a_pattern_is_not_explained(cases: Any) -> None:
    answers, class_ids = cases.reference(400)
    lost = cases.turned(answers, class_ids, lost=200)
    assert diagnose(answers.logits, lost.logits, cases.labels) is None
    assert diagnose(answers.logits, cases.noisy(answers, 5.0).logits, cases.labels) is None
    assert diagnose(answers.logits, answers.logits, cases.labels) is None


def test_patterns_on_made_up_logits(cases: Any) -> None:
    answers, _ = cases.reference(400)
    logits = answers.logits
    permuted = np.roll(logits, 1, axis=1)
    assert "a is called b, b is called c, c is called d and 7 more" in str(diagnose(logits, permuted, cases.labels))
    shares = probabilities(logits).astype(np.float32)
    assert "softmax inside" in str(diagnose(logits, shares, cases.labels))
    constant = np.tile(logits[:1], (400, 1))
    assert "it answers a for every picture" in str(diagnose(logits, constant, cases.labels))
    piled = np.clip(logits, -0.3, 0.3)
    assert "saturation" in str(diagnose(logits, piled, cases.labels))
    mostly = logits.copy()
    mostly[:380, 4] += 30
    assert "it answers e for 9" in str(diagnose(logits, mostly, cases.labels))
    broken = logits.copy()
    broken[3, 3] = np.nan
    assert "NaN" in str(diagnose(logits, broken, cases.labels))


def test_colour_order_is_claimed_only_where_exchanging_helps(cases: Any) -> None:
    answers, _ = cases.reference(64)
    other = np.random.default_rng(0).normal(0, 1, answers.logits.shape).astype(np.float32)
    helps = ChannelSwap(answers.logits, other, answers.logits)
    assert "colour order" in str(diagnose(answers.logits, other, cases.labels, helps))
    no_help = ChannelSwap(answers.logits, other, other)
    assert diagnose(answers.logits, other, cases.labels, no_help) is None
    indifferent = ChannelSwap(answers.logits, answers.logits, answers.logits)
    assert diagnose(answers.logits, answers.logits, cases.labels, indifferent) is None


@pytest.mark.parametrize("labels", [("only",), ("a", "b")])
def test_few_labels_are_no_trouble(labels: tuple[str, ...]) -> None:
    logits = np.random.default_rng(1).normal(0, 1, (20, len(labels))).astype(np.float32)
    assert diagnose(logits, logits + np.float32(0.001), labels) is None
