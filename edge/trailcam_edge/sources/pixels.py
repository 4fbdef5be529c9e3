"""Pixels as a camera stores them in memory, and their conversion to RGB.

    PackedPixels    (H, W, 3) or (H, W, 4): B, G, R from OpenCV; "RGB888" of libcamera is stored B, G, R as well
    PlanarPixels    luma above chroma, rows padded to a stride: YUV420 (I420, YV12) and NV12 or NV21

Pixels are converted on first use, so a frame that is never used costs nothing.
"""

from dataclasses import dataclass, replace
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from trailcam_core.images.boxes import Crop
from trailcam_core.images.resize import Image, fit_image
from trailcam_core.spec import InputSpec
from trailcam_edge.sources.orientation import UNCHANGED, Orientation

Plane = npt.NDArray[np.uint8]  # (H, W)

PACKED_ORDERS = {
    "RGB": (3, None, cv2.COLOR_RGB2GRAY),
    "BGR": (3, cv2.COLOR_BGR2RGB, cv2.COLOR_BGR2GRAY),
    "RGBX": (4, cv2.COLOR_RGBA2RGB, cv2.COLOR_RGBA2GRAY),
    "BGRX": (4, cv2.COLOR_BGRA2RGB, cv2.COLOR_BGRA2GRAY),
}
_TO_PLANES = {
    "RGB": cv2.COLOR_RGB2YUV_I420,
    "BGR": cv2.COLOR_BGR2YUV_I420,
    "RGBX": cv2.COLOR_RGBA2YUV_I420,
    "BGRX": cv2.COLOR_BGRA2YUV_I420,
}
PLANAR_LAYOUTS = {
    "I420": cv2.COLOR_YUV2RGB_I420,
    "YV12": cv2.COLOR_YUV2RGB_YV12,
    "NV12": cv2.COLOR_YUV2RGB_NV12,
    "NV21": cv2.COLOR_YUV2RGB_NV21,
}
_PLANES_TO_BGR: dict[str, int] = {layout: getattr(cv2, f"COLOR_YUV2BGR_{layout}") for layout in PLANAR_LAYOUTS}
_LUMA_WIDTH_PX = 320  # an animal of an eighth of the height is still 22 px high, sensor noise is averaged away


