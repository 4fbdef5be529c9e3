import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trailcam_core.field.cutouts import Cutout
from trailcam_train.field.compositing import (
    Box,
    CropRule,
    crop_square,
    decoy,
    device_square,
    draw_place,
    draw_square,
    paste,
)

_SIDES = st.integers(20, 400)
_SEEDS = st.integers(0, 2**32 - 1)


def _block(height: int = 20, width: int = 40) -> Cutout:
    return Cutout(np.full((height, width, 3), 200, np.uint8), np.full((height, width), 255, np.uint8))


def test_a_pasted_animal_is_where_its_box_is_and_nowhere_else() -> None:
    frame = np.zeros((100, 200, 3), np.uint8)
    pasted = paste(frame, _block(), Box(50, 30, 80, 40))
    assert (pasted[30:70, 50:130] == 200).all()
    pasted[30:70, 50:130] = 0
    assert not pasted.any()
    assert not frame.any()


def test_an_animal_beyond_the_edge_is_cut_off() -> None:
    frame = np.zeros((100, 200, 3), np.uint8)
    assert (paste(frame, _block(), Box(-40, 80, 80, 40))[80:, :40] == 200).all()
    assert not paste(frame, _block(), Box(300, 10, 80, 40)).any()


def test_light_draws_an_animal_towards_its_scene() -> None:
    frame = np.full((100, 200, 3), 50, np.uint8)
    assert int(paste(frame, _block(), Box(50, 30, 80, 40), light=1.0)[50, 90, 0]) == 50
    assert 50 < int(paste(frame, _block(), Box(50, 30, 80, 40), light=0.5)[50, 90, 0]) < 200


@given(_SIDES, _SIDES, st.floats(0.05, 1.0), _SEEDS)
def test_an_animal_is_placed_in_the_frame_and_keeps_its_proportions(
    width: int, height: int, share: float, seed: int
) -> None:
    cutout = _block()
    box = draw_place(cutout, width, height, share, np.random.default_rng(seed))
    assert box.width / box.height == pytest.approx(2.0)
    assert box.height <= share * height + 1e-6
    assert box.width <= width + 1e-6
    assert box.left >= -0.1 * box.width - 1e-6
    assert box.left + box.width <= width + 0.1 * box.width + 1e-6
    assert box.top >= -0.1 * box.height - 1e-6
    assert box.top + box.height <= height + 0.1 * box.height + 1e-6


@given(_SIDES, _SIDES, st.floats(0, 400), st.floats(0, 400), st.floats(1, 500), st.floats(1, 500), _SEEDS)
def test_crops_are_square_and_inside_of_the_frame(
    width: int, height: int, left: float, top: float, across: float, down: float, seed: int
) -> None:
    box = Box(left, top, across, down)
    for square in (
        device_square(box, width, height, least_px=16),
        draw_square(box, width, height, CropRule(least_px=16), np.random.default_rng(seed)),
    ):
        assert square.width == square.height
        assert square.left >= -1e-6
        assert square.left + square.width <= width + 1e-6
        assert square.top >= -1e-6
        assert square.top + square.height <= height + 1e-6
        crop = crop_square(np.zeros((height, width, 3), np.uint8), square)
        assert abs(crop.shape[0] - square.width) <= 1
        assert abs(crop.shape[1] - square.width) <= 1


def test_a_device_crop_has_its_margin_and_its_least_side() -> None:
    assert device_square(Box(900, 500, 200, 100), 1920, 1080).width == pytest.approx(260)
    assert device_square(Box(900, 500, 20, 10), 1920, 1080).width == 160
    assert device_square(Box(0, 0, 2000, 10), 1920, 1080).width == 1080


def test_a_rule_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match="margins from 1 on"):
        CropRule(margin_min=2.0, margin_max=1.5)
    with pytest.raises(ValueError, match="jitter"):
        CropRule(jitter=0.9)


def test_a_decoy_has_the_outline_of_an_animal_and_the_texture_of_a_scene() -> None:
    alpha = np.zeros((30, 50), np.uint8)
    alpha[5:25, 10:40] = 255
    found = decoy(alpha, np.full((9, 9, 3), 77, np.uint8))
    assert found.pixels.shape == (30, 50, 3)
    assert (found.pixels == 77).all()
    assert found.alpha is alpha
