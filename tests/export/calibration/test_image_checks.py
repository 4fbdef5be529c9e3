"""What may calibrate, and what is nearly the same picture."""

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from trailcam_export.calibration.image_checks import (
    NEAR_BITS,
    nearest,
    picture_hash,
    stack_hashes,
    unfit_reason,
    unfit_set_reason,
)

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


@pytest.mark.parametrize("seed", range(4))
def test_copies_of_a_photograph_are_near_and_others_are_not(seed: int) -> None:
    photo = _photo(seed)
    own = picture_hash(photo)
    _, packed = cv2.imencode(".jpg", photo, [cv2.IMWRITE_JPEG_QUALITY, 40])
    copies = [
        cv2.imdecode(packed, cv2.IMREAD_COLOR),
        cv2.resize(photo, (60, 70), interpolation=cv2.INTER_AREA),
        np.clip(photo.astype(int) + 20, 0, 255).astype(np.uint8),
    ]
    for copy in copies:
        assert nearest(picture_hash(copy), own[None])[1] <= NEAR_BITS
    others = stack_hashes([picture_hash(_photo(other)) for other in range(10, 40)])
    assert nearest(own, others)[1] > NEAR_BITS


def test_no_hashes_are_an_empty_stack() -> None:
    assert stack_hashes([]).shape == (0, 128)
