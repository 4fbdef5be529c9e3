"""Find likely label errors by confident learning: confident answers of the model that contradict the labels.

A difficult class has low confidence everywhere, so one threshold for all would flag its pictures and miss those of
others. Each class has a separate threshold: the mean confidence in it over the pictures with its label. A picture that
exceeds the threshold of another class by more than that of its label is flagged.

Source: Northcutt, Jiang and Chuang, "Confident learning: estimating uncertainty in dataset labels", JAIR 70 (2021).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class LabelError:
    """A picture whose label is likely wrong.

    ``position`` is its row, ``suggested`` the class id that the model is confident of; ``given_probability`` and
    ``suggested_probability`` are the probabilities, 0..1, of the label given and of the suggested one.
    """

    position: int
    suggested: int
    given_probability: float
    suggested_probability: float


def find_label_errors(
    probabilities: npt.NDArray[np.floating[Any]], class_ids: npt.NDArray[np.integer[Any]]
) -> tuple[LabelError, ...]:
    """Return the pictures whose label is likely wrong, the likeliest first.

    They are ranked by the probability of the label given minus that of the suggested one.

    Args:
        probabilities: (N, K) from a model that was not trained on these pictures.
        class_ids: (N,) labels given.
    """
    positions = np.arange(len(class_ids))
    given = probabilities[positions, class_ids]
    counts = np.bincount(class_ids, minlength=probabilities.shape[1])
    sums = np.bincount(class_ids, weights=given, minlength=probabilities.shape[1])
    thresholds = np.where(counts > 0, sums / np.maximum(counts, 1), np.inf)  # (K,); nothing counts to an empty class
    confident = np.where(probabilities >= thresholds, probabilities, -1.0)
    suggested = confident.argmax(axis=1)
    suspects = np.flatnonzero((confident.max(axis=1) >= 0) & (suggested != class_ids))
    margins = given - probabilities[positions, suggested]
    return tuple(
        LabelError(int(p), int(suggested[p]), float(given[p]), float(probabilities[p, suggested[p]]))
        for p in suspects[np.argsort(margins[suspects], kind="stable")]
    )