class Pixels(Protocol):
    """One image in the memory layout of its source."""

    def image(self) -> Image:
        """Return (H, W, 3) uint8 RGB, upright, cropped to the region of interest, sharing no memory with a camera."""

    def fitted(self, spec: InputSpec) -> Image:
        """Return ``fit_image`` of ``image``, sharing no memory with a camera; possibly by a cheaper path."""

    def luma(self) -> Plane:
        """Return brightness, (H, W) uint8, about 320 px wide, upright, sharing no memory with a camera."""

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of ``image``."""

    def part(self, part: Crop) -> Image:
        """Return a rectangle of ``image``, converting no more than that, sharing no memory with a camera."""

    def small(self, side_px: int) -> Image:
        """Return ``image`` with its longer side shrunk to at most ``side_px``, sharing no memory with a camera."""

    def keep(self) -> "KeptPixels":
        """Return pixels that share no memory with a camera, YUV 4:2:0 where possible: half the memory of ``image``."""


class KeptPixels(Pixels, Protocol):
    """Pixels that share no memory with a camera."""

    def bgr(self) -> Image:
        """Return ``image`` in the order B, G, R, which is that of JPEG encoders of OpenCV."""


@dataclass(frozen=True)
class ColourSpace:
    """Conversion between RGB and YUV: ``kr`` and ``kb`` of the standard, and the range.

    Sources: ITU-R BT.601-7, section 2.5; BT.709-6, section 3; BT.2020-2, table 4; JFIF 1.02 for the full range.
    """

    kr: float = 0.299
    kb: float = 0.114
    full_range: bool = False

    @property
    def matrix(self) -> npt.NDArray[np.float32]:
        """(3, 4) float32 that takes (Y, Cb, Cr, 1), in 0..255, to (R, G, B)."""
        kr, kb = self.kr, self.kb
        kg = 1 - kr - kb
        luma = 1.0 if self.full_range else 255 / 219
        chroma = 1.0 if self.full_range else 255 / 224
        black = 0.0 if self.full_range else 16.0
        red = (luma, 0.0, 2 * (1 - kr) * chroma)
        green = (luma, -2 * kb * (1 - kb) / kg * chroma, -2 * kr * (1 - kr) / kg * chroma)
        blue = (luma, 2 * (1 - kb) * chroma, 0.0)
        rows = [(*row, -black * row[0] - 128 * (row[1] + row[2])) for row in (red, green, blue)]
        return np.array(rows, np.float32)


_BT601 = ColourSpace()


@dataclass(frozen=True, eq=False)
class PackedPixels:
    """``array`` is (H, W, 3 or 4) uint8 in one of ``PACKED_ORDERS``, rows may be padded.

    An array in RGB order is returned as it is, so it must not be a buffer of a camera.
    """

    array: npt.NDArray[np.uint8]
    order: str
    orientation: Orientation = UNCHANGED

    def image(self) -> Image:
        """Reorder the colours of the region, if they need it."""
        region = self.orientation.crop(self.array)
        _, conversion, _ = PACKED_ORDERS[self.order]
        if conversion is not None:
            region = np.asarray(cv2.cvtColor(region, conversion), np.uint8)
        return self.orientation.upright(region)

    def fitted(self, spec: InputSpec) -> Image:
        """Fit first: it treats all colours alike, so reordering them may wait until there are few pixels left."""
        samples, conversion, _ = PACKED_ORDERS[self.order]
        if samples != 3 or conversion is None:
            return fit_image(self.image(), spec)
        small = fit_image(self.orientation.upright(self.orientation.crop(self.array)), spec)
        return np.asarray(cv2.cvtColor(small, conversion), np.uint8)

    def luma(self) -> Plane:
        """Shrink, then make grey: cheaper than the other way round."""
        small = _shrunken(self.orientation.crop(self.array))
        return self.orientation.upright(np.asarray(cv2.cvtColor(small, PACKED_ORDERS[self.order][2]), np.uint8))

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the upright image."""
        return self.orientation.upright_size(*self.array.shape[:2])

    def part(self, part: Crop) -> Image:
        """Reorder the colours of the part."""
        place = self.orientation.delivered(part, *self.array.shape[:2])
        array = self.array[place.top : place.top + place.height, place.left : place.left + place.width]
        _, conversion, _ = PACKED_ORDERS[self.order]
        rgb = array if conversion is None else np.asarray(cv2.cvtColor(array, conversion), np.uint8)
        return self.orientation.upright(rgb)

    def small(self, side_px: int) -> Image:
        """Shrink first, then reorder the colours of what is left."""
        region = self.orientation.crop(self.array)
        size = _small_size(region.shape[0], region.shape[1], side_px)
        small = region.copy() if size is None else np.asarray(cv2.resize(region, size, interpolation=cv2.INTER_AREA))
        return PackedPixels(np.asarray(small, np.uint8), self.order, replace(self.orientation, roi=None)).image()

    def bgr(self) -> Image:
        """Reorder the colours of ``image``."""
        return np.asarray(cv2.cvtColor(self.image(), cv2.COLOR_RGB2BGR), np.uint8)

    def keep(self) -> KeptPixels:
        """Convert the region to planes; one with an odd side cannot be."""
        region, orientation = self.orientation.crop(self.array), replace(self.orientation, roi=None)
        if region.shape[0] % 2 or region.shape[1] % 2:
            return PackedPixels(region.copy(), self.order, orientation)
        planes = np.asarray(cv2.cvtColor(region, _TO_PLANES[self.order]), np.uint8)
        return PlanarPixels(planes, region.shape[1], "I420", orientation=orientation)


