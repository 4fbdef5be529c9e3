"""A folder with pictures whose left half is red and right half is blue."""

from pathlib import Path

import cv2
import numpy as np
import pytest


@pytest.fixture
def media(tmp_path: Path) -> Path:
    folder = tmp_path / "media"
    for number, name in enumerate(("fox/s1/a.jpg", "fox/s1/b.jpg", "hare/s2/c.jpg", "empty/s2/d.jpg")):
        image = np.zeros((400, 800, 3), np.uint8)
        image[:, :400] = (0, 0, 200)
        image[:, 400:] = (200, 0, 0)
        image[number * 20 : number * 20 + 10] = 255  # no two pictures are the same
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / name), image)
    return folder
