"""What the camera adds: composition, lens, film noise, WebP."""

import cv2
import numpy as np
from noise import Array
from numpy.typing import NDArray
from scenery import Place

WIDTH, HEIGHT = 640, 480
_SOFTNESS_PX = 0.5  # a plain lens; sharp grass would double the bytes


def compose(place: Place, colour: Array | None, alpha: Array | None, shadow: Array | None) -> Array:
    """Put an animal (H, W, 3) with coverage and shadow (H, W) into a place; none of them: the empty place."""
    picture = place.back
    if shadow is not None:
        tint = np.asarray([0.95, 0.92, 0.85], np.float32)
        picture = picture * (1 - shadow[..., None] * tint)
    if colour is not None and alpha is not None:
        soft = cv2.GaussianBlur(alpha, (0, 0), 0.6)[..., None]
        picture = picture * (1 - soft) + colour * soft
    front_alpha = place.front_alpha[..., None]
    if shadow is not None:
        front = place.front * (1 - 0.5 * shadow[..., None])
        return (picture * (1 - front_alpha) + front * front_alpha).astype(np.float32)
    return (picture * (1 - front_alpha) + place.front * front_alpha).astype(np.float32)


def expose(
    picture: Array, seed: int, zoom: float = 1.0, shift: tuple[float, float] = (0.0, 0.0), noise: float = 0.012
) -> NDArray[np.uint8]:
    """Take the frame.

    Args:
        picture: (H, W, 3) sRGB in 0 to 1, any size of 4 : 3.
        seed: for noise and shake.
        zoom: 1 shows nearly all of the picture.
        shift: of the frame, in frame widths.
        noise: standard deviation of the film noise.

    Returns:
        (480, 640, 3) RGB.
    """
    rng = np.random.default_rng(seed)
    h, w = picture.shape[:2]
    shake = rng.normal(0, 0.0015, 2) + np.asarray(shift)
    scale = WIDTH / w * 1.02 * zoom
    matrix = np.asarray(
        [[scale, 0, WIDTH / 2 - scale * w * (0.5 + shake[0])], [0, scale, HEIGHT / 2 - scale * h * (0.5 + shake[1])]]
    )
    if scale < 1:
        picture = cv2.GaussianBlur(picture, (0, 0), 0.32 / scale).astype(np.float32)
    frame = cv2.warpAffine(picture, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    frame = cv2.GaussianBlur(frame, (0, 0), _SOFTNESS_PX)
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    corner = ((x / WIDTH - 0.5) ** 2 + (y / HEIGHT - 0.5) ** 2)[..., None]
    frame = frame * (1 - 0.28 * corner) * (1 + rng.normal(0, 0.008))
    grain = cv2.GaussianBlur(rng.standard_normal((HEIGHT, WIDTH, 3)).astype(np.float32), (0, 0), 0.6) * 1.8
    frame = frame + noise * grain
    return np.clip(frame * 255 + 0.5, 0, 255).astype(np.uint8)


def encode(frame: NDArray[np.uint8], quality: int) -> bytes:
    """Compress (H, W, 3) RGB to the bytes of a lossy WebP file."""
    ok, data = cv2.imencode(".webp", frame[:, :, ::-1], [cv2.IMWRITE_WEBP_QUALITY, quality])
    if not ok:
        raise RuntimeError("OpenCV could not encode a WebP file: is this build without libwebp?")
    return bytes(data.tobytes())
