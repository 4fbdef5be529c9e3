"""Compare a converted float file with the trained model right after conversion, on real images.

Several conversion failures raise no error: weights dropped, a graph that was traced in training mode, a batch
normalisation with other statistics. All of them change the logits of the first picture.
"""

import numpy as np

from trailcam_core.bundle.golden_replay import diagnose
from trailcam_core.errors import ExportError
from trailcam_export.inference.batches import Images, Logits
from trailcam_export.inference.predict import Predictor

PARITY_COUNT = 64  # validation pictures; one would do for most failures
# TensorFlow and XNNPACK add up in another order, which moves float32 logits in the sixth digit (5e-6 for a MobileNetV2
# with logits near 5). Twenty to two hundred times that is still far below anything that changes an answer.
PARITY_ABSOLUTE = 1e-3
PARITY_RELATIVE = 1e-4
# Half precision keeps 11 bits of a weight. Measured on EfficientNet-Lite0, 202 pictures, largest logit 14: RMS 0.009,
# at most 0.058. Three times that changes an answer only between two nearly equal classes.
HALF_ABSOLUTE = 0.03
HALF_RELATIVE = 0.01


def parity_tolerance(logits: Logits, scheme: str = "float32") -> float:
    """Return the largest difference of a logit of a ``float32`` or ``float16`` file that is still the same number."""
    largest = float(np.abs(logits).max())
    if scheme == "float16":
        return HALF_ABSOLUTE + HALF_RELATIVE * largest
    return PARITY_ABSOLUTE + PARITY_RELATIVE * largest


def check_parity(
    trained: Predictor, converted: Predictor, images: Images, scheme: str = "float32", name: str = "float32"
) -> float:
    """Compare a float file with the model it was made from and return the largest difference of a logit.

    Args:
        trained: the Keras model.
        converted: the file.
        images: (N, H, W, 3) uint8 RGB, real pictures.
        scheme: ``float32`` or ``float16``.
        name: of the file in messages.

    Raises:
        ExportError: they differ by more than ``parity_tolerance``; the message names the probable cause.
    """
    expected, got = trained.logits(images), converted.logits(images)
    if not np.isfinite(expected).all():
        raise ExportError("The trained model gives NaN or infinity for a real picture. Train the run again.")
    tolerance = parity_tolerance(expected, scheme)
    with np.errstate(invalid="ignore"):
        worst = float(np.abs(got - expected).max())
    if worst <= tolerance:  # false for NaN
        return worst
    swapped = converted.logits(np.ascontiguousarray(images[..., ::-1]))
    culprit = diagnose(expected, got, swapped, tolerance)
    raise ExportError(
        f"The converted {name} file disagrees with the trained model: logits differ by up to {worst:.4g} on "
        f"{len(images)} validation pictures, expected at most {tolerance:.4g}. Likely culprit: {culprit}. Nothing was "
        "exported. A layer of the model converts wrongly: replace it, or report this with the run's recipe.toml."
    )
