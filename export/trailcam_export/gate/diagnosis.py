"""Why a variant fails the gate: the likely cause in words, because "agreement 11 %" helps nobody.

Each pattern is one that a known mistake leaves in the logits. Where none fits, none is claimed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trailcam_export.gate.statistics import ClassIds
from trailcam_export.inference.batches import Logits

__all__ = ["SWAP_COUNT", "Swapped", "diagnose", "find_exchange", "tell_exchange"]

SWAP_COUNT = 64  # pictures asked again with red and blue exchanged

_MOST = 0.9  # of the pictures follow the pattern, where a healthy file would have
_CONSTANT = 0.02  # spread of a logit over pictures, as a share of the reference's: nothing of the picture comes through
_PILED_UP = 0.2  # share of all logits that sit on the very ends of their range; int8 calibrated on photographs: 0.001


@dataclass(frozen=True)
class Swapped:
    """Logits of the same pictures: of the reference, of the variant, and of the variant with red and blue exchanged."""

    reference: Logits
    variant: Logits
    exchanged: Logits


def diagnose(reference: Logits, variant: Logits, labels: Sequence[str], swapped: Swapped | None = None) -> str | None:
    """Return the likely cause of a failed gate, None where no known pattern fits.

    Args:
        reference: (N, K) logits of the float model, finite.
        variant: (N, K) logits of the file.
        labels: K names.
        swapped: a few pictures asked again, where that can be done.
    """
    if not np.isfinite(variant).all():
        return "a layer overflows or divides by zero: NaN or infinity comes out"
    if variant.min() >= 0 and np.abs(variant.sum(axis=1) - 1).max() <= 0.02 + variant.shape[1] / 512:
        return "a softmax inside the file: what reads it applies another, and all confidence is gone"
    if swapped is not None and _is_swapped(swapped):
        return "colour order: the answers come back once red and blue are exchanged (RGB against BGR)"
    ours, theirs = reference.argmax(axis=1), variant.argmax(axis=1)
    if float(variant.std(axis=0).max()) <= _CONSTANT * float(reference.std(axis=0).max()):
        return (
            f"it answers {labels[_commonest(theirs)]} whatever the picture shows: a layer gives the same numbers for "
            "all, as with weights of zero, ranges calibrated on pictures that showed nothing (black frames), or a "
            "channel so loud that the others vanish beside it"
        )
    exchange = find_exchange(ours, theirs, len(labels))
    if exchange is not None:
        return f"label order: the answers agree once names are exchanged ({tell_exchange(exchange, labels)})"
    if _piled_up(variant) > max(_PILED_UP, 10 * _piled_up(reference)):
        return (
            "saturation: the numbers pile up at the ends of their range, so the calibration pictures did not show what "
            "these show (black frames, noise, or another range of values)"
        )
    share = float((theirs == _commonest(theirs)).mean())
    if share >= _MOST and float((ours == _commonest(theirs)).mean()) < share / 2:
        return (
            f"it answers {labels[_commonest(theirs)]} for {share:.0%} of the pictures: hardly anything of the picture "
            "comes through, as when calibration pictures showed nothing (black frames), a layer lost its weights, or a "
            "channel is so loud that the others vanish beside it"
        )
    return None


def _is_swapped(found: Swapped) -> bool:
    answers = found.reference.argmax(axis=1)
    before = float((found.variant.argmax(axis=1) == answers).mean())
    after = float((found.exchanged.argmax(axis=1) == answers).mean())
    return bool(np.isfinite(found.exchanged).all()) and after >= _MOST and after > before + (1 - before) / 2


def find_exchange(ours: ClassIds, theirs: ClassIds, class_count: int, least: float = _MOST) -> list[int] | None:
    """Return which answer stands for each class, where that is one-to-one, moves some and explains a share ``least``.

    Args:
        ours: (N,) what the answers should be.
        theirs: (N,) the answers.
        class_count: K.
        least: of the pictures.
    """
    counts = np.zeros((class_count, class_count), int)
    np.add.at(counts, (ours, theirs), 1)
    shown = np.flatnonzero(counts.sum(axis=1))
    partner = {int(row): int(counts[row].argmax()) for row in shown}
    explained = sum(int(counts[row, column]) for row, column in partner.items()) / len(ours)
    one_to_one = len(set(partner.values())) == len(partner)
    moved = any(row != column for row, column in partner.items())
    if len(shown) < 2 or not one_to_one or not moved or explained < least:
        return None
    free = iter(sorted(set(range(class_count)) - set(partner.values())))  # for what no picture shows
    return [partner[class_id] if class_id in partner else next(free) for class_id in range(class_count)]


def tell_exchange(exchange: Sequence[int], labels: Sequence[str]) -> str:
    """Say in words which names are exchanged, at most three of them."""
    moved = [f"{labels[row]} is called {labels[column]}" for row, column in enumerate(exchange) if row != column]
    return ", ".join(moved[:3]) + (f" and {len(moved) - 3} more" if len(moved) > 3 else "")


def _piled_up(logits: Logits) -> float:
    return float(((logits == logits.max()) | (logits == logits.min())).mean())


def _commonest(answers: ClassIds) -> int:
    return int(np.bincount(answers).argmax())
