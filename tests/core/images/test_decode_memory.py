"""Pictures that would fill the memory are refused or read in little of it."""

import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image as Pillow

from trailcam_core.errors import SourceError
from trailcam_core.images.decode import MAX_DECODED_PX, decode_image
from trailcam_core.spec import InputSpec

Image = npt.NDArray[np.uint8]


def _landscape(height: int, width: int) -> Image:
    """A smooth colourful picture, different in every corner."""
    small = np.random.default_rng(1).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


_PICTURE = Pillow.fromarray(_landscape(60, 80))


def _encode(picture: Pillow.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def _grey_jpeg(side: int) -> bytes:
    """A mid-grey greyscale baseline JPEG of any size, made without its pixels: 4 blocks of "no change" are 3 bytes."""
    seed = bytearray(_encode(Pillow.new("L", (16, 16), 128), "JPEG"))
    struct.pack_into(">HH", seed, seed.index(b"\xff\xc0") + 5, side, side)
    scan = seed.index(b"\xff\xda")
    start = scan + 2 + int.from_bytes(seed[scan + 2 : scan + 4], "big")
    blocks = (-(-side // 8)) ** 2
    return bytes(seed[:start]) + b"\x28\xa2\x8a" * -(-blocks // 4) + b"\xff\xd9"


def test_a_jpeg_of_20000_px_a_side_is_decoded_in_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "large.jpg"
    path.write_bytes(_grey_jpeg(20_000))
    code = (
        "import sys; from pathlib import Path\n"
        "from trailcam_core.spec import InputSpec; from trailcam_core.images.resize import fit_image\n"
        "from trailcam_core.images.decode import read_image\n"
        "peak = lambda: int(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])\n"
        "spec = InputSpec(128, 128, 'crop'); before = peak()\n"
        "image = read_image(Path(sys.argv[1]), spec); fitted = fit_image(image, spec)\n"
        "print(image.shape[0], fitted.min(), fitted.max(), (peak() - before) // 1024)"
    )
    result = subprocess.run([sys.executable, "-c", code, str(path)], check=True, capture_output=True, text=True)
    side, low, high, peak_mb = map(int, result.stdout.split())
    assert side == 2_500
    assert low == high == 128
    assert peak_mb < 60  # 19 MB of pixels, twice for the change of colour order, and the file; in full it is 1,200 MB


def _png_header(width: int, height: int, colour_type: int = 2, depth: int = 8) -> bytes:
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))
    packed = zlib.compress(bytes(1_000))
    return start + struct.pack(">I", len(packed)) + b"IDAT" + packed + struct.pack(">I", zlib.crc32(b"IDAT" + packed))


@pytest.mark.parametrize(
    "data",
    [
        _grey_jpeg(20_000).replace(b"\xff\xc0", b"\xff\xc2", 1),
        _png_header(20_000, 20_000),
        _png_header(2**31 - 1, 2**31 - 1),
        _png_header(7_500, 7_500, colour_type=6),
        _png_header(5_000, 5_000, colour_type=6, depth=16),
        b"BM" + bytes(12) + struct.pack("<Iii", 40, 2**31 - 1, -(2**31)) + bytes(40),
    ],
    ids=["progressive jpeg", "png", "largest png", "png with transparency", "16-bit png with transparency", "bmp"],
)
def test_a_picture_larger_than_memory_is_refused_before_it_is_decoded(
    data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("it was decoded"))
    with pytest.raises(SourceError, match=r"large: the .* px, more than memory allows; expected at most \d+ million"):
        decode_image(data, "large", InputSpec(128, 128, "crop"))


_PEAK = """
import sys
from pathlib import Path
from trailcam_core.errors import SourceError
from trailcam_core.images.decode import read_image
from trailcam_core.spec import InputSpec
peak = lambda: int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
spec = InputSpec(128, 128, "crop")
read_image(Path(sys.argv[1]), spec)
before = peak()
for path in sys.argv[2:]:
    try:
        read_image(Path(path), spec)
        print(path)
    except SourceError as error:
        print(error)
print((peak() - before) // 1000)
"""


def _with_length(data: bytes, place: int, form: str, length: int) -> bytes:
    changed = bytearray(data)
    struct.pack_into(form, changed, place, length)
    return bytes(changed)


@pytest.mark.parametrize("length", [0x7FFFFFFF, 0xFFFFFFFF])
def test_a_stated_length_takes_no_memory(tmp_path: Path, length: int) -> None:
    sound = {kind: _encode(_PICTURE, kind) for kind in ("PNG", "JPEG", "WEBP", "BMP")}
    png, webp = sound["PNG"], sound["WEBP"]
    files = {
        "idat.png": _with_length(png, png.index(b"IDAT") - 4, ">I", length),
        "iend.png": _with_length(png, png.index(b"IEND") - 4, ">I", length),
        "text.png": png[:33] + struct.pack(">I", length) + b"zTXt" + png[33:],
        "segment.jpg": _with_length(sound["JPEG"], 4, ">H", length & 0xFFFF),
        "riff.webp": _with_length(webp, 4, "<I", length),
        "part.webp": _with_length(webp, 16, "<I", length),
        "size.bmp": _with_length(sound["BMP"], 2, "<I", length),
        "palette.bmp": _with_length(sound["BMP"], 46, "<I", length),
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "sound.png").write_bytes(png)
    words = [str(tmp_path / name) for name in ("sound.png", *files)]
    done = subprocess.run([sys.executable, "-c", _PEAK, *words], check=True, capture_output=True, text=True)
    answers = done.stdout.splitlines()
    assert len(answers) == len(files) + 1
    assert int(answers[-1]) < 20, f"{answers[-1]} MB"


def test_a_large_picture_with_transparency_takes_no_more_memory_than_its_decoder(tmp_path: Path) -> None:
    path, small = tmp_path / "large.png", tmp_path / "small.png"
    Pillow.new("RGBA", (4_000, 4_000), (9, 99, 200, 128)).save(path, compress_level=1)
    Pillow.new("RGBA", (40, 40)).save(small)
    words = [str(small), str(path)]
    done = subprocess.run([sys.executable, "-c", _PEAK, *words], check=True, capture_output=True, text=True)
    assert int(done.stdout.splitlines()[-1]) < 128 * 1.15  # 8 bytes a pixel, and strips


def test_the_largest_jpeg_that_is_read_whole_is_as_large_as_said() -> None:
    side = int(MAX_DECODED_PX**0.5)
    with pytest.raises(SourceError, match=f"{side + 1:,}x{side + 1:,} px, more than memory allows"):
        decode_image(_grey_jpeg(side + 1), "large")