@dataclass(frozen=True, eq=False)
class PlanarPixels:
    """YUV 4:2:0 with padded rows.

    ``array`` is (height * 3 / 2, stride) uint8: ``height`` rows of luma, then the chroma in ``layout``. Of each row the
    first ``width`` pixels count. Height is even.
    """

    array: npt.NDArray[np.uint8]
    width: int
    layout: str
    colour_space: ColourSpace = _BT601
    orientation: Orientation = UNCHANGED

    @property
    def height(self) -> int:
        """Rows of the picture."""
        return int(self.array.shape[0]) * 2 // 3

    def image(self) -> Image:
        """Convert at the width of the stride, then drop the padding: the chroma planes are padded in proportion."""
        return self._converted(PLANAR_LAYOUTS[self.layout], self.colour_space.matrix)

    def bgr(self) -> Image:
        """Convert in the same way to the other order, which needs no second array."""
        return self._converted(_PLANES_TO_BGR[self.layout], self.colour_space.matrix[::-1])

    def fitted(self, spec: InputSpec) -> Image:
        """Convert, then fit."""
        return fit_image(self.image(), spec)

    def luma(self) -> Plane:
        """Shrink the luma plane; chroma is not used."""
        plane = self.orientation.crop(self.array[: self.height, : self.width])
        small = _shrunken(plane)
        return self.orientation.upright(small.copy() if small is plane else small)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the upright image."""
        return self.orientation.upright_size(self.height, self.width)

    def part(self, part: Crop) -> Image:
        """Convert the part, widened to whole chroma samples, then drop what was added."""
        place = self.orientation.delivered(part, self.height, self.width)
        top, left = place.top // 2 * 2, place.left // 2 * 2
        bottom, right = -(-(place.top + place.height) // 2) * 2, -(-(place.left + place.width) // 2) * 2
        whole = PlanarPixels(self._cut(top, bottom, left, right), right - left, self.layout, self.colour_space).image()
        rows, columns = slice(place.top - top, None), slice(place.left - left, None)
        return self.orientation.upright(whole[rows, columns][: place.height, : place.width])

    def small(self, side_px: int) -> Image:
        """Shrink every plane, then convert what is left."""
        size = _small_size(self.height, self.width, side_px)
        if size is None:
            return self.image()
        width, height = size[0] // 2 * 2, size[1] // 2 * 2
        small = np.empty((height * 3 // 2, width), np.uint8)
        cv2.resize(self.array[: self.height, : self.width], (width, height), small[:height], 0, 0, cv2.INTER_AREA)
        chroma, stride = self.array[self.height :], self.array.shape[1]
        half = (width // 2, height // 2)
        if self.layout in ("I420", "YV12"):
            planes = chroma.reshape(2, self.height // 2, stride // 2)[:, :, : self.width // 2]
            into = small[height:].reshape(2, *half[::-1])
            for plane, place in zip(planes, into, strict=True):
                cv2.resize(plane, half, place, 0, 0, cv2.INTER_AREA)
        else:
            pairs = chroma.reshape(self.height // 2, stride // 2, 2)[:, : self.width // 2]
            small[height:].reshape(*half[::-1], 2)[:] = cv2.resize(pairs, half, interpolation=cv2.INTER_AREA)
        return PlanarPixels(small, width, self.layout, self.colour_space, self.orientation).image()

    def keep(self) -> KeptPixels:
        """Copy the planes."""
        return replace(self, array=self.array.copy())

    def _converted(self, conversion: int, matrix: npt.NDArray[np.float32]) -> Image:
        if self.colour_space == _BT601:  # OpenCV's own conversion is for this one only
            whole = np.asarray(cv2.cvtColor(self.array, conversion), np.uint8)
        else:
            whole = np.asarray(cv2.transform(self._full_chroma(), matrix), np.uint8)
        return self.orientation.upright(self.orientation.crop(whole[:, : self.width]))

    def _cut(self, top: int, bottom: int, left: int, right: int) -> npt.NDArray[np.uint8]:
        """Return the planes of an even part, without padding, in the same layout."""
        height, width, stride = bottom - top, right - left, self.array.shape[1]
        cut = np.empty((height * 3 // 2, width), np.uint8)
        cut[:height] = self.array[top:bottom, left:right]
        rows, columns = slice(top // 2, bottom // 2), slice(left // 2, right // 2)
        chroma = self.array[self.height :]
        if self.layout in ("I420", "YV12"):
            planes = chroma.reshape(2, self.height // 2, stride // 2)
            cut[height:].reshape(2, height // 2, width // 2)[:] = planes[:, rows, columns]
        else:
            cut[height:] = chroma[rows, left:right]
        return cut

    def _full_chroma(self) -> npt.NDArray[np.uint8]:
        """Return (height, stride, 3) uint8 Y, Cb, Cr, each chroma sample doubled in both directions."""
        height, stride = self.height, self.array.shape[1]
        chroma = self.array[height:]
        if self.layout in ("I420", "YV12"):
            first, second = chroma.reshape(2, height // 2, stride // 2)
        else:
            pairs = chroma.reshape(height // 2, stride // 2, 2)
            first, second = np.ascontiguousarray(pairs[..., 0]), np.ascontiguousarray(pairs[..., 1])
        if self.layout in ("YV12", "NV21"):
            first, second = second, first
        planes = [cv2.resize(half, (stride, height), interpolation=cv2.INTER_NEAREST) for half in (first, second)]
        return np.asarray(cv2.merge([self.array[:height], *planes]), np.uint8)


def _small_size(height: int, width: int, side_px: int) -> tuple[int, int] | None:
    """Return width and height with a longer side of at most ``side_px``, at least 2 each; None if they are small."""
    factor = side_px / max(height, width)
    return None if factor >= 1 else (max(2, round(width * factor)), max(2, round(height * factor)))


def _shrunken(region: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Average blocks of pixels, down to about ``_LUMA_WIDTH_PX``; a small picture is returned as it is.

    Two rows of each block are enough against noise, and four times as fast as all eight of a 640 px wide picture.
    """
    step = max(1, region.shape[1] // _LUMA_WIDTH_PX)
    if step == 1:
        return region
    size = (region.shape[1] // step, max(1, region.shape[0] // step))
    return np.asarray(cv2.resize(region[:: max(1, step // 2)], size, interpolation=cv2.INTER_AREA), np.uint8)
