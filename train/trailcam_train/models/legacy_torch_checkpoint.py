"""Read the tensors of a PyTorch checkpoint without PyTorch, and without executing code of the file.

The layout is the one before PyTorch 1.6: five pickles (magic number, protocol, system, tensors, storage keys), then
each storage as a 64-bit count and its bytes. A pickle may call any function by name; this reader knows the few names
that tensors need and refuses all others. Source: ``torch/serialization.py``, ``_legacy_save``.
"""

import io
import pickle
import struct
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from trailcam_core.errors import TrainError

_MAGIC = 0x1950A86A20F9469CFC6C
_MAX_VALUES = 1 << 31
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
    """Return the float tensors of a state dictionary by name.

    Args:
        content: of the ``.pth`` file.
        source: for messages.

    Returns:
        Arrays of float32, the caller's to keep.

    Raises:
        TrainError: not such a file, damaged, or with anything but tensors in it.
    """
    file = io.BytesIO(content)
    try:
        if _Reader(file).load() != _MAGIC:
            raise TrainError(f"{source}: not a checkpoint of the layout before PyTorch 1.6.")
        for _ in range(2):
            _Reader(file).load()
        tensors = _Reader(file).load()
        keys = _Reader(file).load()
        storages = _read_storages(file, keys, tensors)
        return {name: _cut(tensor, storages) for name, tensor in tensors.items() if tensor.dtype.kind == "f"}
    except _DAMAGE as error:
        raise TrainError(f"{source}: cannot be read as a PyTorch checkpoint ({error}). Fetch it again.") from error


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
    ("torch", "FloatStorage"): np.dtype("<f4"),
    ("torch", "LongStorage"): np.dtype("<i8"),
}


def _read_storages(file: io.BytesIO, keys: list[str], tensors: dict[str, _Tensor]) -> dict[str, npt.NDArray[Any]]:
    dtypes = {tensor.key: tensor.dtype for tensor in tensors.values()}
    storages = {}
    for key in keys:
        (count,) = struct.unpack("<q", file.read(8))
        if not 0 <= count <= _MAX_VALUES:
            raise ValueError(f"a storage of {count} values")
        dtype = dtypes[key]
        storages[key] = np.frombuffer(file.read(count * dtype.itemsize), dtype)
        if len(storages[key]) != count:
            raise EOFError("it ends in the middle of a storage")
    return storages


def _cut(tensor: _Tensor, storages: dict[str, npt.NDArray[Any]]) -> Floats:
    """Copy a tensor out of its storage; numpy checks that it lies within."""
    storage = storages[tensor.key]
    if len(tensor.shape) != len(tensor.strides) or tensor.offset < 0 or min((0, *tensor.shape, *tensor.strides)) < 0:
        raise ValueError("a tensor without a place")
    return np.ndarray(
        tensor.shape,
        tensor.dtype,
        storage.tobytes(),
        tensor.offset * storage.itemsize,
        tuple(stride * storage.itemsize for stride in tensor.strides),
    ).copy()
