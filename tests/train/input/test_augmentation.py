import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trailcam_core.images.resize import PADDING_LEVEL, Image, fit_image
from trailcam_core.spec import InputSpec
from trailcam_train.input.augmentation import ARTICLE, OFF, Augmentation, augment, decoding_spec

_FITS = st.sampled_from(["crop", "letterbox", "stretch"])
_SIDES = st.integers(16, 150)
_EVERYTHING = Augmentation(0.2, 0.3, 0.5, 15, 0.1, 0.4, 0.3, 0.3, 0.3, 0.1, 0.3, 0.3, 8, 0.5)


def _scene(height: int, width: int, seed: int = 0) -> Image:
    """Give a picture of soft blobs: (height, width, 3) uint8; soft, so that half a pixel changes little."""
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    soft = cv2.GaussianBlur(noise, (0, 0), 5).astype(np.float32)
    return np.clip((soft - soft.mean()) * 8 + 128, 0, 255).astype(np.uint8)


def _mean_difference(first: Image, second: Image) -> float:
    return float(np.abs(first.astype(int) - second.astype(int)).mean())


@given(_SIDES, _SIDES, _SIDES, _SIDES, _FITS)
def test_everything_off_gives_exactly_what_the_device_makes(
    height: int, width: int, rows: int, columns: int, fit: str
) -> None:
    image, spec = _scene(height, width), InputSpec(rows, columns, fit)
    assert np.array_equal(augment(image, spec, OFF, np.random.default_rng(0)), fit_image(image, spec))
    assert decoding_spec(spec, OFF) == decoding_spec(spec, None) == spec


@given(_SIDES, _SIDES, _FITS)
def test_a_flip_is_the_mirror_image_exactly(height: int, width: int, fit: str) -> None:
    image, spec = _scene(height, width), InputSpec(32, 48, fit)
    flipped = augment(image, spec, Augmentation(flip=1.0), np.random.default_rng(0))
    assert np.array_equal(flipped, fit_image(image, spec)[:, ::-1])
    assert flipped.flags.c_contiguous


@given(st.integers(40, 150), st.integers(40, 150), _FITS)
def test_a_warp_that_hardly_moves_gives_nearly_what_the_device_makes(height: int, width: int, fit: str) -> None:
    image, spec = _scene(height, width), InputSpec(40, 40, fit)
    still = Augmentation(rotate_deg=1e-6)
    # 3 levels: halving and then bilinear in two steps against one warp; a shift of one pixel alone makes 8.
    assert _mean_difference(augment(image, spec, still, np.random.default_rng(0)), fit_image(image, spec)) < 3


@pytest.mark.parametrize("fit", ["crop", "letterbox", "stretch"])
def test_halving_before_a_warp_does_not_shift_the_picture(fit: str) -> None:
    image = np.asarray(cv2.resize(_scene(50, 60), (480, 400), interpolation=cv2.INTER_CUBIC), np.uint8)
    spec = InputSpec(50, 60, fit)
    still = augment(image, spec, Augmentation(rotate_deg=1e-6), np.random.default_rng(0))
    # Without the quarter pixels of the three halvings it is about 3 levels.
    assert _mean_difference(still, fit_image(image, spec)) < 1


def test_a_large_picture_is_averaged_not_sampled_when_it_is_warped() -> None:
    image = np.zeros((512, 512, 3), np.uint8)
    image[::2] = 255  # lines that sampling every eighth row would turn into black or white
    view = augment(image, InputSpec(64, 64, "stretch"), Augmentation(rotate_deg=1e-6), np.random.default_rng(0))
    assert abs(view.astype(int) - 127).max() <= 2


def test_flip_and_zoom_are_the_mirror_image_of_the_same_zoom() -> None:
    image, spec = _scene(90, 120), InputSpec(64, 64, "crop")
    # The flip is drawn first, so both draw the same zoom after it.
    plain = augment(image, spec, Augmentation(zoom=0.3, flip=1e-12), np.random.default_rng(5))
    flipped = augment(image, spec, Augmentation(zoom=0.3, flip=1.0), np.random.default_rng(5))
    assert _mean_difference(flipped, plain[:, ::-1]) < 0.5  # warpAffine rounds places to 1/32 px


def test_shear_pushes_the_far_edge_by_the_stated_share() -> None:
    image = np.zeros((100, 100, 3), np.uint8)
    image[:, 49:51] = 255
    leans = []
    for seed in range(40):
        view = augment(image, InputSpec(100, 100, "stretch"), Augmentation(shear=0.2), np.random.default_rng(seed))
        leans.append((int(view[99, :, 0].argmax()) - int(view[0, :, 0].argmax())) / 99)
    assert max(np.abs(leans)) <= 0.21
    assert max(leans) > 0.15  # 0.2 is 11 degrees, not 0.2 degrees
    assert min(leans) < -0.15


def test_zoom_scales_width_and_height_apart_and_both_ways() -> None:
    image = np.zeros((101, 101, 3), np.uint8)
    image[30:71, 30:71] = 255  # 41 px a side
    sizes = []
    for seed in range(40):
        view = augment(image, InputSpec(101, 101, "stretch"), Augmentation(zoom=0.2), np.random.default_rng(seed))
        sizes.append(((view[50, :, 0] > 127).sum() / 41, (view[:, 50, 0] > 127).sum() / 41))
    widths, heights = np.array(sizes).T
    for scale in (widths, heights):
        assert 1 / 1.2 - 0.03 < scale.min() < 0.9
        assert 1.15 < scale.max() < 1 / 0.8 + 0.03
    assert np.abs(widths - heights).max() > 0.1


