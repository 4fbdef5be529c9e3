import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trailcam_core.images.resize import Image
from trailcam_train.field.camera_look import (
    CameraLook,
    draw_look,
    infrared,
    low_light,
    motion_blur,
    stems,
    turn,
    vignette,
)

_OFF = CameraLook(0, 0, 0, 0, 0, 0, 0)


def _picture(height: int = 90, width: int = 120) -> Image:
    noise = np.random.default_rng(1).integers(0, 256, (height, width, 3), np.uint8)
    return np.asarray(cv2.GaussianBlur(noise, (0, 0), 3), np.uint8)


def test_everything_off_changes_nothing() -> None:
    picture = _picture()
    assert np.array_equal(draw_look(picture, _OFF, np.random.default_rng(0)), picture)


@settings(max_examples=20)
@given(st.integers(16, 120), st.integers(16, 120), st.integers(0, 2**32 - 1))
def test_a_look_keeps_shape_type_and_its_argument_and_repeats(height: int, width: int, seed: int) -> None:
    picture = _picture(height, width)
    before = picture.copy()
    look = CameraLook(infrared=0.5, stems=0.5, motion_blur=0.5, turn=0.5, low_light=0.5)
    first, second = (draw_look(picture, look, np.random.default_rng(seed)) for _ in range(2))
    assert first.shape == picture.shape
    assert first.dtype == np.uint8
    assert np.array_equal(first, second)
    assert np.array_equal(picture, before)


def test_infrared_is_grey_with_less_contrast_and_dark_corners() -> None:
    picture = _picture()
    seen = infrared(picture, 0.5, 0.0, 0.6, np.random.default_rng(0))
    assert (seen[..., 0] == seen[..., 1]).all()
    assert (seen[..., 1] == seen[..., 2]).all()
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    middle = slice(35, 55), slice(45, 75)
    assert seen[..., 0][middle].std() < 0.7 * grey[middle].std()
    assert seen[:10, :10].mean() < 0.7 * seen[middle].mean()


def test_noise_is_of_the_stated_deviation() -> None:
    plain = np.full((200, 200, 3), 128, np.uint8)
    seen = infrared(plain, 1.0, 10.0, 0.0, np.random.default_rng(0))[..., 0]
    assert 9 < seen.std() < 11


@pytest.mark.parametrize("share", [0.1, 0.3, 0.4])
def test_stems_hide_about_their_share(share: float) -> None:
    plain = np.full((260, 260, 3), (90, 160, 90), np.uint8)
    hidden = [
        (np.abs(stems(plain, share, np.random.default_rng(seed)).astype(int) - plain).max(axis=2) > 0).mean()
        for seed in range(12)
    ]
    assert share - 0.02 < float(np.mean(hidden)) < share + 0.15


def test_motion_blur_smears_along_its_angle_and_keeps_the_light() -> None:
    dot = np.zeros((41, 41, 3), np.uint8)
    dot[20, 20] = 255
    across = motion_blur(dot, 9, 0)[..., 0].astype(int)
    down = motion_blur(dot, 9, 90)[..., 0].astype(int)
    assert (across.max(axis=0) > 0).sum() == 9
    assert (across.max(axis=1) > 0).sum() == 1
    assert (down.max(axis=1) > 0).sum() >= 8
    assert (down.max(axis=0) > 0).sum() <= 3
    assert 240 < across.sum() < 270
    assert np.array_equal(motion_blur(dot, 2, 45), dot)


def test_a_turned_picture_keeps_its_middle_and_has_no_empty_corner() -> None:
    picture = np.full((90, 120, 3), 200, np.uint8)
    picture[40:50, 55:65] = 20
    turned = turn(picture, 20)
    assert turned.min(axis=2)[:5, :5].min() > 150
    assert turned[45, 60, 0] < 60


def test_less_light_is_darker_or_noisier_and_a_vignette_darkens_corners_only() -> None:
    plain = np.full((80, 80, 3), 120, np.uint8)
    assert low_light(plain, 0.2, np.random.default_rng(0)).std() > 3
    seen = vignette(plain, 0.5)
    assert int(seen[40, 40, 0]) >= 119
    assert int(seen[0, 0, 0]) == 60


def test_a_probability_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match=r"stems is 1\.5"):
        CameraLook(stems=1.5)
