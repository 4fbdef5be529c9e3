"""Temperature scaling: one number that calibrates the probabilities of a classifier.

Probabilities are softmax(logits / T). T above 1 tames an overconfident model, T below 1 sharpens a timid one; the order
of the candidates never changes.

Source: Guo et al., "On calibration of modern neural networks", ICML 2017.
"""

from math import exp, log

import numpy as np
import numpy.typing as npt

# A fit outside these bounds means that the pictures are too few or too easy: a model that is right on every picture
# would get T = 0 and then be "100 % sure" of everything.
LOWEST_TEMPERATURE = 0.1
HIGHEST_TEMPERATURE = 10.0
_HALVINGS = 50  # of the bracket of log T, which is 4.6 wide: below the spacing of float64 there


def negative_log_likelihood(
    logits: npt.NDArray[np.floating], class_ids: npt.NDArray[np.integer], temperature: float
) -> float:
    """Return the mean over pictures of -log softmax(logits / temperature)[true class], in nats.

    Args:
        logits: (N, K), finite; N at least 1.
        class_ids: (N,) true classes in 0..K-1.
        temperature: above 0.
    """
    scaled = logits.astype(np.float64) / temperature  # (N, K)
    scaled -= scaled.max(axis=1, keepdims=True)
    own = np.take_along_axis(scaled, class_ids[:, None], axis=1)[:, 0]  # (N,)
    return float(np.mean(np.log(np.exp(scaled).sum(axis=1)) - own))


def fit_temperature(logits: npt.NDArray[np.floating], class_ids: npt.NDArray[np.integer]) -> float:
    """Return the temperature that makes the probabilities of these pictures most likely, in 0.1..10.

    The loss is convex in 1 / T, so its slope changes sign once; that place is found by bisection over log T.

    Args:
        logits: (N, K) of pictures that the model was not trained on, finite; N at least 1.
        class_ids: (N,) true classes in 0..K-1.

    Raises:
        ValueError: other shapes, no picture, a class out of range, or logits that are not finite.
    """
    if logits.ndim != 2 or class_ids.shape != logits.shape[:1] or not len(logits):
        raise ValueError(f"expected logits (N, K) and class_ids (N,), got {logits.shape} and {class_ids.shape}")
    if class_ids.min() < 0 or class_ids.max() >= logits.shape[1]:
        raise ValueError(f"class_ids must lie in 0..{logits.shape[1] - 1}")
    if not np.isfinite(logits).all():
        raise ValueError("logits hold NaN or infinity")
    centred = logits.astype(np.float64)
    centred -= centred.max(axis=1, keepdims=True)  # (N, K)
    own = np.take_along_axis(centred, class_ids[:, None], axis=1).mean()
    low, high = log(LOWEST_TEMPERATURE), log(HIGHEST_TEMPERATURE)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        weights = np.exp(centred / exp(middle))  # (N, K)
        expected = (weights * centred).sum(axis=1) / weights.sum(axis=1)  # (N,), the mean logit under the model
        if expected.mean() > own:  # slope of the loss in 1 / T is positive: 1 / T is too large, T too small
            low = middle
        else:
            high = middle
    return exp((low + high) / 2)
