"""Average the logits of a region's crops, as pure functions."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_MAX_WEIGHT = 30  # crops: an animal that stays for minutes may still be named anew


@dataclass(frozen=True, eq=False)
class MeanLogits:
    """Mean of a region's logits: ``logits`` is (K,) float32, ``looks`` how many crops it is made of."""

    logits: npt.NDArray[np.float32]
    looks: int


def add_logits(mean: MeanLogits | None, logits: npt.NDArray[np.float32]) -> MeanLogits:
    """Return the mean after one more crop.

    Args:
        mean: of the crops before; None begins.
        logits: (K,), finite, of the same K.
    """
    if logits.ndim != 1 or not np.isfinite(logits).all() or (mean is not None and mean.logits.shape != logits.shape):
        raise ValueError(f"expected finite logits of one shape, got {logits.shape}")
    if mean is None:
        return MeanLogits(logits.astype(np.float32), 1)
    looks = mean.looks + 1
    weight = np.float32(1 / min(looks, _MAX_WEIGHT))
    return MeanLogits(np.asarray(mean.logits + weight * (logits - mean.logits), np.float32), looks)
