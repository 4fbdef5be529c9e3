"""Read a TFLite file of any writer into mutable objects, and write it."""

from typing import Any

import flatbuffers
import numpy as np
import numpy.typing as npt
from ai_edge_litert.tools import flatbuffer_utils

_IDENTIFIER = b"TFL3"
_DATA_ALIGNMENT = 16  # of Buffer.data in TensorFlow Lite's schema.fbs: "force_align: 16"


def read_tflite(content: bytes) -> Any:
    """Return the ``ModelT`` of a file, every buffer as (n,) uint8 or None.

    ``litert-quantizer`` puts the buffers of a file of 256 kB or more behind the flatbuffer, by their offset in the
    file. They are brought in, because anything that changes the file would move them.
    """
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    for buffer in model.buffers:
        if buffer.data is not None and not isinstance(buffer.data, np.ndarray):
            buffer.data = np.frombuffer(bytes(buffer.data), np.uint8)  # as an array it is written in one step
    return model


def write_tflite(model: Any) -> bytes:
    """Return the bytes of a file that ``read_tflite`` gave, with all buffers inside the flatbuffer."""
    builder = _Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=_IDENTIFIER)
    return bytes(builder.Output())


def operator_code(model: Any, operator: Any) -> int:
    """Return the ``BuiltinOperator`` of an operator; old files state it in another field."""
    entry = model.operatorCodes[operator.opcodeIndex]
    return max(int(entry.builtinCode), int(entry.deprecatedBuiltinCode))


class _Builder(flatbuffers.Builder):  # type: ignore[misc]
    """Builder that aligns data as the schema requires and writes equal zero points once.

    A weight with a scale per channel has as many zero points, 8 bytes each and all of them 0: a tenth of an int8
    EfficientNet-Lite0. Any reader follows two references to one place.
    """

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self._zero_points: dict[bytes, int] = {}

    def StartVector(self, elem_size: int, count: int, alignment: int) -> int:  # noqa: N802 - the base's name
        """Start a vector; one of bytes is the data of a buffer."""
        return int(super().StartVector(elem_size, count, max(alignment, _DATA_ALIGNMENT if elem_size == 1 else 1)))

    def CreateNumpyVector(self, x: npt.NDArray[Any]) -> int:  # noqa: N802 - the base's name
        """Write an array, or refer to an equal one of whole numbers of 8 bytes."""
        if x.dtype != np.int64:
            return int(super().CreateNumpyVector(x))
        key = x.tobytes()
        if key not in self._zero_points:
            self._zero_points[key] = int(super().CreateNumpyVector(x))
        return self._zero_points[key]
