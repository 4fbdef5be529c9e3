"""Separate processes, because the setting of the C library holds for the whole process."""

import platform
import subprocess
import sys

import pytest

from trailcam.process.reused_memory import reuse_large_buffers

_TAKE_BUFFERS = """
import resource, sys, threading
from trailcam.process.reused_memory import reuse_large_buffers

assert reuse_large_buffers({"KERAS_BACKEND": sys.argv[1]}) == (sys.argv[1] == "jax")

def step():
    bytes(b"1" * 100_000_000)

def steps(count):
    for _ in range(count):
        thread = threading.Thread(target=step)  # the backends compute in threads
        thread.start()
        thread.join()

steps(1)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
steps(5)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(backend: str) -> int:
    done = subprocess.run([sys.executable, "-c", _TAKE_BUFFERS, backend], check=True, capture_output=True, text=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc, whose allocator is set")
def test_buffers_of_a_step_are_used_again_on_jax() -> None:
    assert page_faults("jax") < 5_000  # 100 MB are 24,414 pages, five times


def test_nothing_is_set_for_tensorflow_or_against_the_user() -> None:
    assert not reuse_large_buffers({})
    assert not reuse_large_buffers({"KERAS_BACKEND": "tensorflow"})
    assert not reuse_large_buffers({"KERAS_BACKEND": "jax", "MALLOC_ARENA_MAX": "4"})
