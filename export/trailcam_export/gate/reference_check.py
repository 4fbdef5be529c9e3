"""Check the trained model itself on labelled images: a variant that agrees with a wrong model is wrong as well.

Typical faults of a model trained elsewhere: labels in another order than its outputs, preprocessing outside of the
model, BGR instead of RGB.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from trailcam_core.errors import ExportError
from trailcam_core.statistics.wilson import wilson_interval
from trailcam_export.gate.diagnosis import describe_permutation, find_permutation
from trailcam_export.gate.paired_proportions import pair_outcomes
from trailcam_export.gate.statistics import ClassIds
from trailcam_export.inference.batches import Logits

_NEAR_CHANCE = 0.25  # between guessing and always right; faults outside of the model stay below it
_SURE_Z = 3.0  # of a gain by exchanged colours: one good model in 700 would be reported
_AS_GOOD = 0.1  # colours may explain this much less than labels and still be reported
_MIN_FRACTION = 0.5  # of the images that a permutation of the labels must explain

_OUTSIDE = (
    "Likely causes: preprocessing that was outside of the model in training (preprocess_input of keras.applications, "
    "means of channels, BGR) and must be put inside it as layers; another --input-range; labels in another order"
)


@dataclass(frozen=True)
class SwappedColours:
    """A sample of the images: (N,) true classes, (N, K) logits, and logits with red and blue exchanged."""

    class_ids: ClassIds
    logits: Logits
    exchanged: Logits


def check_reference(
    logits: Logits, class_ids: ClassIds, labels: Sequence[str], swapped: SwappedColours, named: Path
) -> str | None:
    """Return the probable fault of a model, None if there is no sign of one.

    Args:
        logits: (N, K) of the model on test pictures.
        class_ids: (N,) true classes.
        labels: K names.
        swapped: a sample that was run again.
        named: the model, for messages.

    Raises:
        ExportError: the labels are certainly in another order than the outputs; it shows the right order.
    """
    answers = logits.argmax(axis=1)
    right, n = int((answers == class_ids).sum()), len(class_ids)
    low, high = wilson_interval(right, n)
    accuracy = f"{right / n:.1%} of {n:,} test pictures ({low:.1%} to {high:.1%})"
    before = swapped.logits.argmax(axis=1) == swapped.class_ids
    after = swapped.exchanged.argmax(axis=1) == swapped.class_ids
    permutation = find_permutation(class_ids, answers, len(labels), _MIN_FRACTION)
    explained = 0.0 if permutation is None else float((np.array(permutation)[class_ids] == answers).mean())
    if pair_outcomes(before, after).interval(_SURE_Z)[0] > 0 and after.mean() >= explained - _AS_GOOD:
        return (
            f"the trained model is right on {accuracy}, but with red and blue exchanged on {after.mean():.1%} of "
            f"{len(after)}, where it was {before.mean():.1%}: it was trained on BGR pictures (OpenCV, Caffe). Put that "
            "exchange, and the rest of its preprocessing, inside the model as layers"
        )
    if permutation is not None:
        counts = np.zeros((len(labels), len(labels)), int)
        np.add.at(counts, (class_ids, answers), 1)
        moved = [(row, other) for row, other in enumerate(permutation) if row != other and counts[row].any()]
        # among the answers with either name, the other one is certainly more frequent
        proven = all(
            wilson_interval(counts[row, other], counts[row, other] + counts[row, row])[0] > _MIN_FRACTION
            for row, other in moved
        )
        exchanged = describe_permutation(permutation, labels)
        if proven:
            raise ExportError(
                f"{named}: its outputs are in another order than the labels ({exchanged}, beyond doubt on {n:,} test "
                f"pictures). The order that fits the folders is: {', '.join(_order(permutation, labels))}. Write "
                "--labels in that order."
            )
        return f"the trained model is right on {accuracy}. Likely cause: label order ({exchanged})"
    chance = 1 / len(labels)
    if right / n <= chance or high < chance + _NEAR_CHANCE * (1 - chance):
        return (
            f"the trained model itself is right on only {accuracy}, and chance would give {chance:.1%}: a file that "
            f"agrees with it is no better. {_OUTSIDE}"
        )
    return None


def check_scaling(logits: Logits, class_ids: ClassIds, others: Sequence[tuple[str, Logits]], named: Path) -> None:
    """Refuse a foreign model that is certainly better with other input values for the same pixels.

    Args:
        logits: (N, K) of the model on a sample of the test pictures, scaled as stated.
        class_ids: (N,) true classes.
        others: how another scaling is stated, and the (N, K) logits with it.
        named: the model, for messages.

    Raises:
        ExportError: naming the scaling with which it is better, the best of them.
    """
    before = logits.argmax(axis=1) == class_ids
    chance = float(np.bincount(class_ids).max() / len(class_ids))
    proven = []
    for text, answers in others:
        after = answers.argmax(axis=1) == class_ids
        # Always one answer is better than labels in another order, and proves nothing.
        knows = wilson_interval(int(after.sum()), len(after))[0] > chance
        if knows and pair_outcomes(before, after).interval(_SURE_Z)[0] > 0:
            proven.append((float(after.mean()), text))
    if proven:
        right, text = max(proven)
        raise ExportError(
            f"{named}: right on {before.mean():.1%} of {len(before)} test pictures as their pixels are scaled now, and "
            f"on {right:.1%} with {text}: they are scaled twice, or not at all. State that, or leave --input-range out."
        )


def _order(permutation: Sequence[int], labels: Sequence[str]) -> list[str]:
    """Return the name of each output."""
    names = dict(zip(permutation, labels, strict=True))
    return [names[position] for position in range(len(labels))]
