"""EXIF that other programs read."""

import io
import json
from datetime import UTC, datetime, timedelta, timezone

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from trailcam_core.images.header import read_image_header
from trailcam_edge.store.disk.exif import add_exif

JPEG = bytes(cv2.imencode(".jpg", np.full((20, 30, 3), 90, np.uint8))[1])
EXIF_DIRECTORY = 0x8769


def _tags(content: bytes) -> dict[int, object]:
    image = Image.open(io.BytesIO(content))
    image.load()
    exif = image.getexif()
    return dict(exif) | dict(exif.get_ifd(EXIF_DIRECTORY))


def test_time_label_and_bundle_are_read_by_another_program() -> None:
    noon = datetime(2026, 6, 1, 14, 0, 5, tzinfo=timezone(timedelta(hours=2)))
    tags = _tags(add_exif(JPEG, "lynx", "Trailcam, tiny-1.0.0", noon, {"label": "lynx", "bundle": "tiny-1.0.0"}))
    assert tags[0x010E] == "lynx"
    assert tags[0x0131] == "Trailcam, tiny-1.0.0"
    assert tags[0x9003] == "2026:06:01 12:00:05"
    assert tags[0x9011] == "+00:00"
    comment = tags[0x9286]
    assert isinstance(comment, bytes)
    assert json.loads(comment.removeprefix(b"ASCII\0\0\0")) == {"label": "lynx", "bundle": "tiny-1.0.0"}


def test_the_pixels_stay_the_same() -> None:
    content = add_exif(JPEG, "lynx", "Trailcam", None, {})
    before, after = (cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) for data in (JPEG, content))
    assert np.array_equal(before, after)
    assert read_image_header(content).orientation == 1


def test_an_unknown_time_is_left_out() -> None:
    assert 0x9003 not in _tags(add_exif(JPEG, "lynx", "Trailcam", None, {}))


@given(st.text(max_size=50), st.dictionaries(st.text(max_size=5), st.text(max_size=50), max_size=4))
def test_any_text_gives_a_picture_that_can_be_read(label: str, facts: dict[str, str]) -> None:
    tags = _tags(add_exif(JPEG, label, "Trailcam", datetime(2026, 1, 1, tzinfo=UTC), facts))
    comment = tags[0x9286]
    assert isinstance(comment, bytes)
    assert json.loads(comment.removeprefix(b"ASCII\0\0\0")) == facts


def test_what_is_no_jpeg_or_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="not a JPEG"):
        add_exif(b"\x89PNG", "lynx", "Trailcam", None, {})
    with pytest.raises(ValueError, match="at most 65,533"):
        add_exif(JPEG, "lynx", "Trailcam", None, {"text": "x" * 70_000})
