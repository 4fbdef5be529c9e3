"""Types that the modules of the field generator share."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]  # (H, W, 3) RGB
Levels = npt.NDArray[np.float32]  # levels of 255, any shape


@dataclass(frozen=True, eq=False)
class CutOut:
    """An animal without its surroundings: ``rgba`` is (H, W, 4) uint8, cropped to what is not transparent."""

    rgba: npt.NDArray[np.uint8]
    label: str
    name: str
