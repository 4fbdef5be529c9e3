"""Files are asked by a few interpreters, however many cores there are."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import trailcam_export.inference.predict
from trailcam_export.inference.predict import FilePredictor


class _Interpreter:
    """Answers with the first pixel of each picture."""

    class_count = 3

    def invoke(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        return images[0, 0, 0].astype(np.float32)


@pytest.mark.parametrize(("cores", "opened"), [(1, 1), (3, 3), (4, 4), (32, 4)])
def test_memory_does_not_grow_with_every_core(monkeypatch: pytest.MonkeyPatch, cores: int, opened: int) -> None:
    made: list[_Interpreter] = []

    def open_model(*_: Any, **__: Any) -> _Interpreter:
        made.append(_Interpreter())
        return made[-1]

    monkeypatch.setattr(trailcam_export.inference.predict, "usable_cores", lambda: cores)
    monkeypatch.setattr(trailcam_export.inference.predict, "open_model", open_model)
    images = np.random.default_rng(0).integers(0, 256, (11, 2, 2, 3), dtype=np.uint8)
    assert np.array_equal(FilePredictor(Path("model.tflite")).logits(images), images[:, 0, 0].astype(np.float32))
    assert len(made) == opened
