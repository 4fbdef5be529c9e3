"""Pixels in every layout of a camera become the same RGB."""

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from trailcam_core.images.boxes import Crop
from trailcam_core.images.resize import fit_image
from trailcam_core.spec import InputSpec
from trailcam_edge.sources.orientation import Orientation
from trailcam_edge.sources.pixels import PACKED_ORDERS, PLANAR_LAYOUTS, ColourSpace, PackedPixels, Pixels, PlanarPixels

Image = npt.NDArray[np.uint8]

SPACES = {
    "BT.601": ColourSpace(),
    "JFIF": ColourSpace(full_range=True),
    "BT.709": ColourSpace(kr=0.2126, kb=0.0722),
}


def picture(height: int = 48, width: int = 64) -> Image:
    """Four plain quarters, so that chroma at half size loses nothing: red, green, blue and a mixed colour."""
    image = np.empty((height, width, 3), np.uint8)
    image[: height // 2, : width // 2] = (200, 30, 40)
    image[: height // 2, width // 2 :] = (30, 180, 60)
    image[height // 2 :, : width // 2] = (20, 50, 210)
    image[height // 2 :, width // 2 :] = (120, 140, 90)
    return image


def planar(image: Image, layout: str, padding: int, space: ColourSpace) -> Image:
    """Make what a camera would leave in memory, by the definition of Y, Cb and Cr rather than by inverting a matrix."""
    red, green, blue = (image[..., channel] / 255 for channel in range(3))
    y = space.kr * red + (1 - space.kr - space.kb) * green + space.kb * blue
    cb, cr = (blue - y) / (2 * (1 - space.kb)), (red - y) / (2 * (1 - space.kr))
    low, luma, chroma = (0, 255, 255) if space.full_range else (16, 219, 224)
    planes = [np.rint(low + luma * y)] + [np.rint(128 + chroma * plane) for plane in (cb, cr)]
    height, width = image.shape[:2]
    stride = width + padding
    rubbish = np.random.default_rng(0)
    buffer = rubbish.integers(0, 256, (height * 3 // 2, stride)).astype(np.uint8)
    buffer[:height, :width] = planes[0]
    halves = [plane[::2, ::2].astype(np.uint8) for plane in planes[1:]]
    if layout in ("YV12", "NV21"):
        halves.reverse()
    if layout in ("NV12", "NV21"):
        buffer[height:, :width] = np.stack(halves, axis=-1).reshape(height // 2, width)
    else:
        chroma_planes = buffer[height:].reshape(2, height // 2, stride // 2)
        for number, half in enumerate(halves):
            chroma_planes[number, :, : width // 2] = half
    return buffer


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("padding", [0, 32])
@pytest.mark.parametrize("layout", PLANAR_LAYOUTS)
def test_planes_become_rgb_whatever_their_layout_padding_and_colour_space(
    layout: str, padding: int, space: str
) -> None:
    image = picture()
    found = PlanarPixels(planar(image, layout, padding, SPACES[space]), 64, layout, SPACES[space]).image()
    assert found.shape == image.shape
    assert found.dtype == np.uint8
    assert np.abs(found.astype(int) - image).max() <= 3  # rounding of 8-bit chroma


@pytest.mark.parametrize("space", ["JFIF", "BT.709"])
def test_another_colour_space_is_not_taken_for_the_usual_one(space: str) -> None:
    buffer = planar(picture(), "I420", 0, SPACES[space])
    wrong = PlanarPixels(buffer, 64, "I420").image()
    assert np.abs(wrong.astype(int) - picture()).max() > 8


@pytest.mark.parametrize("order", PACKED_ORDERS)
def test_every_order_of_colours_becomes_rgb(order: str) -> None:
    image = picture()
    stored = image[..., ::-1] if order.startswith("BGR") else image
    if order.endswith("X"):
        stored = np.dstack([stored, np.full(image.shape[:2], 77, np.uint8)])
    assert np.array_equal(PackedPixels(np.ascontiguousarray(stored), order).image(), image)


def test_padded_rows_of_packed_pixels_are_not_looked_at() -> None:
    padded = np.full((48, 80, 3), 99, np.uint8)
    padded[:, :64] = picture()[..., ::-1]
    assert np.array_equal(PackedPixels(padded[:, :64], "BGR").image(), picture())


@pytest.mark.parametrize(
    "orientation",
    [Orientation(rotate_deg=90), Orientation(flip=True), Orientation(roi=(0.5, 0, 0.5, 0.5), rotate_deg=180)],
)
def test_planes_and_packed_pixels_hang_the_same_way(orientation: Orientation) -> None:
    image = picture()
    packed = PackedPixels(image[..., ::-1].copy(), "BGR", orientation).image()
    yuv = PlanarPixels(planar(image, "NV12", 32, ColourSpace()), 64, "NV12", ColourSpace(), orientation).image()
    assert yuv.shape == packed.shape
    assert np.abs(yuv.astype(int) - packed).max() <= 3


@pytest.mark.parametrize("size", [(48, 64), (480, 640), (1080, 1920)])
def test_luma_is_small_and_the_same_from_planes_and_packed_pixels(size: tuple[int, int]) -> None:
    image = picture(*size)
    grey = PackedPixels(image[..., ::-1].copy(), "BGR").luma()
    plane = PlanarPixels(planar(image, "I420", 32, SPACES["JFIF"]), size[1], "I420", SPACES["JFIF"]).luma()
    assert grey.shape == plane.shape
    assert grey.shape[1] == min(size[1], 320)
    assert np.abs(grey.astype(int) - plane).max() <= 2


@pytest.mark.parametrize(
    "orientation", [Orientation(), Orientation(rotate_deg=90, flip=True, roi=(0.1, 0.2, 0.7, 0.6))]
)
@pytest.mark.parametrize("fit", ["crop", "stretch", "letterbox"])
@pytest.mark.parametrize("order", PACKED_ORDERS)
def test_fitting_before_the_colours_are_reordered_changes_no_bit(
    order: str, fit: str, orientation: Orientation
) -> None:
    noise = np.random.default_rng(2).integers(0, 256, (203, 301, len(order))).astype(np.uint8)
    pixels = PackedPixels(noise, order, orientation)
    spec = InputSpec(40, 48, fit)
    assert np.array_equal(pixels.fitted(spec), fit_image(pixels.image(), spec))


def test_luma_is_not_the_cameras_memory() -> None:
    buffer = planar(picture(), "I420", 0, ColourSpace())
    luma = PlanarPixels(buffer, 64, "I420").luma()
    assert not np.shares_memory(luma, buffer)


def test_opencv_agrees_on_the_usual_colour_space() -> None:
    noise = np.random.default_rng(1).integers(60, 200, (72, 64)).astype(np.uint8)
    ours = cv2.transform(PlanarPixels(noise, 64, "I420")._full_chroma(), ColourSpace().matrix)
    assert np.abs(ours.astype(int) - PlanarPixels(noise, 64, "I420").image()).max() <= 2


ORIENTATIONS = [
    Orientation(flip, rotate_deg, roi)
    for flip in (False, True)
    for rotate_deg in (0, 90, 180, 270)
    for roi in (None, (0.2, 0.1, 0.6, 0.7))
]


def noise(height: int = 48, width: int = 64) -> Image:
    return np.random.default_rng(5).integers(0, 256, (height, width, 3)).astype(np.uint8)


def parts_of(size: tuple[int, int]) -> list[Crop]:
    """Every parity of the corner and the size, and the whole."""
    height, width = size
    places = [(left, top, side) for left in (0, 3, 6) for top in (0, 5) for side in (1, 8, 11)]
    return [Crop(left, top, side, side) for left, top, side in places] + [Crop(0, 0, width, height)]


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("layout", [*PLANAR_LAYOUTS, *PACKED_ORDERS])
def test_a_part_is_cut_from_the_same_image(layout: str, orientation: Orientation) -> None:
    if layout in PLANAR_LAYOUTS:
        pixels: Pixels = PlanarPixels(
            planar(noise(), layout, 32, SPACES["BT.601"]), 64, layout, orientation=orientation
        )
    else:
        samples = noise().repeat(2, axis=-1)[..., : PACKED_ORDERS[layout][0]]
        pixels = PackedPixels(np.ascontiguousarray(samples), layout, orientation)
    whole = pixels.image()
    assert pixels.size == whole.shape[:2]
    for part in parts_of(pixels.size):
        rows, columns = slice(part.top, part.top + part.height), slice(part.left, part.left + part.width)
        assert np.array_equal(pixels.part(part), whole[rows, columns])


def test_a_part_in_another_colour_space_is_cut_from_the_same_image() -> None:
    pixels = PlanarPixels(planar(noise(), "NV12", 0, SPACES["BT.709"]), 64, "NV12", SPACES["BT.709"])
    assert np.array_equal(pixels.part(Crop(5, 7, 20, 20)), pixels.image()[7:27, 5:25])


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_luma_is_upright(orientation: Orientation) -> None:
    image = picture(360, 640)
    for pixels in (
        PackedPixels(image, "RGB", orientation),
        PlanarPixels(planar(image, "I420", 0, SPACES["JFIF"]), 640, "I420", SPACES["JFIF"], orientation),
    ):
        grey = cv2.cvtColor(pixels.image(), cv2.COLOR_RGB2GRAY)
        luma = pixels.luma()
        expected = cv2.resize(grey, luma.shape[::-1], interpolation=cv2.INTER_AREA)
        assert luma.shape[0] / luma.shape[1] == pytest.approx(grey.shape[0] / grey.shape[1], abs=0.02)
        assert np.mean(np.abs(luma.astype(int) - expected) > 12) < 0.02  # along the edges of the quarters


def pixels_of(image: Image, layout: str, orientation: Orientation) -> Pixels:
    """The same image in the memory of a camera, rows of planes padded."""
    if layout in PLANAR_LAYOUTS:
        planes = planar(image, layout, 32, SPACES["BT.601"])
        return PlanarPixels(planes, image.shape[1], layout, orientation=orientation)
    samples = image[..., ::-1] if layout.startswith("BGR") else image
    if layout.endswith("X"):
        samples = np.dstack([samples, np.full(image.shape[:2], 77, np.uint8)])
    return PackedPixels(np.ascontiguousarray(samples), layout, orientation)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("layout", [*PLANAR_LAYOUTS, *PACKED_ORDERS])
def test_a_kept_picture_outlives_the_buffer_in_half_the_memory(layout: str, orientation: Orientation) -> None:
    pixels = pixels_of(picture(480, 640), layout, orientation)
    expected = pixels.image().astype(int)
    kept = pixels.keep()
    assert isinstance(pixels, PackedPixels | PlanarPixels)
    pixels.array[:] = 0
    assert isinstance(kept, PlanarPixels)
    assert kept.array.nbytes <= 0.55 * 3 * 480 * 640
    found = kept.image()
    assert found.shape == expected.shape
    assert kept.size == found.shape[:2]
    assert np.array_equal(kept.bgr()[..., ::-1], found)
    assert np.abs(found - expected).max(initial=0, where=~edges(expected)) <= 3


def edges(image: npt.NDArray[np.int_]) -> npt.NDArray[np.bool_]:
    """Mark the pixels beside another colour: a region of interest may begin between two samples of chroma."""
    plain = cv2.dilate(image.astype(np.uint8), np.ones((5, 5))) == cv2.erode(image.astype(np.uint8), np.ones((5, 5)))
    return np.asarray(~plain)


@pytest.mark.parametrize("size", [(47, 64), (48, 63)])
def test_a_kept_picture_with_an_odd_side_loses_nothing(size: tuple[int, int]) -> None:
    image = noise(*size)
    for layout in PACKED_ORDERS:
        pixels = pixels_of(image.copy(), layout, Orientation(flip=True))
        kept = pixels.keep()
        assert isinstance(pixels, PackedPixels)
        pixels.array[:] = 0
        assert np.array_equal(kept.image(), image[:, ::-1])


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("layout", [*PLANAR_LAYOUTS, *PACKED_ORDERS])
def test_a_small_image_is_the_whole_one_shrunken(layout: str, orientation: Orientation) -> None:
    pixels = pixels_of(picture(480, 640), layout, orientation)
    small, whole = pixels.small(160), pixels.image()
    assert max(small.shape[:2]) <= 160
    assert min(small.shape[:2]) / max(small.shape[:2]) == pytest.approx(
        min(whole.shape[:2]) / max(whole.shape[:2]), abs=0.02
    )
    expected = cv2.resize(whole, small.shape[1::-1], interpolation=cv2.INTER_AREA)
    assert np.mean(np.abs(small.astype(int) - expected) > 6) < 0.06  # along the edges of the quarters
    assert isinstance(pixels, PackedPixels | PlanarPixels)
    large = pixels.small(5000)
    assert large.shape == whole.shape
    assert not np.shares_memory(large, pixels.array)
