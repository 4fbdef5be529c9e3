"""What a picture file says of itself."""

import io
import re
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from trailcam_core.images.decode import decode_image
from trailcam_core.images.header import ImageHeader, read_image_header

_RANDOM = np.random.default_rng(0)
_PICTURE = Image.fromarray(_RANDOM.integers(0, 256, (30, 50, 3), dtype=np.uint8))


def _encode(picture: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _riff(kind: bytes, body: bytes) -> bytes:
    return b"RIFF" + struct.pack("<I", len(kind + body)) + kind + body


def _exif(orientation: int, order: str = "<", kind: int = 3) -> bytes:
    mark = b"II*\0" if order == "<" else b"MM\0*"
    value = struct.pack(order + {3: "HH", 4: "I"}[kind], *((orientation, 0) if kind == 3 else (orientation,)))
    other = struct.pack(order + "HHII", 0x010F, 2, 1, 0)
    return mark + struct.pack(order + "IH", 8, 2) + other + struct.pack(order + "HHI", 0x0112, kind, 1) + value


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (_encode(_PICTURE, "JPEG"), ImageHeader("JPEG", 50, 30, samples_per_px=1.5)),
        (_encode(_PICTURE, "JPEG", subsampling=0), ImageHeader("JPEG", 50, 30, samples_per_px=3)),
        (
            _encode(_PICTURE, "JPEG", progressive=True),
            ImageHeader("JPEG", 50, 30, progressive=True, samples_per_px=1.5),
        ),
        (_encode(_PICTURE.convert("CMYK"), "JPEG"), ImageHeader("JPEG", 50, 30, samples_per_px=4)),
        (_encode(_PICTURE.convert("L"), "JPEG", comment="a" * 60_000), ImageHeader("JPEG", 50, 30, samples_per_px=1)),
        (_encode(_PICTURE, "PNG"), ImageHeader("PNG", 50, 30)),
        (_encode(_PICTURE.convert("RGBA"), "PNG"), ImageHeader("PNG", 50, 30, alpha=True)),
        (_encode(_PICTURE.convert("LA"), "PNG"), ImageHeader("PNG", 50, 30, alpha=True)),
        (_encode(_PICTURE.quantize(8), "PNG"), ImageHeader("PNG", 50, 30)),
        (_encode(_PICTURE.quantize(8), "PNG", transparency=2), ImageHeader("PNG", 50, 30, alpha=True)),
        (_encode(Image.new("I;16", (50, 30)), "PNG"), ImageHeader("PNG", 50, 30, deep=True)),
        (_encode(_PICTURE, "WEBP"), ImageHeader("WebP", 50, 30)),
        (_encode(_PICTURE, "WEBP", lossless=True), ImageHeader("WebP", 50, 30)),
        (_encode(_PICTURE.convert("RGBA"), "WEBP"), ImageHeader("WebP", 50, 30)),  # Pillow drops an opaque channel
        (_encode(Image.new("RGBA", (50, 30)), "WEBP"), ImageHeader("WebP", 50, 30, alpha=True)),
        (_encode(Image.new("RGBA", (50, 30)), "WEBP", lossless=True), ImageHeader("WebP", 50, 30, alpha=True)),
        (_encode(_PICTURE, "BMP"), ImageHeader("BMP", 50, 30)),
        (b"BM" + bytes(12) + struct.pack("<Iii", 40, 50, -30), ImageHeader("BMP", 50, 30)),
        (b"BM" + bytes(12) + struct.pack("<IHH", 12, 50, 30), ImageHeader("BMP", 50, 30)),
    ],
)
def test_format_size_and_kind_are_read(data: bytes, expected: ImageHeader) -> None:
    assert read_image_header(data) == expected


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_the_orientation_is_read_from_every_format_that_has_one(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert read_image_header(_encode(_PICTURE, kind, exif=exif.tobytes())).orientation == orientation


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("number", [3, 4])
def test_the_orientation_is_read_in_both_byte_orders_and_number_sizes(order: str, number: int) -> None:
    data = _encode(_PICTURE, "JPEG", exif=b"Exif\0\0" + _exif(6, order, number))
    assert read_image_header(data).orientation == 6


@pytest.mark.parametrize(
    "exif",
    [b"", b"II", b"XX*\0" + bytes(20), _exif(0), _exif(9), _exif(6)[:-6], b"II*\0" + b"\xff" * 4, _exif(6)[:8]],
)
def test_a_damaged_orientation_means_upright(exif: bytes) -> None:
    data = (
        b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", struct.pack(">IIBBBBB", 50, 30, 8, 2, 0, 0, 0)) + _chunk(b"eXIf", exif)
    )
    assert read_image_header(data + _chunk(b"IEND", b"")).orientation == 1


def test_a_baseline_jpeg_in_separate_scans_counts_as_held_whole() -> None:
    data = bytearray(_encode(_PICTURE, "JPEG"))
    scan = data.index(b"\xff\xda")
    assert data[scan + 4] == 3
    data[scan + 4] = 1
    assert read_image_header(bytes(data)).progressive


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "it is empty, expected JPEG, PNG, WebP or BMP"),
        (b"hello", "it is no picture"),
        (_encode(_PICTURE, "GIF"), "it is GIF, expected"),
        (_encode(_PICTURE, "TIFF"), "it is TIFF, expected"),
        (b"MM\0*" + bytes(20), "it is TIFF, expected"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "it is HEIC, expected"),
        (b"\0\0\0\x18ftypavif\0\0\0\0mif1heic", "it is AVIF, expected"),
        (b"\0\0\0\x18ftyp\x1b[2J", "it is 2J, expected"),
        (b"%PDF-1.7", "it is PDF, expected"),
        (b"<!DOCTYPE html>", "it is HTML, expected"),
        (_encode(_PICTURE, "JPEG")[:20], "its JPEG header does not end"),
        (_encode(_PICTURE, "JPEG")[:25], "its JPEG segment FFDB of "),
        (_encode(_PICTURE, "JPEG")[:3], "the file ends inside its header"),
        (_encode(_PICTURE, "PNG")[:20], "the file ends inside its header"),
        (_encode(_PICTURE, "WEBP")[:20], "its RIFF length of "),
        (_riff(b"WEBP", b"VP8X\0\0\0\0"), "the file ends inside its header"),
        (_encode(_PICTURE, "BMP")[:20], "the file ends inside its header"),
        (b"\xff\xd8\xff\xd9", "its JPEG header has no frame"),
        (b"\xff\xd8hello", "its JPEG header does not end"),
        (b"\xff\xd8" + b"\xff" * 200_000, "its JPEG header does not end"),
        (_encode(_PICTURE, "PNG")[:33] + _chunk(b"tEXt", b"") * 100_000, "it has more than 100,000 PNG chunks"),
        (_encode(_PICTURE, "PNG")[:-13], "its PNG chunk IDAT of "),
        (
            _encode(_PICTURE, "PNG")[:33] + b"\xff\xff\xff\xfftEXt",
            "its PNG chunk tEXt of 4,294,967,295 bytes is longer",
        ),
        (_encode(_PICTURE, "PNG")[:33] + b"\0\0\1\0\x1b[2J", "its PNG chunk 1b5b324a of 256 bytes is longer"),
        (b"\xff\xd8\xff\xe1\xff\xff" + bytes(50), "its JPEG segment FFE1 of 65,535 bytes is longer than the file"),
        (_encode(_PICTURE, "WEBP")[:-1], "its RIFF length of "),
        (
            _riff(b"WEBP", b"VP8 \xff\xff\xff\xff" + bytes(20)),
            "its WebP chunk 56503820 of 4,294,967,295 bytes is longer",
        ),
        (b"RIFF\x10\0\0\0WEBPVP9 " + bytes(20), "its first WebP chunk is unknown"),
    ],
)
def test_what_is_no_usable_picture_is_called_by_its_name(data: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        read_image_header(data)


@pytest.mark.parametrize("marker", [0xDB, 0xC0, 0xC4, 0xDA])
@pytest.mark.parametrize("stray", [b"\0", b"\0\0", b"\x12\x34\x56\x78", b"\xff\0", b"\xff\xff", b"a" * 5_000])
def test_stray_bytes_between_two_jpeg_segments_are_skipped_as_by_libjpeg(marker: int, stray: bytes) -> None:
    data = _encode(_PICTURE, "JPEG")
    place = data.index(bytes([0xFF, marker]))
    spoilt = data[:place] + stray + data[place:]
    assert read_image_header(spoilt) == read_image_header(data)
    assert np.array_equal(decode_image(spoilt, "spoilt"), decode_image(data, "sound"))


def test_bytes_after_the_end_of_a_picture_are_ignored() -> None:
    for kind in ("PNG", "WEBP", "JPEG"):
        data = _encode(_PICTURE, kind)
        assert read_image_header(data + b"\xff\xff\xff\xfftEXt" * 5) == read_image_header(data)


_FILES = [_encode(_PICTURE.resize((20, 17)), kind) for kind in ("JPEG", "PNG", "WEBP", "BMP")]


@given(st.sampled_from(_FILES), st.data())
def test_damaged_headers_give_a_header_or_a_value_error(data: bytes, draw: st.DataObject) -> None:
    spoilt = bytearray(data)
    for _ in range(draw.draw(st.integers(0, 4))):
        spoilt[draw.draw(st.integers(0, min(200, len(data)) - 1))] = draw.draw(st.integers(0, 255))
    end = draw.draw(st.integers(0, len(data)))
    try:
        header = read_image_header(bytes(spoilt[:end]))
    except ValueError:
        return
    assert header.width_px >= 0
    assert header.height_px >= 0
    assert 1 <= header.orientation <= 8
