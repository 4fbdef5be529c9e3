"""Checks of the machine: processor, memory, health of the board, clock, cameras."""

import os
import platform
import re
import time
from collections.abc import Iterator
from pathlib import Path

from trailcam.commands.doctor.checks import Check
from trailcam.model_options import open_first
from trailcam_core.classifier import BUILTIN_BUNDLE
from trailcam_core.errors import TrailcamError
from trailcam_core.jobs.cores import usable_cores
from trailcam_edge.sources.discovery import list_cameras
from trailcam_edge.store.wall_time import EARLIEST_WALL_S, LATEST_WALL_S
from trailcam_edge.telemetry.health import read_health

_INTEGER_INSTRUCTIONS = {  # a flag of /proc/cpuinfo: its common name
    "amx_int8": "AMX int8",
    "avx512_vnni": "AVX-512 VNNI",
    "avx_vnni": "AVX VNNI",
    "avx2": "AVX2",
    "i8mm": "Arm i8mm",
    "asimddp": "Arm dot product",
    "asimd": "Arm NEON",
}
_LEAST_MEMORY_BYTES = 400e6  # a Raspberry Pi of 512 MB has 415 MB
_HOT_C = 80.0  # the firmware throttles from here on
_SYNCHRONISED = Path("run/systemd/timesync/synchronized")


_SIZE = re.compile(r"^(\w+):\s*([0-9]{1,15}) kB$", re.MULTILINE)  # of /proc/meminfo


def check_machine(root: Path = Path("/")) -> Iterator[Check]:
    """Yield the checks of the machine whose ``/proc`` and ``/run`` are below ``root``."""
    yield check_processor(_read(root / "proc/cpuinfo"))
    yield check_memory(_read(root / "proc/meminfo"))
    health = read_health(root=root)
    throttling = health.throttling
    if throttling is not None and throttling.now:
        cure = "Use the official power supply and a cooler; a throttled camera drops frames."
        yield Check("board", "warning", f"now: {', '.join(throttling.now)}", cure)
    elif throttling is not None:
        past = ", ".join(throttling.since_start)
        yield Check("board", "ok", f"not throttled{f'; since the boot: {past}' if past else ''}")
    if health.temperature_c is not None:
        hot = health.temperature_c >= _HOT_C
        shade = "Give the camera shade and a cooler." if hot else None
        yield Check("temperature", "warning" if hot else "ok", f"{health.temperature_c:.0f} °C", shade)
    yield check_clock(time.time(), synchronised=(root / _SYNCHRONISED).exists())
    yield _check_cameras()
    yield _check_bundle()


def check_processor(cpuinfo: str) -> Check:
    """Name the processor and the fastest instructions for integer models that it has."""
    fields = dict(line.split(":", 1) for line in cpuinfo.splitlines() if ":" in line)
    cleaned = {key.strip(): value.strip() for key, value in fields.items()}
    flags = set(f"{cleaned.get('flags', '')} {cleaned.get('Features', '')}".split())
    best = next((name for flag, name in _INTEGER_INSTRUCTIONS.items() if flag in flags), "no known vector instructions")
    name = cleaned.get("model name") or cleaned.get("Model") or platform.machine()
    return Check("processor", "info", f"{name}, {usable_cores()} of {os.cpu_count()} cores usable, int8 by {best}")


def check_memory(meminfo: str) -> Check:
    """Judge the memory from the text of ``/proc/meminfo``."""
    sizes = {name: int(kilobytes) * 1024 for name, kilobytes in _SIZE.findall(meminfo)}
    total, free = sizes.get("MemTotal"), sizes.get("MemAvailable")
    if total is None or free is None:
        return Check("memory", "info", "unknown")
    text = f"{free / 1e6:,.0f} of {total / 1e6:,.0f} MB free"
    if total < _LEAST_MEMORY_BYTES:
        return Check("memory", "warning", text, "The smallest board that is supported has 512 MB.")
    return Check("memory", "ok", text)


def check_clock(now_s: float, synchronised: bool) -> Check:
    """Judge the wall clock, in Unix seconds."""
    shown = time.strftime("%Y-%m-%d %H:%M:%S %Z", time.localtime(now_s))
    if not EARLIEST_WALL_S <= now_s < LATEST_WALL_S:
        return Check("clock", "fault", f"{shown}, which is wrong", 'Set it: "sudo timedatectl set-time ...".')
    if not synchronised:
        cure = "Without a network fit a real-time clock; visits keep their order, and get their time later."
        return Check("clock", "info", f"{shown}, not known to be synchronised", cure)
    return Check("clock", "ok", f"{shown}, synchronised")


def _check_cameras() -> Check:
    cameras, problems = list_cameras()
    why = "; ".join(map(str, problems)) or None
    if cameras:
        return Check("cameras", "ok", ", ".join(f"{camera.source} ({camera.name})" for camera in cameras), why)
    return Check("cameras", "info", "none on this machine; network cameras are not detected", why)


def _check_bundle() -> Check:
    try:
        classifier = open_first(BUILTIN_BUNDLE, threads=1)
        report = classifier.replay_golden()
    except TrailcamError as error:
        return Check("bundle", "fault", str(error), "Install Trailcam again.")
    manifest = classifier.bundle.manifest
    name = f"{manifest.name} {manifest.version}"
    if report.culprit is not None:
        return Check("bundle", "fault", f"{name} gives other answers here", f"Likely culprit: {report.culprit}.")
    return Check("bundle", "ok", f"{name}, {report.count} golden vectors reproduced")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
