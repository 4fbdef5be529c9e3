"""A made-up classifier and variants of it whose damage is known to the picture."""

from dataclasses import replace

import numpy as np
import pytest

from trailcam_core.spec import OutputSpec, RejectRule
from trailcam_export.gate.statistics import Answers, ClassIds
from trailcam_export.inference.batches import Logits

LABELS = tuple("abcdefghij")
OUTPUT = OutputSpec(LABELS, 1.0, RejectRule("max_logit", 3.0, 0.95, 100, None, 0))


class DriftCases:
    """Logits of ten labels."""

    labels = LABELS

    def reference(self, n: int, right: float = 0.96, seed: int = 0) -> tuple[Answers, ClassIds]:
        """A model that is sure of most pictures and right on about the share ``right``; equally many of each label."""
        random = np.random.default_rng(seed)
        class_ids = np.arange(n) % len(LABELS)
        logits = random.normal(0, 0.7, (n, len(LABELS)))
        shown = np.where(random.random(n) < right, class_ids, random.integers(0, len(LABELS), n))
        logits[np.arange(n), shown] += 9.0
        return Answers(logits.astype(np.float32), OUTPUT), class_ids

    def noisy(self, answers: Answers, deviation: float, seed: int = 1) -> Answers:
        """The same with noise in every logit, as quantisation adds it."""
        random = np.random.default_rng(seed)
        return replace(
            answers, logits=answers.logits + random.normal(0, deviation, answers.logits.shape).astype(np.float32)
        )

    def turned(self, answers: Answers, class_ids: ClassIds, lost: int = 0, won: int = 0, swapped: int = 0) -> Answers:
        """The same, but this many right answers become wrong, wrong ones right, and wrong ones otherwise wrong."""
        logits: Logits = answers.logits.copy()
        said = logits.argmax(axis=1)
        right, wrong = np.flatnonzero(said == class_ids), np.flatnonzero(said != class_ids)
        assert lost <= len(right)
        assert won + swapped <= len(wrong)

        def answer(places: np.ndarray, class_id: np.ndarray) -> None:
            logits[places, class_id] = logits[places].max(axis=1) + 0.1

        answer(right[:lost], (class_ids[right[:lost]] + 1) % len(LABELS))
        answer(wrong[:won], class_ids[wrong[:won]])
        third = wrong[won : won + swapped]
        answer(third, np.array([({0, 1, 2} - {int(said[i]), int(class_ids[i])}).pop() for i in third], int))
        return replace(answers, logits=logits)


@pytest.fixture(scope="session")
def cases() -> DriftCases:
    return DriftCases()
