"""Read a TFLite file into objects that can be changed, and write it again, whatever wrote it."""

from typing import Any

import numpy as np
from ai_edge_litert.tools import flatbuffer_utils

__all__ = ["read_tflite", "write_tflite"]


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
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))
