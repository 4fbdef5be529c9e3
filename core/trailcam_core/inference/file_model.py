"""The common part of the interpreters: a classifier in a file, with its input, output and shape checks."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from trailcam_core.errors import BundleError

_MOST_CHARACTERS = 200  # of an exception's text in a message


class Model(Protocol):
    """A classifier that takes (1, height, width, 3) uint8 RGB and returns K float32 scores."""

    @property
    def input_size(self) -> tuple[int, int]:
        """Height and width in pixels."""

    @property
    def class_count(self) -> int:
        """K, the number of scores."""

    def invoke(self, input_tensor: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Return the (K,) float32 scores of one (1, height, width, 3) uint8 RGB input."""


@dataclass(frozen=True)
class TensorInfo:
    """Shape and number format of an input or output: real value = (stored - zero_point) * scale; scale 0 is float."""

    shape: tuple[int, ...]
    dtype: str
    scale: float
    zero_point: int


class FileModel(ABC):
    """A classifier that was opened from a file and whose shapes were checked.

    Args:
        path: the file.
        input_info: its only input.
        output_info: its scores.
        features_info: its second output, a feature map; None where there is none.

    Raises:
        BundleError: the shapes are not those of a classifier of RGB pictures.
    """

    def __init__(
        self, path: Path, input_info: TensorInfo, output_info: TensorInfo, features_info: TensorInfo | None = None
    ) -> None:
        self.path = path
        self.input = input_info
        self.output = output_info
        self.features = features_info
        shape, scores = input_info.shape, output_info.shape
        if len(shape) != 4 or shape[0] != 1 or shape[3] != 3 or min(shape) < 1:
            raise BundleError(f"{path}: the model's input is {shape}, expected (1, height, width, 3).")
        if min(scores, default=0) < 1 or int(np.prod(scores)) != scores[-1]:
            raise BundleError(f"{path}: the model's output is {scores}, expected (1, classes).")
        map_shape = (1, 1, 1, 1) if features_info is None else features_info.shape
        if len(map_shape) != 4 or map_shape[0] != 1 or min(map_shape) < 1:
            raise BundleError(
                f"{path}: the model has 2 outputs, expected 1, or a map (1, h, w, C) as the second: it is {map_shape}."
            )

    @property
    def input_size(self) -> tuple[int, int]:
        """Height and width of the input in pixels."""
        return self.input.shape[1], self.input.shape[2]

    @property
    def class_count(self) -> int:
        """Number of scores."""
        return self.output.shape[-1]

    @property
    def feature_map_shape(self) -> tuple[int, ...] | None:
        """(1, h, w, C) of the second output; None where there is none."""
        return None if self.features is None else self.features.shape

    @property
    @abstractmethod
    def gives_probabilities(self) -> bool:
        """True if the graph ends with a softmax or sigmoid instead of logits."""

    def invoke(self, input_tensor: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Run the model on one (1, height, width, 3) uint8 RGB input and return its (K,) float32 scores.

        Raises:
            BundleError: the model fails while it runs.
            ValueError: the input has another shape or dtype.
        """
        self._check_input(input_tensor)
        return self._invoke(input_tensor)

    def invoke_with_features(
        self, input_tensor: npt.NDArray[np.uint8]
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Run the model like ``invoke``; return the scores and the (h, w, C) float32 feature map.

        Raises:
            BundleError: the model fails while it runs.
            ValueError: the input has another shape or dtype, or the model has no feature map.
        """
        if self.features is None:
            raise ValueError("the model has no second output with a feature map")
        self._check_input(input_tensor)
        scores = self._invoke(input_tensor)
        return scores, self._read_features().reshape(self.features.shape[1:])

    def _check_input(self, input_tensor: npt.NDArray[np.uint8]) -> None:
        if input_tensor.shape != self.input.shape or input_tensor.dtype != np.uint8:
            raise ValueError(
                f"input_tensor must be {self.input.shape} uint8, got {input_tensor.shape} {input_tensor.dtype}"
            )

    @abstractmethod
    def _invoke(self, input_tensor: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Run the interpreter on a checked input."""

    @abstractmethod
    def _read_features(self) -> npt.NDArray[np.float32]:
        """Return the feature map of the last ``_invoke``, in real numbers."""


def first_line(error: Exception) -> str:
    """Return the first line of an exception's text; a long one ends with its last whole sentence or word."""
    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    if len(line) <= _MOST_CHARACTERS:
        return line
    cut = line[:_MOST_CHARACTERS]
    sentences, _, rest = cut.rpartition(". ")
    return sentences if sentences and rest else f"{cut.rpartition(' ')[0] or cut} ..."
