"""What the C library does with freed memory in a training, which asks for the same large buffers in every step."""

import ctypes
from collections.abc import Mapping

_M_TRIM_THRESHOLD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -4, -8  # mallopt(3)
_SETTINGS = (
    (_M_ARENA_MAX, 1),  # the heap of another thread ends at 64 MB, and glibc maps what is larger
    (_M_MMAP_MAX, 0),
    (_M_TRIM_THRESHOLD, -1),
)


def reuse_large_buffers(environment: Mapping[str, str]) -> bool:
    """Keep freed buffers for the next step of a training on JAX or torch; return False where nothing was set.

    Both ask the C library for the activations of every step, and glibc maps buffers of that size anew each time. The
    kernel then clears every page again: for the recipe cnn on JAX 56 MB for each picture, two fifths of the processor
    time of a step. TensorFlow has an allocator that keeps them. Memory stays with the process until it ends.

    Args:
        environment: its variables; ``KERAS_BACKEND`` names the backend, and a user's own ``MALLOC_ARENA_MAX`` is kept.
    """
    if environment.get("KERAS_BACKEND", "tensorflow") == "tensorflow" or "MALLOC_ARENA_MAX" in environment:
        return False
    try:
        set_option = ctypes.CDLL(None).mallopt
    except (OSError, TypeError, AttributeError):  # not glibc
        return False
    return all(set_option(name, value) == 1 for name, value in _SETTINGS)
