"""Golden vectors: pictures with the answers of the laboratory, so that a device can prove that it gives the same.

``golden.npz`` holds four arrays:

    images   (n, height, width, 3) uint8    inputs as the model takes them
    logits   (n, K)                float32  the answers of this very model file
    source   (h, w, 3)             uint8    an image before preprocessing
    fitted   (height, width, 3)    uint8    the same after preprocessing

All in C order, little-endian, as NPY format 1.0. The reader takes the one header that ``numpy.save`` writes and
evaluates nothing. ``trailcam_core.bundle.golden_replay`` runs the vectors.
"""

import io
import math
import re
import struct
import zipfile
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from trailcam_core.errors import BundleError
from trailcam_core.images.resize import Image
from trailcam_core.spec import InputSpec

_NAMES = ("fitted", "images", "logits", "source")
_MAX_VECTORS = 64
_MAX_SOURCE_PX = 4_000_000
_MAX_HEADER_BYTES = 1_024
_MAX_DIRECTORY_BYTES = 4_096  # four short names need 250
_ZIP_END = struct.Struct("<4s4H2LH")  # end of central directory; source: PKWARE APPNOTE 6.3.10, section 4.3.16
_ZIP64_LOCATOR_BYTES = 20
_NPY_MAGIC = b"\x93NUMPY\x01\x00"
_NPY_HEADER = re.compile(
    rb"{'descr': '(\|u1|<f4)', 'fortran_order': False, 'shape': \(([0-9]{1,9}(?:, [0-9]{1,9}){1,3})\), } *\n"
)

Logits = npt.NDArray[np.float32]


@dataclass(frozen=True)
class GoldenVectors:
    """Inputs and expected outputs; shapes as in the module's docstring."""

    images: npt.NDArray[np.uint8]
    logits: Logits
    source: Image
    fitted: Image


def golden_to_bytes(golden: GoldenVectors) -> bytes:
    """Return the bytes of ``golden.npz``; equal arrays give equal bytes."""
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        fitted=np.ascontiguousarray(golden.fitted),
        images=np.ascontiguousarray(golden.images),
        logits=np.ascontiguousarray(golden.logits),
        source=np.ascontiguousarray(golden.source),
    )
    return buffer.getvalue()


def parse_golden(content: bytes, spec: InputSpec, class_count: int, source: str = "golden.npz") -> GoldenVectors:
    """Check and read ``golden.npz``; sizes are checked before anything is unpacked.

    Raises:
        BundleError: not such a file, wrong names, shapes or dtypes, or larger than its shapes allow.
    """
    shape = (spec.height, spec.width, 3)
    max_bytes = {
        "fitted": math.prod(shape),
        "images": _MAX_VECTORS * math.prod(shape),
        "logits": _MAX_VECTORS * class_count * 4,
        "source": _MAX_SOURCE_PX * 3,
    }
    _check_directory(content, source)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = sorted(item.filename for item in archive.infolist())
            if names != [f"{name}.npy" for name in _NAMES]:
                raise BundleError(f"{source}: holds {names[:6]}, expected {', '.join(_NAMES)}.")
            arrays = {name: _read_member(archive, name, max_bytes[name], source) for name in _NAMES}
    except (zipfile.BadZipFile, zlib.error, struct.error, ValueError, EOFError, OSError, RuntimeError) as error:
        raise BundleError(f"{source}: damaged ({str(error)[:120]}).") from error
    golden = GoldenVectors(**arrays)
    count = len(golden.images)
    if not 1 <= count <= _MAX_VECTORS:
        raise BundleError(f"{source}: {count} vectors, expected 1 to {_MAX_VECTORS}.")
    for name, array, expected, dtype in (
        ("images", golden.images, (count, *shape), np.uint8),
        ("fitted", golden.fitted, shape, np.uint8),
        ("logits", golden.logits, (count, class_count), np.float32),
    ):
        if array.shape != expected or array.dtype != dtype:
            raise BundleError(
                f"{source}: {name} is {array.shape} {array.dtype}, expected {expected} {np.dtype(dtype).name}."
            )
    size = golden.source.shape
    if len(size) != 3 or size[2] != 3 or 0 in size or golden.source.dtype != np.uint8:
        raise BundleError(f"{source}: source is {golden.source.shape} {golden.source.dtype}, expected (h, w, 3) uint8.")
    if not np.isfinite(golden.logits).all():
        raise BundleError(f"{source}: logits hold NaN or infinity.")
    return golden


def _check_directory(content: bytes, source: str) -> None:
    """Refuse an archive that lists more than four members, before a list of millions is built from it."""
    end = content[-_ZIP_END.size :]
    signature, _, _, _, members, directory_bytes, _, comment_bytes = (
        _ZIP_END.unpack(end) if len(end) == _ZIP_END.size else (b"", 0, 0, 0, 0, 0, 0, 0)
    )
    zip64 = content[-_ZIP_END.size - _ZIP64_LOCATOR_BYTES :][:4] == b"PK\x06\x07"
    if signature != b"PK\x05\x06" or comment_bytes or zip64:
        raise BundleError(f"{source}: damaged (it does not end as a plain zip archive does).")
    if members != len(_NAMES) or directory_bytes > _MAX_DIRECTORY_BYTES:
        raise BundleError(f"{source}: lists {members:,} members, expected {', '.join(_NAMES)}.")


def _read_member(archive: zipfile.ZipFile, name: str, max_bytes: int, source: str) -> npt.NDArray[Any]:
    """Read one array of at most ``max_bytes``: uint8 or float32, of 2 to 4 dimensions; it is read-only."""
    info = archive.getinfo(f"{name}.npy")
    if info.file_size > max_bytes + _MAX_HEADER_BYTES:
        raise BundleError(f"{source}: {name} unpacks to {info.file_size:,} bytes, expected at most {max_bytes:,}.")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise BundleError(f"{source}: {name} is packed by method {info.compress_type}, expected stored or deflated.")
    with archive.open(info) as file:
        data = file.read(info.file_size)
    start = len(_NPY_MAGIC) + 2
    end = start + int.from_bytes(data[start - 2 : start], "little")
    header = _NPY_HEADER.fullmatch(data[start:end])
    if not data.startswith(_NPY_MAGIC) or header is None:
        raise BundleError(f"{source}: {name} is no uint8 or float32 array in NPY format 1.0 and C order.")
    dtype = np.dtype(header[1].decode())
    shape = tuple(int(size) for size in header[2].split(b", "))
    claimed = dtype.itemsize * math.prod(shape)
    if claimed != len(data) - end:
        raise BundleError(f"{source}: {name} claims {claimed:,} bytes, holds {len(data) - end:,}.")
    return np.frombuffer(data, dtype, offset=end).reshape(shape)
