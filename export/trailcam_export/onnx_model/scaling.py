"""From pixel levels to the input values of a foreign ONNX model, per channel."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trailcam_core.errors import ExportError
from trailcam_core.inference.tflite import ValueRange

Channels = tuple[float, float, float]

_LARGEST_UNIT = 1.0  # mean and deviation above are of levels 0 to 255, as Caffe and OpenMMLab state them


@dataclass(frozen=True)
class Scaling:
    """The network sees ``level * scale + offset``, both for red, green and blue; ``text`` is how a user states it."""

    scale: Channels
    offset: Channels
    text: str

    @property
    def arrays(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Scale and offset, (3,) float32 each."""
        return np.asarray(self.scale, np.float32), np.asarray(self.offset, np.float32)


def from_range(value_range: ValueRange) -> Scaling:
    """Return the scaling that maps levels 0 and 255 to these values."""
    low, high = value_range
    scale = (high - low) / 255
    return Scaling((scale,) * 3, (low,) * 3, f"--input-range {low:g} {high:g}")


def from_statistics(mean: Channels, std: Channels) -> Scaling:
    """Return the scaling of a mean and a deviation of each channel, of values 0 to 1 or of levels 0 to 255.

    Raises:
        ExportError: a deviation is not above 0, or one is of values 0 to 1 and the other of levels.
    """
    if min(std) <= 0:
        raise ExportError(f"--std {_join(std)}: expected three numbers above 0, one for red, green and blue.")
    levels = max(std) > _LARGEST_UNIT
    if not levels and max(mean) > _LARGEST_UNIT:
        raise ExportError(
            f"--mean {_join(mean)} is of levels 0 to 255, but --std {_join(std)} of values 0 to 1. State both of "
            "one, as the training did: ImageNet's are 0.485 0.456 0.406 and 0.229 0.224 0.225."
        )
    unit = 1.0 if levels else 255.0
    scale, offset = zip(*((1 / (unit * s), -m / s) for m, s in zip(mean, std, strict=True)), strict=True)
    return Scaling(_triple(scale), _triple(offset), f"--mean {_join(mean)} --std {_join(std)}")


def _triple(values: tuple[float, ...]) -> Channels:
    red, green, blue = values
    return red, green, blue


def _join(values: Channels) -> str:
    return " ".join(f"{value:g}" for value in values)


IDENTITY = from_range((0.0, 255.0))
USUAL = (
    IDENTITY,
    from_range((0.0, 1.0)),
    from_range((-1.0, 1.0)),
    from_statistics((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
)
