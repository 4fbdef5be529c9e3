"""Options of the C library's allocator for the whole process."""

import ctypes
from collections.abc import Mapping

TRIM_THRESHOLD, MMAP_THRESHOLD, MMAP_MAX, ARENA_MAX = -1, -3, -4, -8  # mallopt(3)


def set_allocator(options: Mapping[int, int]) -> bool:
    """Set options of glibc's ``mallopt``; return False where one was not set, as where the C library is another.

    Args:
        options: value by option, one of the constants of this module.
    """
    try:
        set_option = ctypes.CDLL(None).mallopt
    except (OSError, TypeError, AttributeError):
        return False
    return all(set_option(name, value) == 1 for name, value in options.items())
