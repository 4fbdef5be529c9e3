"""Replay of golden vectors: proof that a machine gives the answers of the laboratory, or the likely reason why not."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trailcam_core.bundle.golden_file import GoldenVectors, Logits
from trailcam_core.errors import BundleError
from trailcam_core.images.resize import fit_image
from trailcam_core.inference.decision import probabilities
from trailcam_core.inference.file_model import FileModel, Model
from trailcam_core.spec import GoldenEntry, InputSpec, Manifest

_FITTED_LEVELS = 2  # the bilinear step is bit-exact, but another build may round the halvings before it by one level


@dataclass(frozen=True)
class GoldenReport:
    """The result of a replay. ``culprit`` is None when all agree; ``worst`` is the largest difference of a logit."""

    count: int
    worst: float
    tolerance: float
    culprit: str | None

    @property
    def passed(self) -> bool:
        """True if this machine gives the answers of the laboratory."""
        return self.culprit is None


def replay(model: Model, golden: GoldenVectors, spec: InputSpec, entry: GoldenEntry) -> GoldenReport:
    """Run every golden vector through preprocessing and the model on this machine."""
    got = np.stack([model.invoke(image[None]) for image in golden.images])
    with np.errstate(invalid="ignore"):
        worst = float(np.abs(got - golden.logits).max())  # NaN where the model gives NaN
    fitted = fit_image(golden.source, spec)
    culprit = None
    if np.abs(fitted.astype(np.int16) - golden.fitted.astype(np.int16)).max() > _FITTED_LEVELS:
        culprit = "resize rule: preprocessing gives other pixels here than in the laboratory"
    elif not worst <= entry.tolerance:
        swapped = np.stack([model.invoke(np.ascontiguousarray(image[None, :, :, ::-1])) for image in golden.images])
        culprit = diagnose(golden.logits, got, swapped, entry.tolerance)
    return GoldenReport(len(golden.images), worst, entry.tolerance, culprit)


def diagnose(expected: Logits, got: Logits, swapped: Logits, tolerance: float) -> str:
    """Name the likely reason why a model's answers differ.

    Args:
        expected: (n, K) logits of the laboratory.
        got: (n, K) logits of this machine.
        swapped: (n, K) logits of this machine for the same pictures with red and blue exchanged.
        tolerance: the largest difference of a logit that is still the same answer.
    """

    def same(left: npt.NDArray[np.floating], right: npt.NDArray[np.floating]) -> bool:
        return bool(np.abs(left - right).max() <= tolerance)

    if not np.isfinite(got).all():
        return "broken numbers: the model gives NaN or infinity here"
    if np.isfinite(swapped).all() and same(swapped, expected):
        return "colour order: the answers agree once red and blue are exchanged (RGB against BGR)"
    if np.allclose(got.sum(axis=1), 1, atol=0.02) and np.abs(got - probabilities(expected)).max() < 0.05:
        return "double softmax: the model gives probabilities where logits are expected"
    if same(np.sort(got, axis=1), np.sort(expected, axis=1)):
        return "label order: the same scores come out in another order"
    spread, lab_spread = got.std(axis=0).max(), expected.std(axis=0).max()
    if spread < 0.1 * lab_spread:
        return "value range: all pictures look alike to the model, as when pixels are scaled twice"
    if spread > 10 * lab_spread:
        return "value range: the scores are far too large, as when pixels are not scaled at all"
    return "another model or interpreter: the scores differ without a pattern"


def check_model(model: FileModel, manifest: Manifest, source: str) -> None:
    """Refuse a model whose tensors disagree with the manifest.

    Raises:
        BundleError: naming both sides.
    """
    expected = (manifest.input.height, manifest.input.width)
    if model.input_size != expected:
        raise BundleError(f"{source}: the model's input is {model.input_size} px, the manifest has {expected}.")
    if model.class_count != len(manifest.output.labels):
        raise BundleError(
            f"{source}: the model gives {model.class_count} scores, the manifest lists "
            f"{len(manifest.output.labels)} labels. Export the bundle again."
        )
    declared = manifest.output.feature_map
    shape = model.feature_map_shape
    if shape != (None if declared is None else declared.shape):
        raise BundleError(
            f"{source}: the model's feature map is {shape or 'missing'}, the manifest has "
            f"{declared.shape if declared is not None else 'none'}. Export the bundle again."
        )
