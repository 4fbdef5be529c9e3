"""A glance at data and machine before a training: counts and sizes of pictures, cores, memory, GPU.

No picture is decoded; of some pictures the header is read.
"""

import os
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from trailcam_core.datasets.class_folders import scan_class_folders
from trailcam_core.images.header import read_image_header
from trailcam_core.jobs.cores import usable_cores

_HEADERS = 200  # pictures whose size is read, spread over the folder
_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
_MEMORY_STATE = Path("/proc/meminfo")
_PROCESSORS = Path("/proc/cpuinfo")
_BFLOAT16 = {"amx_bf16", "avx512_bf16"}  # of the flags; each was measured, see README.md of this package


@dataclass(frozen=True)
class DataGlance:
    """What a folder seems to hold: pictures of each label by file name, and the median shorter side in px."""

    counts: Mapping[str, int]
    side_px: int | None

    @property
    def pictures(self) -> int:
        """The number of picture files."""
        return sum(self.counts.values())


@dataclass(frozen=True)
class Machine:
    """What trains: cores that this process may use, memory that is free in MB, and whether Keras finds a GPU.

    ``bfloat16`` is True if the processor multiplies such numbers.
    """

    cores: int
    memory_mb: int
    gpu: bool
    bfloat16: bool = False


def glance_at_data(root: Path, label_map: Mapping[str, str]) -> DataGlance:
    """Count the pictures below ``root`` and read the sizes of some.

    Args:
        root: folder with one folder per class.
        label_map: label by class folder.

    Raises:
        DataError: no such folder, or it cannot be read.
    """
    scanned = scan_class_folders(root)
    counts: Counter[str] = Counter()
    paths: list[Path] = []
    for name in scanned.folders:
        images = scanned.images(name)
        counts[label_map[name]] += len(images)
        paths += images
    step = max(1, len(paths) // _HEADERS)
    sides = [side for path in paths[::step] if (side := _shorter_side(path)) is not None]
    return DataGlance(dict(sorted(counts.items())), round(median(sides)) if sides else None)


def glance_at_machine(gpu: bool) -> Machine:
    """Return the machine; the caller asks Keras whether there is a GPU."""
    return Machine(usable_cores(), _free_memory_mb(), gpu, multiplies_bfloat16())


def multiplies_bfloat16(processors: Path = _PROCESSORS) -> bool:
    """Return whether the processor has instructions for bfloat16; False where that is not known."""
    try:
        lines = processors.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    flags = next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), [])
    return bool(_BFLOAT16 & set(flags))


def _shorter_side(path: Path) -> int | None:
    try:
        header = read_image_header(path.read_bytes())
    except (OSError, ValueError):
        return None  # the training names it
    return min(header.width_px, header.height_px)


def _free_memory_mb() -> int:
    """Return the memory that a new process may use: that of the machine, or of its container if that is less."""
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    with suppress(OSError, ValueError, KeyError):  # not Linux: what is free without the caches
        lines = dict(line.split(":", 1) for line in _MEMORY_STATE.read_text(encoding="ascii").splitlines())
        free = int(lines["MemAvailable"].split()[0]) * 1024
    with suppress(OSError, ValueError):  # no container, or one without a limit ("max")
        free = min(free, int(_CGROUP_LIMIT.read_text(encoding="ascii")))
    return free // 1_000_000
