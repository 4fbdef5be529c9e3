"""Read the tensors of a PyTorch checkpoint without PyTorch, and without executing code of the file.

Two layouts. Since PyTorch 1.6 a checkpoint is a zip archive: ``ROOT/data.pkl`` with the tensors, and the bytes of each
storage in ``ROOT/data/KEY``. Before, it is five pickles (magic number, protocol, system, tensors, storage keys), then
each storage as a 64-bit count and its bytes; the published weights of EfficientNet-Lite have that layout.

A pickle may call any function by name. This reader knows the few names that tensors need and refuses all others, as
``torch.load(weights_only=True)`` does. Source: ``torch/serialization.py``, ``_save`` and ``_legacy_save``.
"""

import io
import pickle
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from trailcam_core.errors import TrainError

_MAGIC = 0x1950A86A20F9469CFC6C
_MAX_VALUES = 1 << 31
_WRAPPERS = ("state_dict", "model", "model_state_dict", "state_dict_ema")  # keys below which trainers put the tensors
_BFLOAT16 = np.dtype([("bfloat16", "<u2")])  # numpy has no such type: the upper half of a float32
_DAMAGE = (
    pickle.UnpicklingError,
    EOFError,
    KeyError,
    ValueError,
    TypeError,
    AttributeError,
    IndexError,
    OverflowError,
    struct.error,
    zipfile.BadZipFile,
    NotImplementedError,  # a zip archive that is encrypted, or of an unknown compression
)

Floats = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class _Tensor:
    """Where a tensor lies: in storage ``key``, from ``offset``, all counted in values."""

    key: str
    dtype: np.dtype[Any]
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read_torch_file(content: bytes, source: str) -> dict[str, Floats]:
    """Return the float tensors of a state dictionary by name; one inside a checkpoint of a trainer is found.

    Args:
        content: of the ``.pth`` or ``.pt`` file.
        source: for messages.

    Returns:
        Arrays of float32, the caller's to keep.

    Raises:
        TrainError: not such a file, damaged, or with anything but tensors in it.
    """
    file = io.BytesIO(content)
    try:
        tensors, storages = _read_zip(file) if zipfile.is_zipfile(file) else _read_legacy(file, source)
        return {name: _cut(tensor, storages) for name, tensor in tensors.items() if _is_float(tensor.dtype)}
    except _DAMAGE as error:
        raise TrainError(
            f"{source}: cannot be read as the tensors of a PyTorch checkpoint ({error}). Save model.state_dict(), or "
            "fetch it again."
        ) from error


def _read_zip(file: io.BytesIO) -> tuple[dict[str, "_Tensor"], dict[str, npt.NDArray[Any]]]:
    with zipfile.ZipFile(file) as archive:
        names = [name for name in archive.namelist() if name.rpartition("/")[2] == "data.pkl"]
        if len(names) != 1:
            raise ValueError(f"{len(names)} members data.pkl")
        root = names[0].removesuffix("data.pkl")
        order = archive.read(f"{root}byteorder") if f"{root}byteorder" in archive.namelist() else b"little"
        if order.strip() != b"little":
            raise ValueError(f"its byte order is {order!r}")
        tensors = _find_tensors(_Reader(io.BytesIO(archive.read(names[0]))).load())
        dtypes = {tensor.key: tensor.dtype for tensor in tensors.values()}
        return tensors, {key: np.frombuffer(archive.read(f"{root}data/{key}"), dtype) for key, dtype in dtypes.items()}


def _read_legacy(file: io.BytesIO, source: str) -> tuple[dict[str, "_Tensor"], dict[str, npt.NDArray[Any]]]:
    file.seek(0)
    if _Reader(file).load() != _MAGIC:
        raise TrainError(f"{source}: not a PyTorch checkpoint.")
    for _ in range(2):
        _Reader(file).load()
    loaded = _Reader(file).load()
    keys = _Reader(file).load()
    return _find_tensors(loaded), _read_storages(file, keys, _find_tensors(loaded))


def _find_tensors(loaded: Any) -> dict[str, "_Tensor"]:
    """Return the tensors of a state dictionary, or of the one inside a checkpoint of a trainer."""
    found = {name: value for name, value in loaded.items() if isinstance(value, _Tensor)}
    for key in _WRAPPERS:
        if not found and isinstance(loaded.get(key), dict):
            return _find_tensors(loaded[key])
    return {name.removeprefix("module."): value for name, value in found.items()}


def _is_float(dtype: np.dtype[Any]) -> bool:
    return dtype.kind == "f" or dtype == _BFLOAT16


class _Reader(pickle.Unpickler):
    """An unpickler that can make tensors' places and dictionaries, nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        """Return the replacement for a name."""
        found = _KNOWN.get((module, name))
        if found is None:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, expected only tensors")
        return found

    def persistent_load(self, pid: Any) -> tuple[str, np.dtype[Any]]:
        """Return key and type of a storage."""
        kind, dtype, key, *_ = pid
        if kind != "storage":
            raise pickle.UnpicklingError(f"it refers to {kind!r}, expected storages")
        return str(key), dtype


def _place(storage: tuple[str, np.dtype[Any]], offset: int, shape: Any, strides: Any, *_: Any) -> _Tensor:
    key, dtype = storage
    return _Tensor(key, dtype, int(offset), tuple(map(int, shape)), tuple(map(int, strides)))


_KNOWN: dict[tuple[str, str], Callable[..., Any] | np.dtype[Any]] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _place,
    ("torch._utils", "_rebuild_parameter"): lambda tensor, *_: tensor,
    ("torch", "FloatStorage"): np.dtype("<f4"),
    ("torch", "HalfStorage"): np.dtype("<f2"),
    ("torch", "DoubleStorage"): np.dtype("<f8"),
    ("torch", "BFloat16Storage"): _BFLOAT16,
    ("torch", "LongStorage"): np.dtype("<i8"),
    ("torch", "IntStorage"): np.dtype("<i4"),
    ("torch", "BoolStorage"): np.dtype("?"),
}


def _read_storages(file: io.BytesIO, keys: list[str], tensors: dict[str, _Tensor]) -> dict[str, npt.NDArray[Any]]:
    dtypes = {tensor.key: tensor.dtype for tensor in tensors.values()}
    storages = {}
    for key in keys:
        (count,) = struct.unpack("<q", file.read(8))
        if not 0 <= count <= _MAX_VALUES:
            raise ValueError(f"a storage of {count} values")
        dtype = dtypes[key]  # KeyError: a storage of no tensor
        storages[key] = np.frombuffer(file.read(count * dtype.itemsize), dtype)
        if len(storages[key]) != count:
            raise EOFError("it ends in the middle of a storage")
    return storages


def _cut(tensor: _Tensor, storages: dict[str, npt.NDArray[Any]]) -> Floats:
    """Copy a tensor out of its storage; numpy checks that it lies within."""
    storage = storages[tensor.key]
    if len(tensor.shape) != len(tensor.strides) or tensor.offset < 0 or min((0, *tensor.shape, *tensor.strides)) < 0:
        raise ValueError("a tensor without a place")
    array: npt.NDArray[Any] = np.ndarray(
        tensor.shape,
        tensor.dtype,
        storage.tobytes(),
        tensor.offset * storage.itemsize,
        tuple(stride * storage.itemsize for stride in tensor.strides),
    ).copy()
    if tensor.dtype == _BFLOAT16:
        return (array["bfloat16"].astype(np.uint32) << 16).view(np.float32)
    return np.asarray(array, np.float32)
