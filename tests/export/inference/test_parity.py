"""A conversion that looks like success does not pass."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from trailcam_core.errors import ExportError
from trailcam_export.convert.to_tflite import convert_float32
from trailcam_export.inference.parity import check_parity
from trailcam_export.inference.predict import FilePredictor, KerasPredictor

Images = npt.NDArray[np.uint8]
Logits = npt.NDArray[np.float32]


class _Linear:
    """Logits that are a fixed linear function of the mean colour, with a fault to choose."""

    def __init__(self, fault: str = "") -> None:
        self._fault = fault

    def logits(self, images: Images) -> Logits:
        seen = images[..., ::-1] if self._fault == "BGR" else images
        colours = seen.mean(axis=(1, 2)) / 32
        logits = np.stack([colours[:, 0], colours[:, 1] * 2, colours[:, 2] * 3 - 1], axis=1)
        if self._fault == "NaN":
            logits[3, 1] = np.nan
        if self._fault == "labels":
            logits = logits[:, ::-1]
        if self._fault == "tiny":
            logits = logits + 1e-4
        return np.asarray(logits, np.float32)


def test_a_difference_in_the_sixth_digit_passes_and_is_reported(images: Images) -> None:
    assert check_parity(_Linear(), _Linear("tiny"), images) == pytest.approx(1e-4, rel=0.05)


@pytest.mark.parametrize(
    ("fault", "culprit"), [("BGR", "colour order"), ("NaN", "broken numbers"), ("labels", "label order")]
)
def test_a_wrong_file_stops_the_export_and_the_culprit_is_named(images: Images, fault: str, culprit: str) -> None:
    with pytest.raises(ExportError, match=f"Likely culprit: {culprit}"):
        check_parity(_Linear(), _Linear(fault), images)


def test_a_trained_model_that_gives_nan_is_to_blame_itself(images: Images) -> None:
    with pytest.raises(ExportError, match="trained model gives NaN"):
        check_parity(_Linear("NaN"), _Linear(), images)


def test_dropped_weights_do_not_pass(tiny: Any, images: Images, tmp_path: Path) -> None:
    emptied = tiny.build()
    for weight in emptied.weights:
        weight.assign(np.zeros(weight.shape, np.float32))
    (tmp_path / "model.tflite").write_bytes(convert_float32(emptied))
    with pytest.raises(ExportError, match="value range: all pictures look alike"):
        check_parity(KerasPredictor(tiny.model), FilePredictor(tmp_path / "model.tflite"), images)


def test_one_dropped_layer_does_not_pass(tiny: Any, images: Images, tmp_path: Path) -> None:
    damaged = tiny.build()
    for target, source in zip(damaged.weights, tiny.model.weights, strict=True):
        target.assign(source)
    beta = damaged.layers[3].weights[1]
    beta.assign(np.full(beta.shape, 0.05, np.float32))
    (tmp_path / "model.tflite").write_bytes(convert_float32(damaged))
    with pytest.raises(ExportError, match="disagrees with the trained model"):
        check_parity(KerasPredictor(tiny.model), FilePredictor(tmp_path / "model.tflite"), images)
