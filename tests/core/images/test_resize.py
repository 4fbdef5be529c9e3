"""From an image of any size to the model's input."""

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trailcam_core.images import resize
from trailcam_core.images.resize import PADDING_LEVEL, fit_image, plan_geometry
from trailcam_core.spec import FITS, InputSpec

Image = npt.NDArray[np.uint8]

_RANDOM = np.random.default_rng(0)

_SIDES = st.integers(1, 5_000)
_SPECS = st.builds(InputSpec, st.integers(32, 1_024), st.integers(32, 1_024), st.sampled_from(FITS))


@settings(max_examples=200)
@given(_SIDES, _SIDES, _SPECS)
def test_the_geometry_fits_any_size(height: int, width: int, spec: InputSpec) -> None:
    plan = plan_geometry(height, width, spec)
    assert 0 <= plan.top <= plan.top + plan.region_height <= height
    assert 0 <= plan.left <= plan.left + plan.region_width <= width
    assert 0 <= plan.pad_top <= plan.pad_top + plan.height <= spec.height
    assert 0 <= plan.pad_left <= plan.pad_left + plan.width <= spec.width
    assert min(plan.region_height, plan.region_width, plan.height, plan.width) >= 1
    for region, halvings, target in (
        (plan.region_height, plan.row_halvings, plan.height),
        (plan.region_width, plan.column_halvings, plan.width),
    ):
        assert region == region >> halvings << halvings
        assert halvings == 0 or region >> halvings >= target  # halving never goes below the target ...
        assert region >> halvings <= 2 * target  # ... and leaves a factor of at most two


@settings(max_examples=80)
@given(_SIDES, _SIDES, _SPECS, st.integers(1, 3))
def test_an_image_that_a_decoder_has_halved_shows_the_same_region(
    height: int, width: int, spec: InputSpec, reduction: int
) -> None:
    plan = plan_geometry(height, width, spec)
    reduction = min(reduction, plan.row_halvings, plan.column_halvings)
    halved = plan_geometry(height >> reduction, width >> reduction, spec)
    assert halved.top << reduction == plan.top
    assert halved.left << reduction == plan.left
    assert halved.region_height << reduction == plan.region_height
    assert halved.region_width << reduction == plan.region_width
    assert halved.row_halvings + reduction == plan.row_halvings
    assert (halved.height, halved.width) == (plan.height, plan.width)
    assert (halved.pad_top, halved.pad_left) == (plan.pad_top, plan.pad_left)


@given(_SIDES, _SIDES, st.integers(32, 1_024), st.integers(32, 1_024))
def test_a_letterbox_shows_all_and_keeps_the_aspect_within_rounding(
    height: int, width: int, spec_height: int, spec_width: int
) -> None:
    plan = plan_geometry(height, width, InputSpec(spec_height, spec_width, "letterbox"))
    assert (plan.top, plan.left) == (0, 0)
    assert height - plan.region_height < 2**plan.row_halvings
    assert width - plan.region_width < 2**plan.column_halvings
    assert plan.height == spec_height or plan.width == spec_width
    scale = min(spec_height / height, spec_width / width)
    # half a pixel of rounding, and less than one that halving leaves out on either side
    assert abs(plan.height - height * scale) <= 1.5 + spec_height / spec_width
    assert abs(plan.width - width * scale) <= 1.5 + spec_width / spec_height
    assert abs(spec_height - plan.height - 2 * plan.pad_top) <= 1
    assert abs(spec_width - plan.width - 2 * plan.pad_left) <= 1


@given(_SIDES, _SIDES, st.integers(32, 1_024), st.integers(32, 1_024))
def test_a_crop_keeps_the_centre_and_the_aspect_within_rounding(
    height: int, width: int, spec_height: int, spec_width: int
) -> None:
    plan = plan_geometry(height, width, InputSpec(spec_height, spec_width, "crop"))
    unit = 2**plan.row_halvings
    assert plan.row_halvings == plan.column_halvings
    assert plan.region_height == height // unit * unit or plan.region_width == width // unit * unit
    assert 0 <= height - plan.region_height - 2 * plan.top < 2 * unit
    assert 0 <= width - plan.region_width - 2 * plan.left < 2 * unit
    difference = plan.region_height * spec_width - plan.region_width * spec_height
    assert abs(difference) <= unit * max(spec_height, spec_width)


