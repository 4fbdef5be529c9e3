"""Description of a machine and its present condition: temperature, frequency, throttling and load.

The figures are read from files of Linux. Where a file is missing, as on other systems or in containers, a figure is
None; no measurement is refused for it.
"""

import importlib.metadata
import platform
from dataclasses import dataclass, field
from pathlib import Path

from trailcam_core.jobs.cores import usable_cores
from trailcam_edge.telemetry.health import ask_firmware, read_health

_ROOT = Path("/")
_GOVERNOR = "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"
# By the names of /proc/cpuinfo: those that decide how fast int8 and half precision are. Source: Linux,
# arch/x86/include/asm/cpufeatures.h and Documentation/arch/arm64/elf_hwcaps.rst.
_INSTRUCTIONS = {
    "avx2": "AVX2",
    "avx512f": "AVX-512",
    "avx512_vnni": "AVX-512 VNNI",
    "avx_vnni": "AVX VNNI",
    "amx_int8": "AMX int8",
    "amx_bf16": "AMX bfloat16",
    "asimd": "NEON",
    "asimddp": "NEON dot product",
    "i8mm": "NEON int8 matrices",
    "sve": "SVE",
}
_PACKAGES = ("trailcam", "ai-edge-litert", "tflite-runtime", "onnxruntime", "opencv-python-headless", "numpy")


@dataclass(frozen=True)
class Machine:
    """The machine of a measurement; ``packages`` are the versions of the packages that took part.

    ``instructions`` names those that int8 and half precision use, empty if they are not known.

    Two results can be compared in milliseconds only if all but ``python`` and ``packages`` are equal.
    """

    board: str
    processor: str
    cores: int
    system: str
    architecture: str
    python: str
    governor: str | None
    packages: dict[str, str] = field(default_factory=dict)
    instructions: str = ""


@dataclass(frozen=True)
class Condition:
    """Condition of a machine: degrees Celsius, megahertz, firmware throttling bits, load average of a minute."""

    temperature_c: float | None
    frequency_mhz: float | None
    throttled: int | None
    load: float | None


def describe_machine(root: Path = _ROOT) -> Machine:
    """Describe this machine, reading below ``root``."""
    cpuinfo = _text(root / "proc/cpuinfo") or ""
    processor = _field(cpuinfo, "model name") or platform.machine()
    flags = set((_field(cpuinfo, "flags") or _field(cpuinfo, "Features") or "").split())
    release = _field((_text(root / "etc/os-release") or "").replace("=", ": "), "PRETTY_NAME") or platform.system()
    board = _text(root / "proc/device-tree/model") or _text(root / "sys/devices/virtual/dmi/id/product_name")
    return Machine(
        board=board or "unknown",
        processor=processor,
        cores=usable_cores(),
        system=f"{release.strip(chr(34))}, kernel {platform.release()}",
        architecture=platform.machine(),
        python=platform.python_version(),
        governor=_text(root / _GOVERNOR),
        packages={name: version for name in _PACKAGES if (version := _version(name)) is not None},
        instructions=", ".join(name for flag, name in _INSTRUCTIONS.items() if flag in flags),
    )


def read_condition(root: Path = _ROOT) -> Condition:
    """Read temperature (hottest plausible zone), frequency of the first core, throttling and load, below ``root``."""
    health = read_health(root=root, ask_firmware=ask_firmware if root == _ROOT else lambda: None)
    load = (_text(root / "proc/loadavg") or "").split()
    return Condition(
        temperature_c=health.temperature_c,
        frequency_mhz=None if health.clock_hz is None else health.clock_hz / 1e6,
        throttled=None if health.throttling is None else health.throttling.bits,
        load=float(load[0]) if load else None,
    )


def read_memory_mb(status: Path = Path("/proc/self/status")) -> tuple[float | None, float | None]:
    """Return the resident memory of this process and its peak, in megabytes (10^6 bytes)."""
    text = _text(status) or ""
    return _megabytes(_field(text, "VmRSS")), _megabytes(_field(text, "VmHWM"))


def reset_peak_memory(clear_refs: Path = Path("/proc/self/clear_refs")) -> bool:
    """Reset the peak memory of this process to its present memory; return False if the kernel does not allow it.

    Source: Linux, Documentation/filesystems/proc.rst, /proc/PID/clear_refs; since Linux 4.0.
    """
    try:
        clear_refs.write_text("5", encoding="ascii")
    except OSError:
        return False
    return True


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip().rstrip("\0") or None
    except OSError:
        return None


def _field(text: str, name: str) -> str | None:
    for line in text.splitlines():
        key, separator, value = line.partition(":")
        if separator and key.strip() == name:
            return value.strip()
    return None


def _megabytes(value: str | None) -> float | None:
    return None if value is None else int(value.split()[0]) * 1024 / 1e6  # the kernel's kB are 1024 bytes


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
