"""JPEG files of pictures in memory."""

import cv2
import numpy as np

from trailcam_edge.sources.orientation import Orientation
from trailcam_edge.sources.pixels import PackedPixels
from trailcam_edge.store.disk.picture_folder import encode_jpeg


def test_a_kept_picture_is_encoded_like_the_image_that_it_gives() -> None:
    image = cv2.GaussianBlur(np.random.default_rng(3).integers(0, 256, (60, 80, 3)).astype(np.uint8), (0, 0), 4)
    for orientation in (Orientation(), Orientation(rotate_deg=90), Orientation(roi=(0.1, 0.1, 0.55, 0.7))):
        for size in ((60, 80), (59, 79)):
            kept = PackedPixels(image[: size[0], : size[1]], "RGB", orientation).keep()
            expected = encode_jpeg(kept.image(), 90)
            assert encode_jpeg(kept, 90) == expected