def test_a_crop_shows_its_share_of_the_area_somewhere_in_the_whole_picture() -> None:
    ramp = np.zeros((100, 300, 3), np.uint8)
    ramp[:, :, 0] = np.linspace(0, 250, 300).astype(np.uint8)
    ramp[:, :, 1] = np.linspace(0, 250, 100).astype(np.uint8)[:, None]
    lowest, highest = 255.0, 0.0
    for seed in range(60):
        view = augment(ramp, InputSpec(50, 50, "crop"), Augmentation(crop_area_min=0.3), np.random.default_rng(seed))
        width = (float(view[25, -1, 0]) - float(view[25, 0, 0])) / 250 * 3  # as a share of the 100 px that fit
        height = (float(view[-1, 25, 1]) - float(view[0, 25, 1])) / 250
        assert 0.25 < width * height < 1.05
        lowest, highest = min(lowest, view[..., 0].min()), max(highest, view[..., 0].max())
    assert lowest < 40  # the device would only see 83 to 167
    assert highest > 210


def test_what_lies_outside_is_the_repeated_edge_or_the_grey_of_the_letterbox() -> None:
    white = np.full((64, 64, 3), 255, np.uint8)
    far = Augmentation(translate=0.9)
    assert augment(white, InputSpec(32, 32, "crop"), far, np.random.default_rng(0)).min() == 255
    assert augment(white, InputSpec(32, 32, "letterbox"), far, np.random.default_rng(0)).min() == PADDING_LEVEL


def test_letterbox_bars_stay_where_they_are_without_geometry() -> None:
    spec = InputSpec(40, 40, "letterbox")
    view = augment(_scene(20, 80), spec, Augmentation(rotate_deg=1e-6), np.random.default_rng(0))
    assert (view[:9] == PADDING_LEVEL).all()
    assert (view[31:] == PADDING_LEVEL).all()


def test_greyscale_gives_the_luma_that_opencv_gives() -> None:
    image, spec = _scene(40, 40), InputSpec(40, 40, "stretch")
    view = augment(image, spec, Augmentation(greyscale=1.0), np.random.default_rng(0))
    assert np.array_equal(view[..., 0], view[..., 2])
    assert np.abs(view[..., 0].astype(int) - cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)).max() <= 1  # rounding


@pytest.mark.parametrize("name", ["saturation", "hue"])
def test_saturation_and_hue_leave_grey_pictures_and_brightness_alone(name: str) -> None:
    spec = InputSpec(40, 40, "stretch")
    grey = np.repeat(_scene(40, 40)[..., :1], 3, axis=2)
    view = augment(grey, spec, Augmentation(**{name: 0.5}), np.random.default_rng(2))
    assert np.abs(view.astype(int) - grey).max() <= 1  # rounding
    soft = (_scene(40, 40) // 4 + 96).astype(np.uint8)  # no clipping
    changed = augment(soft, spec, Augmentation(**{name: 0.5}), np.random.default_rng(2))
    assert _mean_difference(changed, soft) > 1
    assert np.abs(_luma(changed) - _luma(soft)).max() <= 1.5


def _luma(image: Image) -> np.ndarray:
    return image.astype(np.float64) @ np.array([0.299, 0.587, 0.114])


def test_contrast_keeps_the_mean_and_brightness_scales_it() -> None:
    soft, spec = (_scene(40, 40) // 4 + 96).astype(np.uint8), InputSpec(40, 40, "stretch")
    contrast = augment(soft, spec, Augmentation(contrast=0.5), np.random.default_rng(2))
    assert _luma(contrast).mean() == pytest.approx(_luma(soft).mean(), abs=1)
    assert abs(_luma(contrast).std() / _luma(soft).std() - 1) > 0.05
    bright = augment(soft, spec, Augmentation(brightness=0.3), np.random.default_rng(2))
    factor = np.random.default_rng(2).uniform(0.7, 1.3)
    assert _luma(bright).mean() == pytest.approx(_luma(soft).mean() * factor, abs=1)


def test_noise_blur_and_erasing_do_what_they_say() -> None:
    flat, spec = np.full((60, 60, 3), 100, np.uint8), InputSpec(60, 60, "stretch")
    noisy = augment(flat, spec, Augmentation(noise=20), np.random.default_rng(0))
    assert 1 < noisy.std() < 21
    sharp = _scene(60, 60)
    sharp[::2] = 255
    assert augment(sharp, spec, Augmentation(blur=1.0), np.random.default_rng(0)).std() < sharp.std()
    erased = (augment(flat, spec, Augmentation(erase=1.0), np.random.default_rng(0)) != 100).any(axis=2)
    assert 0.015 < erased.mean() < 0.22
    assert erased[np.ix_(erased.any(axis=1), erased.any(axis=0))].all()  # one rectangle


@given(_SIDES, _SIDES, _FITS, st.integers(0, 10_000))
def test_the_same_chance_gives_the_same_picture_and_the_input_is_not_changed(
    height: int, width: int, fit: str, seed: int
) -> None:
    image, spec = _scene(height, width), InputSpec(24, 32, fit)
    before = image.copy()
    first = augment(image, spec, _EVERYTHING, np.random.default_rng(seed))
    assert first.shape == (24, 32, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, augment(image, spec, _EVERYTHING, np.random.default_rng(seed)))
    assert np.array_equal(image, before)


def test_looking_closer_asks_for_a_larger_picture() -> None:
    spec = InputSpec(100, 80, "crop")
    assert decoding_spec(spec, ARTICLE) == InputSpec(125, 100, "crop")
    assert decoding_spec(spec, Augmentation(crop_area_min=0.25)) == InputSpec(200, 160, "crop")


@pytest.mark.parametrize("change", [{"flip": 1.1}, {"zoom": -0.1}, {"zoom": 0.95}, {"noise": math.nan}])
def test_settings_out_of_range_are_a_wrong_call(change: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(change))} is"):
        Augmentation(**change)
