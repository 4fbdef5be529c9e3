"""From picture files to RGB. Pillow, which the product does not use, says what is right."""

import io
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow
from PIL import ImageOps

from trailcam_core.errors import SourceError
from trailcam_core.images.decode import decode_image, read_image
from trailcam_core.images.resize import fit_image, plan_geometry
from trailcam_core.spec import FITS, InputSpec

Image = npt.NDArray[np.uint8]


_RANDOM = np.random.default_rng(0)


def _landscape(height: int, width: int) -> Image:
    """A smooth colourful picture, different in every corner."""
    small = np.random.default_rng(1).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


_PICTURE = Pillow.fromarray(_landscape(60, 80))


_RAMP = Pillow.fromarray(np.tile(np.linspace(0, 255, 80).astype(np.uint8), (60, 1)))


def _encode(picture: Pillow.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def _translucent(mode: str) -> Pillow.Image:
    picture = _PICTURE.convert(mode)
    picture.putalpha(_RAMP)
    return picture


def _expected(data: bytes) -> npt.NDArray[np.int16]:
    """What Pillow makes of a file: upright, on white, RGB."""
    picture = ImageOps.exif_transpose(Pillow.open(io.BytesIO(data)))
    if picture.mode in ("RGBA", "LA") or "transparency" in picture.info:
        picture = Pillow.alpha_composite(Pillow.new("RGBA", picture.size, "white"), picture.convert("RGBA"))
    return np.asarray(picture.convert("RGB"), np.int16)


def _exif(orientation: int) -> bytes:
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    return exif.tobytes()


_KINDS = {
    "jpeg": _encode(_PICTURE, "JPEG"),
    "jpeg progressive": _encode(_PICTURE, "JPEG", progressive=True),
    "jpeg without subsampling": _encode(_PICTURE, "JPEG", subsampling=0),
    "jpeg stored as RGB": _encode(_PICTURE, "JPEG", keep_rgb=True),
    "jpeg grey": _encode(_PICTURE.convert("L"), "JPEG"),
    "jpeg CMYK": _encode(_PICTURE.convert("CMYK"), "JPEG"),
    "png": _encode(_PICTURE, "PNG"),
    "png grey": _encode(_PICTURE.convert("L"), "PNG"),
    "png black and white": _encode(_PICTURE.convert("1"), "PNG"),
    "png palette": _encode(_PICTURE.quantize(16), "PNG"),
    "png palette, one transparent": _encode(_PICTURE.quantize(16), "PNG", transparency=3),
    "png palette, all translucent": _encode(_PICTURE.quantize(16), "PNG", transparency=bytes(range(0, 256, 16))),
    "png RGBA": _encode(_translucent("RGB"), "PNG"),
    "png LA": _encode(_translucent("L"), "PNG"),
    "png colour key": _encode(_PICTURE, "PNG", transparency=_PICTURE.getpixel((5, 5))),
    "png animated": _encode(_translucent("RGB"), "PNG", save_all=True, append_images=[_PICTURE.convert("RGBA")]),
    "webp": _encode(_PICTURE, "WEBP"),
    "webp lossless": _encode(_PICTURE, "WEBP", lossless=True),
    "webp RGBA": _encode(_translucent("RGB"), "WEBP"),
    "webp RGBA lossless": _encode(_translucent("RGB"), "WEBP", lossless=True),
    "webp animated": _encode(_PICTURE, "WEBP", save_all=True, append_images=[_PICTURE.rotate(180)], lossless=True),
    "bmp": _encode(_PICTURE, "BMP"),
    "bmp grey": _encode(_PICTURE.convert("L"), "BMP"),
    "bmp palette": _encode(_PICTURE.quantize(16), "BMP"),
    "bmp black and white": _encode(_PICTURE.convert("1"), "BMP"),
}


@pytest.mark.parametrize("kind", _KINDS)
def test_every_kind_of_file_becomes_the_same_rgb_as_in_pillow(kind: str) -> None:
    image = decode_image(_KINDS[kind], kind)
    assert image.dtype == np.uint8
    assert image.flags.c_contiguous
    assert image.flags.writeable
    assert image.shape == (60, 80, 3)
    # Both stand on libjpeg-turbo, libpng and libwebp; CMYK is multiplied out with other rounding.
    assert np.abs(image - _expected(_KINDS[kind])).max() <= (1 if "CMYK" in kind else 0)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_16_bit_png_is_cut_to_its_upper_8_bits(channels: int) -> None:
    deep = _RANDOM.integers(0, 65_536, (40, 50, channels), dtype=np.uint16)
    image = decode_image(cv2.imencode(".png", deep)[1].tobytes(), "deep.png")
    levels = (deep[:, :, :3] >> 8).astype(np.float64)
    if channels == 4:
        alpha = (deep[:, :, 3:] >> 8) / 255
        levels = np.rint(levels * alpha + 255 * (1 - alpha))
    assert np.array_equal(image, np.broadcast_to(levels[:, :, ::-1], (40, 50, 3)))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    ("kind", "alpha"), [("JPEG", False), ("PNG", False), ("PNG", True), ("WEBP", False), ("WEBP", True)]
)
def test_the_exif_orientation_is_undone(kind: str, alpha: bool, orientation: int) -> None:
    picture = _translucent("RGB") if alpha else _PICTURE
    data = _encode(picture, kind, exif=_exif(orientation), **({"lossless": True} if kind == "WEBP" else {}))
    image = decode_image(data, "turned")
    expected = _expected(data)
    assert image.shape == expected.shape == ((60, 80, 3) if orientation < 5 else (80, 60, 3))
    assert image.flags.c_contiguous
    assert np.array_equal(image, expected)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_reduced_decoding_keeps_the_orientation_and_never_goes_below_the_target(orientation: int) -> None:
    data = _encode(Pillow.fromarray(_landscape(240, 704)), "JPEG", exif=_exif(orientation), subsampling=0)
    turned = orientation >= 5
    for spec in (InputSpec(60, 60, "crop"), InputSpec(128, 48, "letterbox"), InputSpec(40, 100, "stretch")):
        full, reduced = decode_image(data, "full"), decode_image(data, "reduced", spec)
        plan = plan_geometry(*((704, 240) if turned else (240, 704)), spec)
        factor = 2 ** min(3, plan.row_halvings, plan.column_halvings)
        assert factor > 1
        assert reduced.shape == (full.shape[0] // factor, full.shape[1] // factor, 3)
        difference = np.abs(fit_image(full, spec).astype(int) - fit_image(reduced, spec))
        assert difference.mean() < 1.0  # levels; another turn or mirror differs by 30 and more


@pytest.mark.parametrize(("height", "width"), [(802, 1046), (1080, 1920), (511, 769), (263, 264)])
def test_reduced_decoding_of_a_side_that_is_no_multiple_of_8_shows_the_same_region(height: int, width: int) -> None:
    data = _encode(Pillow.fromarray(_landscape(height, width)), "JPEG", subsampling=0)
    spec = InputSpec(64, 64, "crop")
    reduced, full = decode_image(data, "reduced", spec), decode_image(data, "full")
    halvings = min(3, plan_geometry(height, width, spec).row_halvings)
    assert reduced.shape == (height >> halvings, width >> halvings, 3)
    difference = np.abs(fit_image(reduced, spec).astype(int) - fit_image(full, spec))
    assert difference.mean() < 0.8  # levels; half a pixel beside it, photographs differ by 4 and more


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("options", [{}, {"subsampling": 0}, {"progressive": True}], ids=["420", "444", "progressive"])
def test_reduced_decoding_looks_like_full_decoding(fit: str, options: dict[str, Any]) -> None:
    noisy = np.clip(_landscape(960, 1280) + _RANDOM.normal(0, 12, (960, 1280, 3)), 0, 255).astype(np.uint8)
    data = _encode(Pillow.fromarray(noisy), "JPEG", quality=90, **options)
    for side in (32, 128, 224):
        spec = InputSpec(side, side, fit)
        reduced, full = decode_image(data, "reduced", spec), decode_image(data, "full")
        assert reduced.size < full.size
        difference = np.abs(fit_image(reduced, spec).astype(int) - fit_image(full, spec))
        # Dropping high frequencies is not quite averaging, and colour is upsampled in another way: on camera-trap
        # photographs the mean difference is 0.2 to 0.9 levels.
        assert difference.mean() < 1.5


def test_reduced_decoding_of_real_photographs_looks_like_full_decoding(shared_data: Path) -> None:
    spec = InputSpec(128, 128, "crop")
    for path in sorted((shared_data / "cameratrap").glob("*.jpg")):
        difference = np.abs(fit_image(read_image(path, spec), spec).astype(int) - fit_image(read_image(path), spec))
        assert difference.mean() < 1.5, path.name


@pytest.mark.parametrize(("width", "height"), [(1, 1), (15, 100), (100, 15)])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP"])
def test_a_picture_of_a_few_pixels_is_refused(kind: str, width: int, height: int) -> None:
    data = _encode(_PICTURE.resize((width, height)), kind)
    with pytest.raises(SourceError, match=f"a.jpg: the picture is {width}x{height} px, expected at least 16 px a side"):
        decode_image(data, "a.jpg")


def test_a_picture_of_16_px_is_read() -> None:
    assert decode_image(_encode(_PICTURE.resize((16, 16)), "PNG"), "a.png").shape == (16, 16, 3)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9, 0.999])
