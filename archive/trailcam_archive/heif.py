"""Decode HEIC and AVIF with the optional packages of the extra ``heif``; call it in a worker process only.

HEIC is read by ``pi-heif``, the decoder of ``pillow-heif`` without its encoders, one of which is under the GPL.
"""

import io
import subprocess
import sys

import numpy as np

from trailcam_core.errors import SourceError
from trailcam_core.files.child_reader import describe_death
from trailcam_core.images.decode import MAX_DECODED_PX, MIN_SIDE_PX
from trailcam_core.images.resize import Image

_HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})
_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_CHILD_CODE = f"from {__name__} import be_the_child; be_the_child()"
_LONGEST_S = 120.0
_INSTALL = 'pip install "trailcam[heif]"'


def is_heif(data: bytes) -> bool:
    """Return whether a file is HEIC or AVIF, by its brand."""
    return data[4:8] == b"ftyp" and data[8:12] in _HEIC_BRANDS | _AVIF_BRANDS


def decode_heif(data: bytes, source: str) -> Image:
    """Decode to an upright (H, W, 3) uint8 RGB image.

    Raises:
        SourceError: a package is missing, or the file is damaged, too small or too large.
    """
    is_avif = data[8:12] in _AVIF_BRANDS or b"avif" in data[16:64]
    try:
        from PIL import Image as pillow  # noqa: N813 - a module
        from PIL import ImageOps, features

        if is_avif and not features.check("avif"):
            raise SourceError(f"{source}: an AVIF picture, and this Pillow cannot read one: {_INSTALL}.")
        if not is_avif:
            import pi_heif

            pi_heif.register_heif_opener()
    except ModuleNotFoundError as error:
        form = "AVIF" if is_avif else "HEIC"
        raise SourceError(f"{source}: a {form} picture, which needs {error.name}: {_INSTALL}.") from error
    try:
        with pillow.open(io.BytesIO(data)) as picture:
            width, height = picture.size
            if min(width, height) < MIN_SIDE_PX or width * height > MAX_DECODED_PX:
                raise SourceError(
                    f"{source}: the picture is {width:,}x{height:,} px, expected at least {MIN_SIDE_PX} px a side and "
                    f"at most {MAX_DECODED_PX // 1_000_000} million pixels."
                )
            upright = ImageOps.exif_transpose(picture)
            return np.ascontiguousarray(np.asarray(upright.convert("RGB"), np.uint8))
    except (OSError, ValueError, SyntaxError, EOFError, RuntimeError, pillow.DecompressionBombError) as error:
        raise SourceError(f"{source}: the picture is damaged ({error}).") from error


def decode_heif_in_child(data: bytes, source: str) -> Image:
    """Decode as ``decode_heif`` does, in a child process: a damaged file may abort the decoder.

    Raises:
        SourceError: see ``decode_heif``.
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
        pixels = decode_heif(sys.stdin.buffer.read(), "")
    except SourceError as error:
        print(str(error).removeprefix(": "), file=sys.stderr)
        sys.exit(1)
    content = io.BytesIO()
    np.save(content, pixels)
    sys.stdout.buffer.write(content.getvalue())
