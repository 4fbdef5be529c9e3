"""Boxes and the square crop: inside of the picture, square, as large as asked for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trailcam_core.images.boxes import Box, square_crop

FRACTIONS = st.floats(0, 1)


@st.composite
def boxes(draw: st.DrawFn) -> Box:
    x, y = draw(FRACTIONS), draw(FRACTIONS)
    return Box(x, y, draw(st.floats(0, 1 - x)), draw(st.floats(0, 1 - y)))


@given(boxes(), st.integers(1, 3000), st.integers(1, 3000), st.floats(1, 4), st.integers(16, 4096))
def test_a_crop_is_a_square_inside_of_the_picture(
    box: Box, height: int, width: int, margin: float, min_side_px: int
) -> None:
    crop = square_crop(box, (height, width), margin, min_side_px)
    assert crop.width == crop.height >= 1
    assert 0 <= crop.left <= crop.left + crop.width <= width
    assert 0 <= crop.top <= crop.top + crop.height <= height


@given(boxes(), st.floats(1, 4))
def test_a_crop_holds_the_box_unless_the_box_is_larger_than_the_largest_square(box: Box, margin: float) -> None:
    crop = square_crop(box, (1080, 1920), margin, 160)
    assert crop.width >= min(160, 1080)
    if max(box.width * 1920, box.height * 1080) <= 1080:
        assert crop.left <= box.x * 1920 + 1
        assert crop.left + crop.width >= (box.x + box.width) * 1920 - 1
        assert crop.top <= box.y * 1080 + 1
        assert crop.top + crop.height >= (box.y + box.height) * 1080 - 1


@pytest.mark.parametrize(
    ("side", "expected_px"), [(100 / 1920, 160), (123 / 1920, 160), (124 / 1920, 161), (800 / 1920, 1040)]
)
def test_the_margin_counts_from_the_longer_side_and_never_gives_less_than_the_minimum(
    side: float, expected_px: int
) -> None:
    assert square_crop(Box(0.3, 0.3, side, 0.01), (1080, 1920), 1.3, 160).width == expected_px


def test_a_crop_in_a_corner_is_moved_inside_not_made_smaller() -> None:
    crop = square_crop(Box(0.98, 0.98, 0.02, 0.02), (1080, 1920), 1.3, 160)
    assert (crop.left + crop.width, crop.top + crop.height, crop.width) == (1920, 1080, 160)


def test_a_box_longer_than_the_picture_is_high_is_cut_at_both_ends_alike() -> None:
    crop = square_crop(Box(0.1, 0.5, 0.8, 0.1), (1080, 1920), 1.3, 160)
    assert (crop.left, crop.width) == (420, 1080)


@given(boxes(), boxes())
def test_overlap_is_symmetric_and_at_most_one(first: Box, second: Box) -> None:
    assert first.overlap(second) == second.overlap(first)
    assert 0 <= first.overlap(second) <= 1 + 1e-9
    assert first.common_area(second) <= min(first.area, second.area) + 1e-12


def test_a_box_inside_of_another_overlaps_wholly_and_neighbours_do_not() -> None:
    outer = Box(0.1, 0.1, 0.5, 0.5)
    assert Box(0.2, 0.2, 0.1, 0.1).overlap(outer) == pytest.approx(1)
    assert Box(0.6, 0.1, 0.1, 0.1).overlap(outer) == pytest.approx(0)
    assert Box(0.2, 0.2, 0.0, 0.1).overlap(outer) == 0


def test_a_union_is_the_smallest_box_around_both() -> None:
    assert Box(0.1, 0.2, 0.2, 0.1).union(Box(0.2, 0.1, 0.3, 0.1)) == Box(0.1, 0.1, 0.4, pytest.approx(0.2))  # type: ignore[arg-type]
