"""The probable cause of a failed gate, in words.

Each pattern is one that a known mistake leaves in the logits. If none fits, no cause is reported.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trailcam_export.gate.statistics import ClassIds
from trailcam_export.inference.batches import Logits

SWAP_COUNT = 64  # images run again with red and blue exchanged

_MIN_FRACTION = 0.9  # of the images that follow a pattern
_CONSTANT = 0.02  # deviation of a logit over images, relative to the reference's: the image has no influence
_SATURATED = 0.2  # fraction of logits at the very ends of their range; int8 calibrated on photographs: 0.001


@dataclass(frozen=True)
class ChannelSwap:
    """Logits of the same images: of the reference, of the variant, and of the variant with red and blue exchanged."""

    reference: Logits
    variant: Logits
    exchanged: Logits


def diagnose(
    reference: Logits, variant: Logits, labels: Sequence[str], swapped: ChannelSwap | None = None
) -> str | None:
    """Return the probable cause of a failed gate, None if no known pattern fits.

    Args:
        reference: (N, K) logits of the float model, finite.
        variant: (N, K) logits of the file.
        labels: K names.
        swapped: some images run again, if possible.
    """
    if not np.isfinite(variant).all():
        return "a layer overflows or divides by zero: NaN or infinity comes out"
    if variant.min() >= 0 and np.abs(variant.sum(axis=1) - 1).max() <= 0.02 + variant.shape[1] / 512:
        return "a softmax inside the file: what reads it applies another, and all confidence is gone"
    if swapped is not None and _is_swapped(swapped):
        return "colour order: the answers come back once red and blue are exchanged (RGB against BGR)"
    return _diagnose_answers(reference, variant, labels)


def _diagnose_answers(reference: Logits, variant: Logits, labels: Sequence[str]) -> str | None:
    ours, theirs = reference.argmax(axis=1), variant.argmax(axis=1)
    commonest = int(np.bincount(theirs).argmax())
    if float(variant.std(axis=0).max()) <= _CONSTANT * float(reference.std(axis=0).max()):
        return (
            f"it answers {labels[commonest]} for every picture: a layer gives the same numbers for all, as with "
            "weights of zero, ranges calibrated on pictures that showed nothing (black frames), or a channel so loud "
            "that the others vanish beside it"
        )
    permutation = find_permutation(ours, theirs, len(labels))
    if permutation is not None:
        return f"label order: the answers agree once names are exchanged ({describe_permutation(permutation, labels)})"
    if _saturation(variant) > max(_SATURATED, 10 * _saturation(reference)):
        return (
            "saturation: the numbers pile up at the ends of their range, so the calibration pictures did not show what "
            "these show (black frames, noise, or another range of values)"
        )
    fraction = float((theirs == commonest).mean())
    if fraction >= _MIN_FRACTION and float((ours == commonest).mean()) < fraction / 2:
        return (
            f"it answers {labels[commonest]} for {fraction:.0%} of the pictures: the picture has almost no influence, "
            "as when calibration pictures showed nothing (black frames), a layer lost its weights, or a channel is so "
            "loud that the others vanish beside it"
        )
    return None


def _is_swapped(found: ChannelSwap) -> bool:
    answers = found.reference.argmax(axis=1)
    before = float((found.variant.argmax(axis=1) == answers).mean())
    after = float((found.exchanged.argmax(axis=1) == answers).mean())
    return bool(np.isfinite(found.exchanged).all()) and after >= _MIN_FRACTION and after > before + (1 - before) / 2


def find_permutation(
    ours: ClassIds, theirs: ClassIds, class_count: int, min_fraction: float = _MIN_FRACTION
) -> list[int] | None:
    """Return the answer for each class if that mapping is one-to-one, not the identity, and explains the answers.

    Args:
        ours: (N,) expected answers.
        theirs: (N,) answers.
        class_count: K.
        min_fraction: of the images that the permutation must explain.
    """
    counts = np.zeros((class_count, class_count), int)
    np.add.at(counts, (ours, theirs), 1)
    shown = np.flatnonzero(counts.sum(axis=1))
    partner = {int(row): int(counts[row].argmax()) for row in shown}
    explained = sum(int(counts[row, column]) for row, column in partner.items()) / len(ours)
    one_to_one = len(set(partner.values())) == len(partner)
    moved = any(row != column for row, column in partner.items())
    if len(shown) < 2 or not one_to_one or not moved or explained < min_fraction:
        return None
    free = iter(sorted(set(range(class_count)) - set(partner.values())))  # for what no picture shows
    return [partner[class_id] if class_id in partner else next(free) for class_id in range(class_count)]


def describe_permutation(permutation: Sequence[int], labels: Sequence[str]) -> str:
    """Describe the exchanged names in words, at most three of them."""
    moved = [f"{labels[row]} is called {labels[column]}" for row, column in enumerate(permutation) if row != column]
    return ", ".join(moved[:3]) + (f" and {len(moved) - 3} more" if len(moved) > 3 else "")


def _saturation(logits: Logits) -> float:
    return float(((logits == logits.max()) | (logits == logits.min())).mean())
