"""Rehearse a Raspberry Pi's userland: the base install on arm64 Debian 12 (Python 3.11) under qemu-user.

Answers are compared with those of this machine: labels exactly, probabilities within a tolerance, because JPEG decoding
and the kernels of the model differ by a level or two between processors. Times mean nothing here. Run as root:
``python tests/system/system_test_arm64.py``, or ``make system TEST=arm64``.
"""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import recipes
import roots
from checks import LACKING, Checks
from demo_frames import write_jpegs

_TRAILCAM = f"{roots.VENV}/bin/trailcam"
_TOLERANCE = 0.1  # of a probability; measured on the demonstration frames: see docs/system-tests.md


def main() -> int:
    """Rehearse; return the exit code."""
    roots.require("qemu-aarch64-static", "arch-test")
    checks = Checks()
    root = roots.cached(recipes.ARM64)
    roots.run_arm64_programs()
    with roots.scratch_folder() as scratch:
        wheel = roots.build_wheel(scratch / "wheel")
        labels = write_jpegs(scratch / "frames")
        # LiteRT asks /proc/cpuinfo what the processor can, and dies by signal 11 if it reads of an x86 one.
        cpu = (roots.HERE / "pi4_cpuinfo", "/proc/cpuinfo")
        device = _Device(root, scratch / "overlay", [cpu, (wheel.parent, "/wheel"), (scratch / "frames", "/frames")])
        install = ["pip", "install", "--quiet", "--no-deps", "--no-index", f"/wheel/{wheel.name}"]
        checks.check("the wheel installs", device.run([f"{roots.VENV}/bin/{install[0]}", *install[1:]]).returncode == 0)
        _check_install(checks, device)
        _check_demo(checks, device)
        _check_classify(checks, device, scratch / "frames", labels)
    return checks.finish("system test arm64")


class _Device:
    def __init__(self, root: Path, overlay: Path, binds: list[tuple[Path, str]]) -> None:
        self._root, self._overlay, self._binds = root, overlay, binds

    def run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        entered = roots.entered(self._root, ["env", "QEMU_CPU=cortex-a72", *command], self._overlay, self._binds)
        return subprocess.run(entered, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=1800)


def _check_install(checks: Checks, device: _Device) -> None:
    say = "import platform, sys; print(platform.machine(), sys.version.split()[0])"
    machine, _, version = device.run([f"{roots.VENV}/bin/python", "-c", say]).stdout.strip().partition(" ")
    checks.check(
        "this is arm64 with Python 3.11", machine == "aarch64" and version.startswith("3.11"), f"{machine} {version}"
    )
    pip = [f"{roots.VENV}/bin/pip", "check"]
    found = device.run(pip)
    checks.check("pip finds the base install complete", found.returncode == 0, found.stdout.strip()[:120])
    listed = json.loads(device.run([f"{roots.VENV}/bin/pip", "list", "--format=json"]).stdout or "[]")
    wanted = ("numpy", "opencv-python-headless", "ai-edge-litert")
    checks.figure(
        "installed", ", ".join(f"{item['name']} {item['version']}" for item in listed if item["name"] in wanted)
    )
    bundle = f"{roots.VENV}/lib/python3.11/site-packages/trailcam_core/data/animals10.bundle"
    inspected = device.run([_TRAILCAM, "inspect", bundle])
    last = (inspected.stdout + inspected.stderr).strip().splitlines()[-1:]
    checks.check("the built-in bundle is intact", inspected.returncode == 0, last)


def _check_demo(checks: Checks, device: _Device) -> None:
    started_s = time.monotonic()
    found = device.run([_TRAILCAM, "demo"])
    checks.check(
        '"trailcam demo" ends well',
        found.returncode == 0,
        f"{time.monotonic() - started_s:.0f} s, {found.stderr[-200:]}",
    )


def _check_classify(checks: Checks, device: _Device, frames: Path, labels: list[str | None]) -> None:
    started_s = time.monotonic()
    there = _answers(device.run([_TRAILCAM, "classify", "--json", "/frames"]))
    checks.figure(f"{len(labels)} pictures under qemu", f"{time.monotonic() - started_s:.0f} s")
    command = [sys.executable, "-m", "trailcam", "classify", "--json", str(frames)]
    here = _answers(subprocess.run(command, capture_output=True, text=True))
    checks.check("every picture was answered", len(there) == len(labels) == len(here), f"{len(there)} of {len(labels)}")
    animals = {number: label for number, label in enumerate(labels) if label is not None}
    wrong = [f"{number}: {there.get(number, {}).get('label')}, not {label}" for number, label in animals.items()]
    wrong = [
        text
        for number, text in zip(animals, wrong, strict=True)
        if there.get(number, {}).get("label") != animals[number]
    ]
    checks.check("every animal gets its label", not wrong, wrong or f"{len(animals)} of {len(animals)}")
    differing = [n for n in here if there.get(n, {}).get("label", "none") != here[n]["label"]]
    checks.check("the labels are those of this machine, of empty pictures too", not differing, differing)
    apart = max((abs(_best(there[n]) - _best(here[n])) for n in here if n in there), default=1.0)
    checks.check(f"probabilities within {_TOLERANCE}", apart <= _TOLERANCE, f"{apart:.3f} apart at most")


def _answers(found: subprocess.CompletedProcess[str]) -> dict[int, dict[str, Any]]:
    records = [json.loads(line) for line in found.stdout.splitlines()]
    return {int(Path(record["path"]).stem): record for record in records}


def _best(record: dict[str, Any]) -> float:
    return float(record["top"][0]["probability"])


if __name__ == "__main__":
    try:
        sys.exit(main())
    except roots.CannotRehearseError as error:
        print(f"system test arm64: {error}", file=sys.stderr)
        sys.exit(LACKING)
    except KeyboardInterrupt:
        sys.exit(130)
