import cv2
import numpy as np
import pytest

from trailcam_core.field.cutouts import MaskLimits, check_mask, cut_out, feather, find_mask
from trailcam_core.images.resize import Image


def _animal(height: int = 120, width: int = 160) -> tuple[Image, Image]:
    """Give a brown ellipse on a green meadow, with noise, and where it is."""
    rng = np.random.default_rng(0)
    image = np.full((height, width, 3), (60, 140, 60), np.uint8)
    inside = np.zeros((height, width), np.uint8)
    cv2.ellipse(inside, (width // 2, height // 2), (width // 4, height // 4), 0, 0, 360, 255, -1)
    image[inside > 0] = (130, 80, 40)
    noisy = image + rng.normal(0, 6, image.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8), inside


def test_an_animal_on_a_meadow_is_found_to_within_its_outline() -> None:
    image, inside = _animal()
    mask = find_mask(image)
    both, either = (mask > 0) & (inside > 0), (mask > 0) | (inside > 0)
    assert both.sum() / either.sum() > 0.9


def test_the_same_photograph_gives_the_same_mask() -> None:
    image, _ = _animal()
    assert np.array_equal(find_mask(image), find_mask(image))


def test_a_hint_finds_an_animal_at_the_side() -> None:
    image, inside = _animal()
    aside = np.roll(image, 50, axis=1)
    hint = cv2.resize(np.roll(inside, 50, axis=1), (9, 9), interpolation=cv2.INTER_AREA).astype(np.float32)
    mask = find_mask(aside, hint)
    moved = np.roll(inside, 50, axis=1) > 0
    assert ((mask > 0) & moved).sum() / ((mask > 0) | moved).sum() > 0.8


def test_a_cut_out_is_trimmed_and_opaque_inside() -> None:
    image, inside = _animal()
    cutout = cut_out(image)
    assert cutout is not None
    _left, _top, width, height = cv2.boundingRect(inside)
    assert abs(cutout.alpha.shape[1] - width) <= 8
    assert abs(cutout.alpha.shape[0] - height) <= 8
    assert cutout.pixels.shape == (*cutout.alpha.shape, 3)
    assert cutout.alpha[cutout.alpha.shape[0] // 2, cutout.alpha.shape[1] // 2] == 255
    assert cutout.alpha[0, 0] == 0


def test_a_plain_picture_gives_no_cut_out() -> None:
    assert cut_out(np.full((80, 80, 3), 127, np.uint8)) is None
    assert cut_out(np.full((8, 80, 3), 127, np.uint8)) is None


@pytest.mark.parametrize(
    ("rows", "columns", "reason"),
    [
        ((45, 55), (45, 55), "less than"),
        ((0, 100), (5, 95), "more than"),
        ((20, 70), (20, 70), "a rectangle"),
        ((0, 60), (0, 60), "cut off by 2 sides"),
    ],
)
def test_a_mask_that_is_no_animal_is_refused_with_its_reason(
    rows: tuple[int, int], columns: tuple[int, int], reason: str
) -> None:
    mask = np.zeros((100, 100), np.uint8)
    mask[slice(*rows), slice(*columns)] = 255
    assert reason in check_mask(mask)


def test_a_mask_in_pieces_is_refused_and_the_limits_decide() -> None:
    mask = np.zeros((100, 100), np.uint8)
    cv2.circle(mask, (25, 50), 15, 255, -1)
    cv2.circle(mask, (75, 50), 15, 255, -1)
    assert "in pieces" in check_mask(mask)
    assert check_mask(mask, MaskLimits(largest_piece=0.4)) == ""


def test_a_soft_edge_never_reaches_outwards() -> None:
    mask = np.zeros((40, 40), np.uint8)
    cv2.circle(mask, (20, 20), 12, 255, -1)
    soft = feather(mask, 1.5)
    assert (soft[mask == 0] == 0).all()
    assert soft[20, 20] == 255
    assert 0 < int((soft[(mask > 0)] < 255).sum()) < int((mask > 0).sum())
