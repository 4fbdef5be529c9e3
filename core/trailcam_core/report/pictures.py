"""Photographs inside a page, as JPEG in the page itself."""

import base64
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from trailcam_core.report.markup import Html, breakable, fill, join

Image = npt.NDArray[np.uint8]  # (H, W, 3) RGB

_JPEG_QUALITY = 80


def picture(image: Image | Sequence[tuple[Image, str]], caption: Iterable[tuple[str, str]]) -> Html:
    """Return an HTML figure that holds one picture, or some side by side, each with its own short text.

    Args:
        image: (H, W, 3) uint8 RGB, or several with a text.
        caption: lines below as class and text: truth, right, wrong, file, or "" for plain; all of them are its
            text for readers who do not see it.
    """
    lines = list(caption)
    words = "; ".join(text for _, text in lines)
    if isinstance(image, np.ndarray):
        shown = _embed(image, words)
    else:
        cells = join(
            fill("<span>{}{}</span>", _embed(part, f"{words}: {text}"), breakable(text)) for part, text in image
        )
        shown = fill('<div class="row">{}</div>', cells)
    below = join(fill('<span class="{}">{}</span>', kind, breakable(text)) for kind, text in lines)
    return fill('<figure class="picture">{}<figcaption>{}</figcaption></figure>', shown, below)


def pictures(figures: Iterable[Html], size: str = "") -> Html:
    """Return figures in rows as wide as the page allows; ``size`` is small, "" for medium, wide, or large."""
    return fill('<div class="{}">{}</div>', f"pictures {size}".strip(), join(figures))


def _embed(image: Image, description: str) -> Html:
    import cv2  # a comparison without pictures loads no OpenCV

    _, encoded = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    data = base64.b64encode(encoded.tobytes()).decode("ascii")
    height, width = image.shape[:2]
    return fill(
        '<img width="{}" height="{}" alt="{}" src="data:image/jpeg;base64,{}">', width, height, description, data
    )