@given(_SIDES, st.integers(1, 200), st.booleans(), st.sampled_from(FITS), st.integers(0, 255))
def test_a_picture_of_one_colour_stays_so(long: int, short: int, tall: bool, fit: str, level: int) -> None:
    spec = InputSpec(48, 64, fit)
    height, width = (long, short) if tall else (short, long)
    fitted = fit_image(np.full((height, width, 3), level, np.uint8), spec)
    assert fitted.shape == (48, 64, 3)
    assert fitted.flags.c_contiguous
    plan = plan_geometry(height, width, spec)
    inside = np.zeros((48, 64), bool)
    inside[plan.pad_top : plan.pad_top + plan.height, plan.pad_left : plan.pad_left + plan.width] = True
    assert (fitted[inside] == level).all()
    assert (fitted[~inside] == PADDING_LEVEL).all()


@pytest.mark.parametrize("fit", FITS)
def test_an_image_that_fits_already_is_left_as_it_is(fit: str) -> None:
    image = _RANDOM.integers(0, 256, (96, 128, 3), dtype=np.uint8)
    assert np.array_equal(fit_image(image, InputSpec(96, 128, fit)), image)


def test_halving_averages_whole_pixels_and_rounds_half_up() -> None:
    image = np.zeros((4, 4, 3), np.uint8)
    image[:2, :2, 0] = [[1, 0], [0, 1]]  # mean 0.5
    image[:2, 2:, 1] = [[1, 0], [0, 0]]  # mean 0.25
    image[2:, 2:, 2] = [[10, 20], [30, 40]]
    fitted = fit_image(image, InputSpec(2, 2, "stretch"))
    assert fitted.tolist() == [[[1, 0, 0], [0, 0, 0]], [[0, 0, 0], [0, 0, 25]]]


def test_a_crop_shows_the_middle_and_a_letterbox_everything() -> None:
    image = np.zeros((64, 192, 3), np.uint8)
    image[:, :64, 0] = image[:, 64:128, 1] = image[:, 128:, 2] = 255  # red, green, blue
    assert (fit_image(image, InputSpec(64, 64, "crop")) == (0, 255, 0)).all()
    boxed = fit_image(image, InputSpec(64, 64, "letterbox"))
    assert (boxed[:21] == PADDING_LEVEL).all()
    assert (boxed[42:] == PADDING_LEVEL).all()
    assert boxed[32, [2, 32, 61]].tolist() == [[255, 0, 0], [0, 255, 0], [0, 0, 255]]
    assert fit_image(image, InputSpec(64, 64, "stretch"))[32, [2, 32, 61]].tolist() == boxed[32, [2, 32, 61]].tolist()


@pytest.mark.parametrize("fit", FITS)
def test_camera_rows_with_padding_and_turned_views_give_the_same_and_are_not_changed(fit: str) -> None:
    buffer = _RANDOM.integers(0, 256, (480, 704, 3), dtype=np.uint8)
    spec = InputSpec(100, 128, fit)
    for view in (buffer[:, :640], buffer[:, :640, ::-1], buffer[::-1, 640:0:-1], buffer.transpose(1, 0, 2)):
        before = buffer.copy()
        view.flags.writeable = False
        assert np.array_equal(fit_image(view, spec), fit_image(np.ascontiguousarray(view), spec))
        assert np.array_equal(buffer, before)


@pytest.mark.parametrize("fit", FITS)
def test_a_fine_checkerboard_becomes_grey_where_plain_bilinear_sees_a_pattern(fit: str) -> None:
    board = np.zeros((480, 640, 3), np.uint8)
    board[::2, ::2] = board[1::2, 1::2] = 255
    plan = plan_geometry(480, 640, InputSpec(128, 128, fit))
    fitted = fit_image(board, InputSpec(128, 128, fit))
    fitted = fitted[plan.pad_top : plan.pad_top + plan.height]
    assert fitted.min() >= 127
    assert fitted.max() <= 128
    region = board[:, plan.left : plan.left + plan.region_width]
    plain = cv2.resize(region, (plan.width, plan.height), interpolation=cv2.INTER_LINEAR)
    assert plain.std() > 30


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((10, 10), np.uint8),
        np.zeros((10, 10, 4), np.uint8),
        np.zeros((10, 10, 3), np.float32),
        np.zeros((0, 10, 3), np.uint8),
        np.zeros((1, 10, 10, 3), np.uint8),
    ],
)
def test_what_is_no_image_is_a_wrong_call(image: Image) -> None:
    with pytest.raises(ValueError, match=r"image must be \(H, W, 3\) uint8 RGB, got shape"):
        fit_image(image, InputSpec(32, 32, "crop"))


