"""Decode every photograph format of cards and archives, in a worker process or a child.

JPEG, PNG, WebP and BMP are decoded by core, HEIC and AVIF by the packages of the extra ``heif``, TIFF by OpenCV.
"""

import io
import struct
import subprocess
import sys

import cv2
import numpy as np

from trailcam_archive.heif import decode_heif, is_heif
from trailcam_core.errors import SourceError
from trailcam_core.files.child_reader import describe_death
from trailcam_core.images.decode import MAX_DECODED_PX, MIN_SIDE_PX, decode_image
from trailcam_core.images.resize import Image
from trailcam_core.spec import InputSpec

_TIFF_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
_WIDTH, _HEIGHT = 256, 257
_MAX_ENTRIES = 1_000
_CHILD_CODE = f"from {__name__} import be_the_child; be_the_child()"
_LONGEST_S = 120.0


def is_foreign(content: bytes) -> bool:
    """Return whether a file is HEIC, AVIF or TIFF, whose decoders may abort: other than those of core."""
    return is_heif(content) or content[:4] in _TIFF_ORDERS


def decode_photograph(content: bytes, source: str, spec: InputSpec | None = None) -> Image:
    """Decode a photograph to an upright (H, W, 3) uint8 RGB image.

    Args:
        content: the whole file.
        source: the name of the file in messages.
        spec: see ``decode_image``.

    Raises:
        SourceError: not a picture that can be used, or a package is missing.
    """
    if is_heif(content):
        return decode_heif(content, source)
    if content[:4] in _TIFF_ORDERS:
        return _decode_tiff(content, source)
    return decode_image(content, source, spec)


def _decode_tiff(content: bytes, source: str) -> Image:
    try:
        tags = _read_tags(content)
        width, height = tags[_WIDTH], tags[_HEIGHT]
    except (struct.error, KeyError) as error:
        raise SourceError(f"{source}: the TIFF picture is damaged or cut off: it states no size.") from error
    if min(width, height) < MIN_SIDE_PX or width * height > MAX_DECODED_PX:
        raise SourceError(
            f"{source}: the picture is {width:,}x{height:,} px, expected at least {MIN_SIDE_PX} px a side and "
            f"at most {MAX_DECODED_PX // 1_000_000} million pixels."
        )
    try:
        decoded = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR_RGB)  # upright, with any flag
    except cv2.error:
        decoded = None
    if decoded is None or sorted(decoded.shape[:2]) != sorted((height, width)):
        raise SourceError(f"{source}: the TIFF picture is damaged, or of a kind that OpenCV does not read.")
    return np.ascontiguousarray(np.asarray(decoded, np.uint8))


def _read_tags(content: bytes) -> dict[int, int]:
    """Return the tags of the first picture that hold one number."""
    order = _TIFF_ORDERS[content[:4]]
    start = struct.unpack_from(order + "I", content, 4)[0]
    count = min(_MAX_ENTRIES, struct.unpack_from(order + "H", content, start)[0])
    tags: dict[int, int] = {}
    for number in range(count):
        tag, kind, length = struct.unpack_from(order + "HHI", content, start + 2 + 12 * number)
        if length == 1 and kind in (3, 4):
            form = order + ("H" if kind == 3 else "I")
            tags.setdefault(tag, int(struct.unpack_from(form, content, start + 10 + 12 * number)[0]))
    return tags


def decode_in_child(data: bytes, source: str) -> Image:
    """Decode as ``decode_photograph`` does, in a child process: a damaged file may abort the decoder.

    Raises:
        SourceError: see ``decode_photograph``.
    """
    command = [sys.executable, "-P", "-c", _CHILD_CODE]
    try:
        done = subprocess.run(command, input=data, capture_output=True, timeout=_LONGEST_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise SourceError(f"{source}: the decoder takes more than {_LONGEST_S:.0f} s.") from error
    if death := describe_death(done.returncode):
        raise SourceError(f"{source}: the file made its reader {death}.")
    if done.returncode:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise SourceError(f"{source}: {lines[-1] if lines else 'cannot be decoded.'}")
    return np.asarray(np.load(io.BytesIO(done.stdout), allow_pickle=False), np.uint8)


def be_the_child() -> None:
    """Be the child: the file on standard input, its pixels as ``.npy`` on standard output."""
    try:
        pixels = decode_photograph(sys.stdin.buffer.read(), "")
    except SourceError as error:
        print(str(error).removeprefix(": "), file=sys.stderr)
        sys.exit(1)
    content = io.BytesIO()
    np.save(content, pixels)
    sys.stdout.buffer.write(content.getvalue())
