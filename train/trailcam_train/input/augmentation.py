"""Random changes to training pictures, so that a model learns the animal and not the photograph.

All changes are made on uint8 RGB before the model; none of them is part of the saved model. All geometry is combined
into a single warp from the decoded picture to the model's input, so a picture is interpolated once and its
surroundings, which a device crops away, may come into view. All linear colour changes are combined into one 3x4 matrix.
Without any change the result is exactly ``fit_image``, the device's own preprocessing.

The settings of the article are ``ARTICLE``: ``ImageDataGenerator(shear_range=.2, zoom_range=.2, horizontal_flip=True)``
of Keras. Its ``shear_range`` was once an angle in radians, where 0.2 shears a picture by up to 11 degrees; since 2.1.3
(keras-team/keras pull request 8868) it is in degrees, where the same 0.2 has no visible effect. Here ``shear`` has the
original meaning: the fraction by which the far edge is displaced, so 0.2 is 11 degrees. ``zoom`` is as in Keras:
factors for width and height drawn independently, from 1 - zoom to 1 + zoom, below 1 enlarging. Outside the picture its
edge is repeated, as in Keras; in a letterbox the grey of the bars is used.
"""

import math
from dataclasses import dataclass
from typing import Annotated

import cv2
import numpy as np
import numpy.typing as npt

from trailcam_core.images.resize import PADDING_LEVEL, Geometry, Image, fit_image, plan_geometry
from trailcam_core.records import Range, check_ranges
from trailcam_core.spec import InputSpec

_Fraction = Annotated[float, Range(0.0, 1.0)]
_Square = tuple[tuple[float, float], tuple[float, float]]
_Matrix = tuple[tuple[float, float, float], tuple[float, float, float]]  # output pixel -> source pixel

_LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601, what cvtColor's grey is
_CROP_ASPECTS = (3 / 4, 4 / 3)  # Source: Szegedy et al., "Going deeper with convolutions", 2014, section 6
_BLUR_SIGMAS_PX = (0.4, 1.6)
_ERASED_AREAS = (0.02, 0.2)  # Source: Zhong et al., "Random erasing data augmentation", 2017 (there up to 0.4)


@dataclass(frozen=True)
class Augmentation:
    """The range of each random change; 0 turns it off.

    Geometry: ``shear`` displaces the far edge by up to this fraction; ``zoom`` scales width and height independently by
    1 - zoom to 1 + zoom; ``flip`` is the probability of a mirrored picture; ``rotate_deg`` is the largest rotation in
    degrees; ``translate`` moves by up to this fraction of the side; ``crop_area_min`` crops a region of this
    fraction of the view, up to all of it, anywhere in the picture.

    Colour: ``brightness``, ``contrast`` and ``saturation`` scale by 1 - value to 1 + value; ``hue`` rotates the colour
    circle by up to this fraction of a full turn; ``greyscale`` is the probability of a grey picture, as from infrared.

    Defects: ``blur`` is the probability of a soft picture; ``noise`` the largest standard deviation of added noise, in
    levels of 255; ``erase`` the probability that one rectangle is blanked.
    """

    shear: _Fraction = 0.0
    zoom: Annotated[float, Range(0.0, 0.9)] = 0.0
    flip: _Fraction = 0.0
    rotate_deg: Annotated[float, Range(0.0, 180.0)] = 0.0
    translate: _Fraction = 0.0
    crop_area_min: _Fraction = 0.0
    brightness: _Fraction = 0.0
    contrast: _Fraction = 0.0
    saturation: _Fraction = 0.0
    hue: Annotated[float, Range(0.0, 0.5)] = 0.0
    greyscale: _Fraction = 0.0
    blur: _Fraction = 0.0
    noise: Annotated[float, Range(0.0, 128.0)] = 0.0
    erase: _Fraction = 0.0

    def __post_init__(self) -> None:
        check_ranges(self)

    @property
    def has_geometry(self) -> bool:
        """Whether pixels are moved, other than by mirroring."""
        return any((self.shear, self.zoom, self.rotate_deg, self.translate, self.crop_area_min))

    @property
    def has_colour(self) -> bool:
        """Whether colours change."""
        return any((self.brightness, self.contrast, self.saturation, self.hue, self.greyscale))


OFF = Augmentation()
ARTICLE = Augmentation(shear=0.2, zoom=0.2, flip=0.5)


