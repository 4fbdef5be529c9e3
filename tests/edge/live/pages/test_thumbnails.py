"""Small pictures made of stored ones."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from trailcam_edge.live.pages import thumbnails
from trailcam_edge.live.pages.thumbnails import Thumbnails, shrink_picture
from trailcam_edge.store.disk.jpeg import jpeg_size
from trailcam_edge.store.disk.picture_folder import encode_jpeg


def save(path: Path, width: int, height: int, level: int = 128) -> Path:
    path.write_bytes(encode_jpeg(np.full((height, width, 3), level, np.uint8), 90))
    return path


@pytest.mark.parametrize(
    ("size", "expected"),
    [((1920, 1080), (320, 180)), ((640, 480), (320, 240)), ((2592, 1944), (320, 240)), ((300, 600), (300, 600))],
)
def test_a_thumbnail_keeps_the_proportions(tmp_path: Path, size: tuple[int, int], expected: tuple[int, int]) -> None:
    made = Thumbnails().thumbnail(save(tmp_path / "a.jpg", *size))
    assert made is not None
    image = cv2.imdecode(np.frombuffer(made, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    assert image.shape[1::-1] == expected
    assert abs(int(image.mean()) - 128) < 3
    assert jpeg_size(made) == expected


def test_a_picture_that_is_gone_or_no_picture_has_none(tmp_path: Path) -> None:
    whole = save(tmp_path / "a.jpg", 640, 480).read_bytes()
    for number, content in enumerate(
        (b"", b"\xff\xd8", b"no jpeg at all", whole[:300], b"\xff\xd8\xff\xc0" + b"\0" * 20)
    ):
        path = tmp_path / f"{number}.jpg"
        path.write_bytes(content)
        assert Thumbnails().thumbnail(path) is None or content == whole[:300]
    assert Thumbnails().thumbnail(tmp_path / "gone.jpg") is None
    assert Thumbnails().view(tmp_path / "gone.jpg") is None


def test_a_picture_that_claims_a_gigapixel_is_not_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = bytearray(save(tmp_path / "a.jpg", 640, 480).read_bytes())
    frame = content.index(b"\xff\xc0")
    content[frame + 5 : frame + 9] = b"\xff\xff\xff\xff"
    (tmp_path / "a.jpg").write_bytes(content)
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("decoded"))
    assert shrink_picture(tmp_path / "a.jpg", 320, 80) is None


def test_the_kept_thumbnails_are_bounded_and_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [save(tmp_path / f"{number}.jpg", 640, 480, 20 * number) for number in range(4)]
    kept = Thumbnails()
    size = len(kept.thumbnail(paths[0]) or b"")
    monkeypatch.setattr(thumbnails, "_MAX_CACHE_BYTES", 3 * size)
    for path in paths:
        kept.thumbnail(path)
    assert kept._bytes == sum(map(len, kept._kept.values())) <= 3 * size
    monkeypatch.setattr(thumbnails, "shrink_picture", lambda *_: pytest.fail("made again"))
    assert kept.thumbnail(paths[3]) is not None
