"""Health of the machine: temperature, throttling, clock rate, memory, disk. Unavailable values are None."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_FIRMWARE = Path("sys/devices/platform/soc/soc:firmware/get_throttled")
_THERMAL = Path("sys/class/thermal")
_CLOCK = Path("sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq")  # in kHz
_STATM = Path("proc/self/statm")
_VCGENCMD = ("vcgencmd", "get_throttled")
_VCGENCMD_S = 2.0
_THROTTLED = re.compile(r"(?:throttled=)?(?:0x)?([0-9a-fA-F]{1,8})\s*")
_COLDEST_C, _HOTTEST_C = -60.0, 150.0  # a disconnected sensor reads outside


@dataclass(frozen=True)
class Throttling:
    """Reasons for which a Raspberry Pi is slowed down, now and since the boot."""

    now: tuple[str, ...]
    since_start: tuple[str, ...]

    @property
    def bits(self) -> int:
        """The flags as the firmware counts them: bits 0 to 3 for now, 16 to 19 since the boot."""
        now = sum(1 << bit for bit, name in _BITS.items() if name in self.now)
        return now | sum(1 << bit + _SINCE_START for bit, name in _BITS.items() if name in self.since_start)


@dataclass(frozen=True)
class HealthSnapshot:
    """The machine at one moment; ``memory_bytes`` is the resident memory of this process."""

    temperature_c: float | None = None
    throttling: Throttling | None = None
    clock_hz: int | None = None
    memory_bytes: int | None = None
    disk_free_bytes: int | None = None


def health_json(health: HealthSnapshot) -> dict[str, Any]:
    """Return the JSON object of the health of a machine; null where a value is not available."""
    throttling = health.throttling
    return {
        "disk_free_bytes": health.disk_free_bytes,
        "temperature_c": None if health.temperature_c is None else round(health.temperature_c, 1),
        "throttling": None
        if throttling is None
        else {"now": list(throttling.now), "since_start": list(throttling.since_start)},
    }


_KERNEL_LIMIT = 2**63
_BITS = {0: "under-voltage", 1: "clock rate capped", 2: "throttled", 3: "soft temperature limit"}
_SINCE_START = 16  # the same bits again, 16 places higher


def parse_throttled(text: str) -> Throttling | None:
    """Parse the firmware's flags: "throttled=0x50005" of vcgencmd, or "50005" of the kernel; None for anything else.

    Source: Raspberry Pi documentation, "Operating system", vcgencmd, get_throttled.
    """
    found = _THROTTLED.fullmatch(text)
    if found is None:
        return None
    value = int(found[1], 16)
    return Throttling(
        tuple(name for bit, name in _BITS.items() if value >> bit & 1),
        tuple(name for bit, name in _BITS.items() if value >> (bit + _SINCE_START) & 1),
    )


def ask_firmware() -> str | None:
    """Return the output of vcgencmd, or None if it is missing, fails or hangs."""
    if shutil.which(_VCGENCMD[0]) is None:
        return None
    try:
        asked = subprocess.run(
            _VCGENCMD, capture_output=True, text=True, errors="replace", timeout=_VCGENCMD_S, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return asked.stdout if asked.returncode == 0 else None


def read_health(
    folder: Path | None = None, root: Path = Path("/"), ask_firmware: Callable[[], str | None] = ask_firmware
) -> HealthSnapshot:
    """Read the health of this machine; takes a millisecond, or some 10 ms if vcgencmd is run.

    Args:
        folder: on the disk to check, or None.
        root: of ``/sys`` and ``/proc``.
        ask_firmware: returns the throttling flags if the kernel does not.
    """
    throttled = _read(root / _FIRMWARE) or ask_firmware()
    clock_khz = _number(_read(root / _CLOCK))
    pages = _number((_read(root / _STATM) or "").split(" ")[1:2])
    return HealthSnapshot(
        _temperature_c(root / _THERMAL),
        None if throttled is None else parse_throttled(throttled),
        None if clock_khz is None else clock_khz * 1000,
        None if pages is None else pages * os.sysconf("SC_PAGE_SIZE"),
        _free_bytes(folder),
    )


def _temperature_c(zones: Path) -> float | None:
    """Return the hottest plausible zone: a board has one, a PC several."""
    read = (_number(_read(zone / "temp")) for zone in sorted(zones.glob("thermal_zone*")))
    plausible = [value / 1000 for value in read if value is not None and _COLDEST_C < value / 1000 < _HOTTEST_C]
    return max(plausible, default=None)


def _free_bytes(folder: Path | None) -> int | None:
    if folder is None:
        return None
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii").strip() or None
    except (OSError, UnicodeDecodeError):
        return None


def _number(text: str | list[str] | None) -> int | None:
    """Return a whole number, or None if the text is not one that a kernel counts in."""
    first = (text[0] if text else None) if isinstance(text, list) else text
    try:
        number = None if first is None else int(first)
    except ValueError:
        return None
    return number if number is not None and abs(number) < _KERNEL_LIMIT else None
