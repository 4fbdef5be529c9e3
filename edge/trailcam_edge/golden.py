"""Golden vectors: pictures with the answers the laboratory got, so that a device can prove it gives the same.

``golden.npz`` holds four arrays:

    images   (n, height, width, 3) uint8    inputs as the model takes them
    logits   (n, K)                float32  what this very model file gave for them
    source   (h, w, 3)             uint8    an image before preprocessing
    fitted   (height, width, 3)    uint8    the same after preprocessing

``replay`` runs them; on a mismatch ``diagnose`` names the likely culprit, because "the numbers differ" helps nobody.
"""

import io
import zipfile
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trailcam_edge.decision import probabilities
from trailcam_edge.errors import BundleError
from trailcam_edge.interpreters import Model
from trailcam_edge.manifest import GoldenEntry, InputSpec
from trailcam_edge.preprocessing import Image, fit_image

__all__ = ["GoldenReport", "GoldenVectors", "diagnose", "golden_to_bytes", "parse_golden", "replay"]

_NAMES = ("fitted", "images", "logits", "source")
_MAX_VECTORS = 64
_MAX_SOURCE_PX = 4_000_000
_MAX_MEMBER_BYTES = 256_000_000
_FITTED_LEVELS = 2  # OpenCV rounds bilinear steps differently on x86 and Arm by one level; two steps, two levels

Logits = npt.NDArray[np.float32]


@dataclass(frozen=True)
class GoldenVectors:
    """Inputs and expected outputs; shapes as in the module's docstring."""

    images: npt.NDArray[np.uint8]
    logits: Logits
    source: Image
    fitted: Image


@dataclass(frozen=True)
class GoldenReport:
    """Outcome of a replay. ``culprit`` is None when all agree; ``worst`` is the largest difference of a logit."""

    count: int
    worst: float
    tolerance: float
    culprit: str | None

    @property
    def passed(self) -> bool:
        """True when this machine gives the laboratory's answers."""
        return self.culprit is None


def golden_to_bytes(golden: GoldenVectors) -> bytes:
    """Return the bytes of ``golden.npz``; equal arrays give equal bytes."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, fitted=golden.fitted, images=golden.images, logits=golden.logits, source=golden.source)
    return buffer.getvalue()


def parse_golden(content: bytes, spec: InputSpec, class_count: int, source: str = "golden.npz") -> GoldenVectors:
    """Check and read ``golden.npz``; sizes are checked before anything is unpacked.

    Raises:
        BundleError: not such a file, wrong names, shapes or dtypes, or larger than its shapes allow.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = sorted(item.filename for item in archive.infolist())
            if names != [f"{name}.npy" for name in _NAMES]:
                raise BundleError(f"{source}: holds {names[:6]}, expected {', '.join(_NAMES)}.")
            arrays = {name: _read_member(archive, name, source) for name in _NAMES}
    except (zipfile.BadZipFile, ValueError, EOFError, OSError, NotImplementedError, RuntimeError) as error:
        raise BundleError(f"{source}: damaged ({str(error)[:120]}).") from error
    golden = GoldenVectors(**arrays)
    shape = (spec.height, spec.width, 3)
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
    if golden.source.ndim != 3 or golden.source.shape[2] != 3 or golden.source.dtype != np.uint8:
        raise BundleError(f"{source}: source is {golden.source.shape} {golden.source.dtype}, expected (h, w, 3) uint8.")
    if not np.isfinite(golden.logits).all():
        raise BundleError(f"{source}: logits hold NaN or infinity.")
    return golden


def _read_member(archive: zipfile.ZipFile, name: str, source: str) -> npt.NDArray[np.uint8]:
    info = archive.getinfo(f"{name}.npy")
    if info.file_size > _MAX_MEMBER_BYTES:
        raise BundleError(
            f"{source}: {name} unpacks to {info.file_size:,} bytes, expected at most {_MAX_MEMBER_BYTES:,}."
        )
    with archive.open(info) as file:
        data = file.read(info.file_size)
    stream = io.BytesIO(data)
    if np.lib.format.read_magic(stream) != (1, 0):
        raise BundleError(f"{source}: {name} has another array format than 1.0.")
    shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
    claimed = int(dtype.itemsize) * int(np.prod(shape, dtype=object))
    if dtype.hasobject or claimed != len(data) - stream.tell():
        raise BundleError(f"{source}: {name} claims {claimed:,} bytes, holds {len(data) - stream.tell():,}.")
    if name == "source" and claimed > 3 * _MAX_SOURCE_PX:
        raise BundleError(f"{source}: source has {shape} pixels, expected at most {_MAX_SOURCE_PX:,}.")
    stream.seek(0)
    return np.asarray(np.lib.format.read_array(stream, allow_pickle=False))


def replay(model: Model, golden: GoldenVectors, spec: InputSpec, entry: GoldenEntry) -> GoldenReport:
    """Run every golden vector through preprocessing and the model on this machine."""
    got = np.stack([model.invoke(image[None]) for image in golden.images])
    worst = float(np.abs(got - golden.logits).max())
    fitted = fit_image(golden.source, spec)
    culprit = None
    if np.abs(fitted.astype(np.int16) - golden.fitted.astype(np.int16)).max() > _FITTED_LEVELS:
        culprit = "resize rule: preprocessing gives other pixels here than in the laboratory"
    elif not worst <= entry.tolerance:
        swapped = np.stack([model.invoke(np.ascontiguousarray(image[None, :, :, ::-1])) for image in golden.images])
        culprit = diagnose(golden.logits, got, swapped, entry.tolerance)
    return GoldenReport(len(golden.images), worst, entry.tolerance, culprit)


def diagnose(expected: Logits, got: Logits, swapped: Logits, tolerance: float) -> str:
    """Name the likely reason why a model's answers differ.

    Args:
        expected: (n, K) logits of the laboratory.
        got: (n, K) logits of this machine.
        swapped: (n, K) logits of this machine for the same pictures with red and blue exchanged.
        tolerance: the largest difference of a logit that is still the same answer.
    """

    def same(left: npt.NDArray[np.floating], right: npt.NDArray[np.floating]) -> bool:
        return bool(np.abs(left - right).max() <= tolerance)

    if not np.isfinite(got).all():
        return "broken numbers: the model gives NaN or infinity here"
    if same(swapped, expected):
        return "colour order: the answers agree once red and blue are exchanged (RGB against BGR)"
    if np.allclose(got.sum(axis=1), 1, atol=0.02) and np.abs(got - probabilities(expected)).max() < 0.05:
        return "double softmax: the model gives probabilities where logits are expected"
    if same(np.sort(got, axis=1), np.sort(expected, axis=1)):
        return "label order: the same scores come out in another order"
    if got.std(axis=0).max() < 0.1 * expected.std(axis=0).max():
        return "value range: all pictures look alike to the model, as when pixels are scaled twice or not at all"
    return "another model or interpreter: the scores differ without a pattern"
