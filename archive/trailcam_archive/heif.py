"""Decode HEIC and AVIF with the optional packages of the extra ``heif``; call it in a worker process only.

HEIC is read by ``pi-heif``, the decoder of ``pillow-heif`` without its encoders, one of which is under the GPL.
"""

import io

import numpy as np

from trailcam_core.errors import SourceError
from trailcam_core.errors.install_command import install_command
from trailcam_core.images.decode import MAX_DECODED_PX, MIN_SIDE_PX
from trailcam_core.images.resize import Image

_HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})
_AVIF_BRANDS = frozenset({b"avif", b"avis"})


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
        from PIL import ImageOps, UnidentifiedImageError, features

        if is_avif and not features.check("avif"):
            raise SourceError(f"{source}: an AVIF picture, and this Pillow cannot read one: {install_command('heif')}.")
        if not is_avif:
            import pi_heif

            pi_heif.register_heif_opener()
    except ModuleNotFoundError as error:
        form = "AVIF" if is_avif else "HEIC"
        raise SourceError(
            f"{source}: a {form} picture, which needs {error.name}: {install_command('heif')}."
        ) from error
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
    except UnidentifiedImageError as error:  # its words are the address of an object
        raise SourceError(f"{source}: the picture is damaged or cut off: its container holds no image.") from error
    except (OSError, ValueError, SyntaxError, EOFError, RuntimeError, pillow.DecompressionBombError) as error:
        raise SourceError(f"{source}: the picture is damaged ({error}).") from error
