"""Which labels are likely wrong, by confident learning: the model's confident answers against the labels given.

A class that the model finds hard has low confidence everywhere, so one threshold for all would accuse its pictures and
spare the others'. Each class has its own: the mean confidence in it over the pictures that carry its label. A picture
that reaches the threshold of another class, more surely than that of its own, is suspected.

Source: Northcutt, Jiang and Chuang, "Confident learning: estimating uncertainty in dataset labels", JAIR 70 (2021).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["LabelError", "find_label_errors"]


@dataclass(frozen=True)
class LabelError:
    """A picture whose label is likely wrong.

    ``position`` is its row, ``suggested`` the class id that it is confidently counted to; ``given_probability`` and
    ``suggested_probability`` are the probabilities, 0..1, of the label given and of the suggested one.
    """

    position: int
    suggested: int
    given_probability: float
    suggested_probability: float


def find_label_errors(
    shares: npt.NDArray[np.floating[Any]], class_ids: npt.NDArray[np.integer[Any]]
) -> tuple[LabelError, ...]:
    """Return the pictures whose label is likely wrong, the likeliest first.

    They are ranked by the probability of the label given minus that of the suggested one.

    Args:
        shares: (N, K) probabilities from a model that was not trained on these pictures.
        class_ids: (N,) labels given.
    """
    positions = np.arange(len(class_ids))
    given = shares[positions, class_ids]
    counts = np.bincount(class_ids, minlength=shares.shape[1])
    sums = np.bincount(class_ids, weights=given, minlength=shares.shape[1])
    thresholds = np.where(counts > 0, sums / np.maximum(counts, 1), np.inf)  # (K,); nothing counts to an empty class
    confident = np.where(shares >= thresholds, shares, -1.0)
    suggested = confident.argmax(axis=1)
    suspects = np.flatnonzero((confident.max(axis=1) >= 0) & (suggested != class_ids))
    margins = given - shares[positions, suggested]
    return tuple(
        LabelError(int(p), int(suggested[p]), float(given[p]), float(shares[p, suggested[p]]))
        for p in suspects[np.argsort(margins[suspects], kind="stable")]
    )
