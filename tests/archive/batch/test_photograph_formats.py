"""TIFF beside the formats of core."""

import io
import random

import numpy as np
import pytest
from PIL import Image

from trailcam_archive.batch.photograph_formats import decode_in_child, decode_photograph, is_foreign
from trailcam_core.errors import SourceError

_PICTURE = np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8)


def _tiff(orientation: int = 1, compression: str | None = None) -> bytes:
    file = io.BytesIO()
    Image.fromarray(_PICTURE).save(file, "TIFF", compression=compression, tiffinfo={274: orientation})
    return file.getvalue()


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_adobe_deflate"])
def test_tiff_is_decoded_bit_for_bit(compression: str | None) -> None:
    assert (decode_photograph(_tiff(compression=compression), "a.tif") == _PICTURE).all()


@pytest.mark.parametrize(("orientation", "turns"), [(3, 2), (6, 3), (8, 1)])
def test_tiff_is_turned_upright(orientation: int, turns: int) -> None:
    assert (decode_photograph(_tiff(orientation), "a.tif") == np.rot90(_PICTURE, turns)).all()


def test_a_child_decodes_alike_and_names_the_fault() -> None:
    assert is_foreign(_tiff())
    assert (decode_in_child(_tiff(), "a.tif") == _PICTURE).all()
    with pytest.raises(SourceError, match=r"^a\.tif: the TIFF picture is damaged"):
        decode_in_child(_tiff()[:100], "a.tif")


def test_other_formats_are_decoded_by_core() -> None:
    file = io.BytesIO()
    Image.fromarray(_PICTURE).save(file, "PNG")
    assert (decode_photograph(file.getvalue(), "a.png") == _PICTURE).all()


def test_a_damaged_tiff_or_one_of_a_billion_pixels_is_refused() -> None:
    content = _tiff()
    for size in (4, 8, 100, len(content) // 2):
        with pytest.raises(SourceError, match=r"a\.tif"):
            decode_photograph(content[:size], "a.tif")
    huge = bytearray(content)
    place = content.index(b"\x00\x01\x04\x00\x01\x00\x00\x00") + 8  # the value of the width
    huge[place : place + 4] = (2**31).to_bytes(4, "little")
    with pytest.raises(SourceError, match=r"2,147,483,648x40 px"):
        decode_photograph(bytes(huge), "a.tif")


def test_no_bytes_of_a_tiff_raise_anything_else() -> None:
    chance, content = random.Random(4), _tiff()
    for _ in range(200):
        damaged = bytearray(content)
        damaged[chance.choice((4, *range(len(content) - 200, len(content))))] = chance.randrange(256)
        try:
            decode_photograph(bytes(damaged), "a.tif")
        except SourceError:
            continue
