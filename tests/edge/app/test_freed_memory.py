"""Separate processes, because the setting of the C library holds for the whole process."""

import platform
import subprocess
import sys

import pytest

_FREE_PICTURES = """
import sys
import numpy as np
from pathlib import Path
from trailcam_edge.app.freed_memory import return_large_buffers

def resident_mb():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6

if sys.argv[1] == "set":
    assert return_large_buffers()
for _ in range(3):  # each free raises the threshold of glibc, if it may
    np.ones((1080, 1920, 3), np.uint8)
before = resident_mb()
held = [np.ones((1080, 1920, 3), np.uint8) for _ in range(8)]
last = bytes(2_000_000)  # above them on the heap
del held
print(resident_mb() - before)
"""


def kept_mb(how: str) -> float:
    command = [sys.executable, "-c", _FREE_PICTURES, how]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc, whose allocator is set")
def test_freed_pictures_go_back_to_the_system() -> None:
    assert kept_mb("set") < 10
