"""How a camera hangs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trailcam_edge.sources.orientation import ROTATIONS_DEG, Orientation

views = st.builds(
    Orientation,
    flip=st.booleans(),
    rotate_deg=st.sampled_from(ROTATIONS_DEG),
    roi=st.one_of(
        st.none(),
        st.tuples(st.floats(0, 0.9), st.floats(0, 0.9), st.floats(0.05, 1), st.floats(0.05, 1)).map(
            lambda roi: (roi[0], roi[1], min(roi[2], 1 - roi[0]), min(roi[3], 1 - roi[1]))
        ),
    ),
)
PICTURE = np.arange(12 * 20, dtype=np.uint8).reshape(12, 20)


@pytest.mark.parametrize(
    ("orientation", "corner"),
    [
        (Orientation(), PICTURE[0, 0]),
        (Orientation(flip=True), PICTURE[0, -1]),
        (Orientation(rotate_deg=90), PICTURE[-1, 0]),
        (Orientation(rotate_deg=180), PICTURE[-1, -1]),
        (Orientation(rotate_deg=270), PICTURE[0, -1]),
        (Orientation(flip=True, rotate_deg=180), PICTURE[-1, 0]),
        (Orientation(flip=True, rotate_deg=90), PICTURE[0, 0]),
    ],
)
def test_turning_is_clockwise_and_mirroring_comes_after(orientation: Orientation, corner: int) -> None:
    assert orientation.upright(PICTURE)[0, 0] == corner


@pytest.mark.parametrize("rotate_deg", ROTATIONS_DEG)
@pytest.mark.parametrize("flip", [False, True])
def test_the_region_is_that_of_the_upright_picture(rotate_deg: int, flip: bool) -> None:
    whole = Orientation(flip, rotate_deg).upright(PICTURE)
    height, width = whole.shape
    orientation = Orientation(flip, rotate_deg, (0.25, 0.5, 0.5, 0.25))
    expected = whole[height // 2 : height // 2 + height // 4, width // 4 : width // 4 + width // 2]
    assert np.array_equal(orientation.upright(orientation.crop(PICTURE)), expected)


@given(views, st.integers(1, 40), st.integers(1, 40))
def test_a_region_lies_inside_and_is_never_empty(orientation: Orientation, height: int, width: int) -> None:
    rows, columns = orientation.region(height, width)
    assert 0 <= rows.start < rows.stop <= height
    assert 0 <= columns.start < columns.stop <= width


def test_nothing_to_do_copies_nothing() -> None:
    orientation = Orientation()
    assert orientation.upright(orientation.crop(PICTURE)) is PICTURE


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rotate_deg": 45}, "rotate_deg is 45, expected one of 0, 90, 180, 270"),
        ({"roi": (0.5, 0, 0.6, 1)}, "inside the image"),
        ({"roi": (0, 0, 0, 1)}, "inside the image"),
        ({"roi": (-0.1, 0, 0.5, 1)}, "inside the image"),
        ({"roi": (0, 0, float("nan"), 1)}, "as fractions of the image"),
    ],
)
def test_an_orientation_that_makes_no_sense_is_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Orientation(**arguments)  # type: ignore[arg-type]