@pytest.mark.parametrize("kind", ["jpeg", "jpeg progressive", "png", "png RGBA", "webp", "webp lossless", "bmp"])
def test_a_picture_that_is_cut_off_is_refused(kind: str, share: float, capfd: pytest.CaptureFixture[str]) -> None:
    data = _KINDS[kind]
    cut = data[: int(len(data) * share)]
    with pytest.raises(SourceError, match=r"^cut: (the \w+ picture is damaged or cut off|cannot be read as a picture)"):
        decode_image(cut, "cut")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "it is empty, expected JPEG, PNG, WebP or BMP"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "it is HEIC, expected"),
        (_encode(_PICTURE, "GIF"), "it is GIF, expected"),
        (_encode(_PICTURE, "TIFF"), "it is TIFF, expected"),
        (b"just some text", "it is no picture, expected"),
    ],
)
def test_what_is_no_picture_is_called_by_its_name(data: bytes, message: str) -> None:
    with pytest.raises(SourceError, match=re.escape(f"odd.jpg: cannot be read as a picture: {message}")):
        decode_image(data, "odd.jpg")


@settings(max_examples=150)
@given(st.sampled_from(sorted(_KINDS)), st.data())
def test_damaged_files_give_a_picture_or_a_source_error(kind: str, draw: st.DataObject) -> None:
    spoilt = bytearray(_KINDS[kind])
    for _ in range(draw.draw(st.integers(1, 4))):
        spoilt[draw.draw(st.integers(0, min(600, len(spoilt)) - 1))] = draw.draw(st.integers(0, 255))
    try:
        image = decode_image(bytes(spoilt), "spoilt", InputSpec(32, 32, "crop"))
    except SourceError:
        return
    assert image.ndim == 3
    assert image.shape[2] == 3
    assert image.dtype == np.uint8


def test_files_that_cannot_be_read_say_why(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="No such file"):
        read_image(tmp_path / "none.jpg")
    with pytest.raises(SourceError, match="a folder, expected a picture file"):
        read_image(tmp_path)
    with pytest.raises(SourceError, match="a device or pipe, expected a picture file"):
        read_image(Path("/dev/zero"))
    with open(tmp_path / "huge.jpg", "wb") as file:
        file.truncate(300_000_000)
    with pytest.raises(SourceError, match=r"300,000,000 bytes, expected a picture of at most 256,000,000"):
        read_image(tmp_path / "huge.jpg")
