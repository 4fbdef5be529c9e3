"""A foreign model with other input values for the same pixels, to find a range that was stated wrongly."""

from collections.abc import Iterator

import keras

from trailcam_export.inference.predict import KerasPredictor, Predictor
from trailcam_export.keras_model.load_foreign_model import stated_range, with_range
from trailcam_export.onnx_model.open_onnx import OnnxClassifier
from trailcam_export.onnx_model.predict import OnnxPredictor
from trailcam_export.onnx_model.scaling import USUAL

_SAME = 1e-3  # two ranges whose ends differ by less are one, but for rounding
_RANGES = ((0.0, 255.0), (0.0, 1.0), (-1.0, 1.0))


def other_scalings(model: keras.Model | OnnxClassifier | None) -> Iterator[tuple[str, Predictor]]:
    """Yield how a user would state each usual scaling but the model's own, and the model with it.

    Args:
        model: a rebuilt foreign model, or None for a run, whose range is its own.
    """
    if isinstance(model, OnnxClassifier):
        if model.original.floats:
            for scaling in USUAL:
                if scaling.text != model.scaling.text:
                    yield scaling.text, OnnxPredictor(model.with_scaling(scaling))
    elif model is not None:
        own = stated_range(model)
        for low, high in _RANGES:
            if max(abs(low - own[0]), abs(high - own[1])) > _SAME:
                yield f"--input-range {low:g} {high:g}", KerasPredictor(with_range(model, low, high))
