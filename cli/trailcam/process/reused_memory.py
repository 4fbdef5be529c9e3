"""What the C library does with freed memory in a training, which asks for the same large buffers in every step."""

from collections.abc import Mapping

from trailcam_core.jobs.allocator import ARENA_MAX, MMAP_MAX, TRIM_THRESHOLD, set_allocator

_OPTIONS = {
    ARENA_MAX: 1,  # the heap of another thread ends at 64 MB, and glibc maps what is larger
    MMAP_MAX: 0,
    TRIM_THRESHOLD: -1,
}


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
    return set_allocator(_OPTIONS)