def augment(image: Image, spec: InputSpec, augmentation: Augmentation, rng: np.random.Generator) -> Image:
    """Draw one random view of a picture.

    Args:
        image: (H, W, 3) uint8 RGB, as ``decode_image`` gave it with ``decoding_spec(spec, augmentation)``; not changed.
        spec: the model's input.
        augmentation: ranges of the changes.
        rng: the only source of randomness.

    Returns:
        (spec.height, spec.width, 3) uint8 RGB, C-contiguous. Without any change it may share memory with ``image``.
    """
    mirrored = bool(augmentation.flip) and rng.random() < augmentation.flip
    if augmentation.has_geometry:
        view = _warp(image, spec, augmentation, mirrored, rng)
    else:
        view = fit_image(image, spec)
        if mirrored:
            view = np.ascontiguousarray(view[:, ::-1])
    if augmentation.has_colour:
        view = np.asarray(cv2.transform(view, _colour_matrix(view, augmentation, rng)), np.uint8)
    if augmentation.blur and rng.random() < augmentation.blur:
        view = np.asarray(cv2.GaussianBlur(view, (0, 0), rng.uniform(*_BLUR_SIGMAS_PX)), np.uint8)
    if augmentation.noise:
        sigma = np.float32(rng.uniform(0, augmentation.noise))
        noisy = rng.standard_normal(view.shape, np.float32) * sigma + view
        view = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
    if augmentation.erase and rng.random() < augmentation.erase:
        view = _erase(view, rng)
    return view


def decoding_spec(spec: InputSpec, augmentation: Augmentation | None) -> InputSpec:
    """Return the input to decode for, large enough for the closest crop.

    A JPEG is decoded at a fraction of its size for a small input. A crop of a quarter of the area needs twice the
    pixels a side.
    """
    if augmentation is None:
        return spec
    closest = max(1 - augmentation.zoom, 0.1)
    if augmentation.crop_area_min:
        closest *= math.sqrt(augmentation.crop_area_min)
    return InputSpec(math.ceil(spec.height / closest), math.ceil(spec.width / closest), spec.fit)


def _warp(image: Image, spec: InputSpec, augmentation: Augmentation, mirrored: bool, rng: np.random.Generator) -> Image:
    plan = plan_geometry(image.shape[0], image.shape[1], spec)
    (xx, xy, x), (yx, yy, y) = _draw_matrix(image.shape[1], image.shape[0], spec, plan, augmentation, rng)
    if mirrored:
        xx, x, yx, y = -xx, x + xx * (spec.width - 1), -yx, y + yx * (spec.width - 1)
    while min(math.hypot(xx, yx), math.hypot(xy, yy)) >= 2:
        rows, columns = image.shape[0] // 2, image.shape[1] // 2  # as fit_image does: no pixel is skipped
        even = image[: 2 * rows, : 2 * columns]
        image = np.asarray(cv2.resize(even, (columns, rows), interpolation=cv2.INTER_AREA), np.uint8)
        xx, xy, yx, yy = xx / 2, xy / 2, yx / 2, yy / 2
        x, y = x / 2 - 0.25, y / 2 - 0.25  # (x + 1/2) / 2 - 1/2: the same place between pixel centres
    border = cv2.BORDER_CONSTANT if spec.fit == "letterbox" else cv2.BORDER_REPLICATE
    warped = cv2.warpAffine(
        cv2.cvtColor(image, cv2.COLOR_RGB2RGBA),  # the same pixels in 0.6 of the time: four bytes are read at once
        np.array([[xx, xy, x], [yx, yy, y]]),
        (spec.width, spec.height),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=border,
        borderValue=(PADDING_LEVEL,) * 4,
    )
    return np.asarray(cv2.cvtColor(warped, cv2.COLOR_RGBA2RGB), np.uint8)


def _draw_matrix(
    image_width: int,
    image_height: int,
    spec: InputSpec,
    plan: Geometry,
    augmentation: Augmentation,
    rng: np.random.Generator,
) -> _Matrix:
    """Draw the affine map from output pixels to image pixels, pixel centres on whole numbers."""
    across, down = 0.5, 0.5  # the centre of the view, in fractions of the input
    linear: _Square = ((1.0, 0.0), (0.0, 1.0))  # input pixels per output pixel
    if augmentation.crop_area_min:
        wide, high = _draw_crop(augmentation.crop_area_min, rng)
        (left, top), (right, bottom) = _reach(image_width, image_height, spec, plan)
        across, down = rng.uniform(left + wide / 2, right - wide / 2), rng.uniform(top + high / 2, bottom - high / 2)
        linear = _times(linear, ((wide, 0.0), (0.0, high)))
    if augmentation.rotate_deg:
        angle = math.radians(rng.uniform(-augmentation.rotate_deg, augmentation.rotate_deg))
        linear = _times(linear, ((math.cos(angle), -math.sin(angle)), (math.sin(angle), math.cos(angle))))
    if augmentation.shear:
        linear = _times(linear, ((1.0, rng.uniform(-augmentation.shear, augmentation.shear)), (0.0, 1.0)))
    if augmentation.zoom:
        low, high = 1 - augmentation.zoom, 1 + augmentation.zoom
        linear = _times(linear, ((rng.uniform(low, high), 0.0), (0.0, rng.uniform(low, high))))
    if augmentation.translate:
        across += rng.uniform(-augmentation.translate, augmentation.translate)
        down += rng.uniform(-augmentation.translate, augmentation.translate)
    # Output centre x + 1/2 -> input c + L (x + 1/2 - size/2) -> image corner + (input - pad) * scale, less 1/2.
    wide, high = plan.region_width / plan.width, plan.region_height / plan.height
    (xx, xy), (yx, yy) = _times(((wide, 0.0), (0.0, high)), linear)
    x = plan.left + wide * (across * spec.width - plan.pad_left)
    y = plan.top + high * (down * spec.height - plan.pad_top)
    to_right, to_bottom = (1 - spec.width) / 2, (1 - spec.height) / 2
    return (
        (xx, xy, x + xx * to_right + xy * to_bottom - 0.5),
        (yx, yy, y + yx * to_right + yy * to_bottom - 0.5),
    )


