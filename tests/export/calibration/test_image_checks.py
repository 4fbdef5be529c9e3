"""Checks of calibration pictures."""

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from trailcam_export.calibration.image_checks import unfit_reason, unfit_set_reason

Image = npt.NDArray[np.uint8]


def _photo(seed: int) -> Image:
    """Soft blotches of several sizes, as in a photograph."""
    random = np.random.default_rng(seed)
    layers = [
        cv2.resize(random.random((side, side, 3)), (96, 96), interpolation=cv2.INTER_CUBIC) for side in (4, 9, 24)
    ]
    mixed = 0.5 * layers[0] + 0.3 * layers[1] + 0.2 * layers[2]
    return np.clip(255 * mixed, 0, 255).astype(np.uint8)


def test_a_photograph_may_calibrate_also_a_dark_and_a_grey_one() -> None:
    photo = _photo(0)
    assert unfit_reason(photo) is None
    assert unfit_reason(photo // 4) is None
    assert unfit_reason(np.repeat(photo[..., :1], 3, axis=2)) is None


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (np.zeros((64, 64, 3), np.uint8), "black: no level above 0"),
        (np.random.default_rng(0).integers(0, 10, (64, 64, 3), dtype=np.uint8), "black: no level above 9"),
        (np.full((64, 64, 3), 200, np.uint8), "one flat colour"),
        (np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8), "noise: neighbouring pixels"),
        (_photo(1) // 255, "black: no level above"),
    ],
)
def test_black_flat_noisy_and_wrongly_scaled_pictures_may_not(image: Image, reason: str) -> None:
    found = unfit_reason(image)
    assert found is not None
    assert reason in found


def test_a_set_that_uses_half_the_levels_has_a_wrong_range() -> None:
    assert unfit_set_reason(0, 255) is None
    assert unfit_set_reason(10, 200) is None
    assert "only from level 0 to 127" in str(unfit_set_reason(0, 127))
