"""Near-duplicates of single images; ``tests/train/data/test_near_duplicates.py`` has the search within a dataset."""

import cv2
import numpy as np
import pytest

from trailcam_core.datasets.near_duplicates import Forest, ThumbnailIndex, link_near_duplicates
from trailcam_core.images.alignment import make_thumbnail
from trailcam_core.images.resize import Image


def _photo(seed: int) -> Image:
    """Soft blotches of several sizes, as in a photograph."""
    random = np.random.default_rng(seed)
    layers = [
        cv2.resize(random.random((side, side, 3)), (96, 96), interpolation=cv2.INTER_CUBIC) for side in (4, 9, 24)
    ]
    mixed = 0.5 * layers[0] + 0.3 * layers[1] + 0.2 * layers[2]
    return np.clip(255 * mixed, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("seed", range(4))
def test_changed_copies_of_a_photograph_are_found_among_others(seed: int) -> None:
    photo = _photo(seed)
    index = ThumbnailIndex([make_thumbnail(_photo(other)) for other in (*range(10, 30), seed)])
    _, packed = cv2.imencode(".jpg", photo, [cv2.IMWRITE_JPEG_QUALITY, 40])
    copies = {
        "recompressed": cv2.imdecode(packed, cv2.IMREAD_COLOR),
        "resized": cv2.resize(photo, (60, 70), interpolation=cv2.INTER_AREA),
        "brighter": np.clip(photo.astype(int) + 20, 0, 255).astype(np.uint8),
        "mirrored": np.ascontiguousarray(photo[:, ::-1]),
        "cropped": np.ascontiguousarray(photo[4:-2, 3:-4]),
    }
    assert {name: index.find(make_thumbnail(copy)) for name, copy in copies.items()} == dict.fromkeys(copies, 20)


def test_another_photograph_and_a_blank_one_have_no_near_duplicate() -> None:
    index = ThumbnailIndex([make_thumbnail(_photo(seed)) for seed in range(10)] + [np.full((64, 64), 9, np.uint8)])
    for seed in range(10, 20):
        assert index.find(make_thumbnail(_photo(seed))) is None
    assert index.find(np.full((64, 64), 9, np.uint8)) is None
    assert ThumbnailIndex([]).find(make_thumbnail(_photo(0))) is None


def test_index_and_search_agree() -> None:
    images = [_photo(seed) for seed in range(6)] + [np.ascontiguousarray(_photo(2)[3:-3, 2:-2])]
    thumbnails = np.stack([make_thumbnail(image) for image in images])
    forest = Forest(len(images))
    (link,) = link_near_duplicates(thumbnails, forest)
    assert (link.first, link.second) == (2, 6)
    assert forest.numbers() == (0, 1, 2, 3, 4, 5, 2)
    assert ThumbnailIndex(thumbnails[:6]).find(thumbnails[6]) == 2