def _times(first: _Square, second: _Square) -> _Square:
    """Multiply two small matrices, as plain numbers ten times faster than as arrays."""
    (a, b), (c, d) = first
    (e, f), (g, h) = second
    return (a * e + b * g, a * f + b * h), (c * e + d * g, c * f + d * h)


def _draw_crop(area_min: float, rng: np.random.Generator) -> tuple[float, float]:
    """Draw the sides (width, height) of a crop in fractions of the input, each at most 1."""
    area = rng.uniform(area_min, 1)
    aspect = math.exp(rng.uniform(*np.log(_CROP_ASPECTS)))
    return min(1.0, math.sqrt(area * aspect)), min(1.0, math.sqrt(area / aspect))


def _reach(
    image_width: int, image_height: int, spec: InputSpec, plan: Geometry
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return the low and high corner (x, y) of the picture in fractions of the input, the input itself included."""
    wide = plan.width / plan.region_width / spec.width
    high = plan.height / plan.region_height / spec.height
    left, top = -plan.left * wide, -plan.top * high
    return (min(left, 0.0), min(top, 0.0)), (max(left + image_width * wide, 1.0), max(top + image_height * high, 1.0))


def _colour_matrix(view: Image, augmentation: Augmentation, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Draw one matrix (3, 4) for brightness, contrast, saturation, hue and grey, in that order."""
    grey = np.tile(_LUMA, (3, 1))
    matrix = np.eye(3)
    offset = 0.0
    if augmentation.brightness:
        matrix = matrix * _factor(augmentation.brightness, rng)
    if augmentation.contrast:
        factor = _factor(augmentation.contrast, rng)
        mean = float(_LUMA @ cv2.mean(view)[:3]) * matrix[0, 0]
        matrix, offset = matrix * factor, mean * (1 - factor)
    if augmentation.saturation:
        factor = _factor(augmentation.saturation, rng)
        matrix = (np.eye(3) * factor + grey * (1 - factor)) @ matrix
    if augmentation.hue:
        matrix = _hue_matrix(rng.uniform(-augmentation.hue, augmentation.hue)) @ matrix
    if augmentation.greyscale and rng.random() < augmentation.greyscale:
        matrix = grey @ matrix
    return np.column_stack([matrix, np.full(3, offset)])  # every step keeps a grey offset as it is


def _factor(reach: float, rng: np.random.Generator) -> float:
    return float(rng.uniform(1 - reach, 1 + reach))


def _hue_matrix(turn: float) -> npt.NDArray[np.float64]:
    """Return the (3, 3) matrix that rotates colours about the grey axis in YIQ; luma is preserved."""
    to_yiq = np.array([_LUMA, [0.595716, -0.274453, -0.321263], [0.211456, -0.522591, 0.311135]])
    cos, sin = math.cos(2 * math.pi * turn), math.sin(2 * math.pi * turn)
    return np.asarray(np.linalg.inv(to_yiq) @ np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]]) @ to_yiq)


def _erase(view: Image, rng: np.random.Generator) -> Image:
    """Blank one rectangle with one random colour."""
    height, width = view.shape[:2]
    area = rng.uniform(*_ERASED_AREAS)
    aspect = math.exp(rng.uniform(*np.log(_CROP_ASPECTS)))
    rows, columns = (
        max(1, round(side * fraction))
        for side, fraction in (
            (height, min(1.0, math.sqrt(area / aspect))),
            (width, min(1.0, math.sqrt(area * aspect))),
        )
    )
    top, left = int(rng.integers(0, height - rows + 1)), int(rng.integers(0, width - columns + 1))
    erased = view.copy()
    erased[top : top + rows, left : left + columns] = rng.integers(0, 256, 3, np.uint8)
    return erased
