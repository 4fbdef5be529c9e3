"""What the C library does with freed memory, for a process that runs for months beside others on a small board."""

from trailcam_core.jobs.allocator import ARENA_MAX, MMAP_THRESHOLD, set_allocator

_LARGE_BYTES = 1 << 18  # a picture; an array of 256 KiB or more costs some page faults, and is gone when it is freed
_ARENAS = 1  # eight for each processor is the default: every thread of a viewer could keep one


def return_large_buffers() -> bool:
    """Let freed pictures go back to the system at once; return False where the C library is another than glibc.

    By itself glibc raises its threshold to the largest buffer that was freed, up to 32 MB. From then on pictures of
    6 MB come from the heap of the thread that asks, and each of these heaps keeps up to twice as much after a
    free.
    """
    return set_allocator({MMAP_THRESHOLD: _LARGE_BYTES, ARENA_MAX: _ARENAS})