def test_an_unknown_fit_is_a_wrong_call() -> None:
    with pytest.raises(ValueError, match="fit must be crop, letterbox or stretch, got 'squash'"):
        plan_geometry(10, 10, InputSpec(32, 32, "squash"))


def _by_the_book(image: Image, spec: InputSpec) -> npt.NDArray[np.float64]:
    """The rule as ``docs/bundle-format.md`` states it, written anew in plain arrays."""

    def halvings(size: int, target: int) -> int:
        return max(n for n in range(20) if n == 0 or size >> n >= target)

    rows, columns = halvings(image.shape[0], spec.height), halvings(image.shape[1], spec.width)
    if spec.fit != "stretch":
        both = (min if spec.fit == "crop" else max)(rows, columns)
        rows = max(n for n in range(both + 1) if image.shape[0] >> n >= 1)
        columns = max(n for n in range(both + 1) if image.shape[1] >> n >= 1)
    height, width = image.shape[0] >> rows, image.shape[1] >> columns
    halved = image[: height << rows, : width << columns].astype(np.int64)
    for step in range(max(rows, columns)):
        pairs_of_rows = halved[0::2] + halved[1::2] if step < rows else 2 * halved
        sums = pairs_of_rows[:, 0::2] + pairs_of_rows[:, 1::2] if step < columns else 2 * pairs_of_rows
        halved = (sums + 2) // 4 if step < min(rows, columns) else np.rint(sums / 4).astype(np.int64)
    wider = width * spec.height > height * spec.width
    out_height, out_width = spec.height, spec.width
    if spec.fit == "crop" and wider:
        kept = round(height * spec.width / spec.height) or 1
        halved = halved[:, (width - kept) // 2 :][:, :kept]
    elif spec.fit == "crop":
        kept = round(width * spec.height / spec.width) or 1
        halved = halved[(height - kept) // 2 :][:kept]
    elif spec.fit == "letterbox" and wider:
        out_height = round(height * spec.width / width) or 1
    elif spec.fit == "letterbox":
        out_width = round(width * spec.height / height) or 1
    fitted = halved.astype(np.float64)
    for axis, size in ((0, out_height), (1, out_width)):
        centres = np.clip((np.arange(size) + 0.5) * fitted.shape[axis] / size - 0.5, 0, fitted.shape[axis] - 1)
        low = np.floor(centres).astype(int)
        share = (centres - low).reshape(-1, 1, 1) if axis == 0 else (centres - low).reshape(1, -1, 1)
        high = np.minimum(low + 1, fitted.shape[axis] - 1)
        fitted = fitted.take(low, axis) * (1 - share) + fitted.take(high, axis) * share
    padded = np.full((spec.height, spec.width, 3), 128.0)
    top, left = (spec.height - out_height) // 2, (spec.width - out_width) // 2
    padded[top : top + out_height, left : left + out_width] = fitted
    return padded


@settings(max_examples=60)
@given(st.integers(1, 400), st.integers(1, 400), st.integers(32, 100), st.integers(32, 100), st.sampled_from(FITS))
def test_pictures_are_fitted_as_the_specification_says(
    height: int, width: int, spec_height: int, spec_width: int, fit: str
) -> None:
    spec = InputSpec(spec_height, spec_width, fit)
    image = np.random.default_rng(height * 401 + width).integers(0, 256, (height, width, 3), dtype=np.uint8)
    # Half a level of rounding at the end, and as much again because the bit-exact step has weights of 8 binary digits.
    assert np.abs(fit_image(image, spec) - _by_the_book(image, spec)).max() <= 1.5


@pytest.mark.parametrize(("rows", "columns"), [(1, 0), (0, 1), (1, 1), (2, 1), (1, 3)])
def test_halving_is_area_averaging_to_the_bit(rows: int, columns: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    expected = image
    for step in range(max(rows, columns)):
        size = (expected.shape[1] >> (step < columns), expected.shape[0] >> (step < rows))
        expected = cv2.resize(expected, size, interpolation=cv2.INTER_AREA)
    np.testing.assert_array_equal(resize._halve(image, rows, columns), expected)
