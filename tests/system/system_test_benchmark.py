"""``trailcam benchmark --on`` a booted system, over real SSH, with the cable pulled out in the middle of it.

A Debian 13 with SSH and nothing of Trailcam is booted, gets the base install, and is measured from this checkout. Run
as root: ``python tests/system/system_test_benchmark.py``. Its milliseconds are this machine's and mean nothing.
"""

import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import recipes
import roots
from checks import LACKING, Checks
from device import DEVICE_ADDRESS, Device, boot, cable, plug
from laptop import Laptop

_FEW = ("--frames", "8", "--rounds", "2", "--min-time", "0s")
_MANY = ("--frames", "4000", "--rounds", "40", "--min-time", "0s")
_LEFT = ("sh", "-c", "ls -d /var/tmp/trailcam-benchmark.* 2>/dev/null")
_MEASURING = ("pgrep", "-f", "trailcam benchmark --child")
_GONE_S = 180  # to notice that a device is gone


def main() -> int:
    """Rehearse; return the exit code."""
    roots.require("systemd-nspawn", "ip", "nsenter", "ssh")
    checks = Checks()
    root, wheels = roots.cached(recipes.FRESH), roots.cached_wheels(recipes.FRESH)
    with roots.scratch_folder() as folder, cable():
        disk, laptop = folder / "disk", Laptop(folder / "laptop")
        laptop.may_log_in(disk)
        shutil.copytree(wheels, disk / "upper/root/wheels")
        ours = roots.build_wheel(folder / "wheel")
        shutil.copy(ours, disk / "upper/root/wheels")
        with boot(root, disk, folder / "console.log") as device:
            state = device.wait_for_systemd()
            if checks.check("a fresh system starts", state == "running", state):
                _refusals(checks, laptop, root)
                _install(checks, device, ours.name)
                _whole(checks, device, laptop)
                _cut(checks, device, laptop, folder / "cut")
    return checks.finish("system test benchmark")


def _refusals(checks: Checks, laptop: Laptop, root: Path) -> None:
    unknown = laptop.run(*_words(laptop, *_FEW))
    said = unknown.stderr.strip()[-200:]
    checks.check("an unknown host key is refused", unknown.returncode == 1 and "host key" in unknown.stderr, said)
    laptop.knows(root, DEVICE_ADDRESS)
    bare = laptop.run(*_words(laptop, *_FEW))
    told = bare.returncode == 1 and "no Trailcam there" in bare.stderr and "pip install" in bare.stderr
    checks.check("a device without Trailcam says how to get it", told, bare.stderr.strip()[-200:])


def _install(checks: Checks, device: Device, wheel: str) -> None:
    device.run("python3", "-m", "venv", "/opt/trailcam", timeout_s=600)
    pip = ("/opt/trailcam/bin/pip", "install", "--quiet", "--no-index", "--find-links", "/root/wheels")
    done = device.run(*pip, f"/root/wheels/{wheel}", timeout_s=900)
    checks.check("the base install", done.returncode == 0, done.stderr.strip()[-200:])


def _whole(checks: Checks, device: Device, laptop: Laptop) -> None:
    started_s = time.monotonic()
    done = laptop.run(*_words(laptop, *_FEW, "--threads", "1,64", "--json"))
    if not checks.check("it is measured over SSH", done.returncode == 0, done.stderr.strip()[-200:]):
        return
    checks.figure("that took", f"{time.monotonic() - started_s:.0f} s")
    result = json.loads(done.stdout)
    machine = result["machine"]
    checks.check("the system is the device's", "Debian GNU/Linux 13" in machine["system"], machine["system"])
    checks.check("with its packages", {"trailcam", "ai-edge-litert", "numpy"} <= machine["packages"].keys())
    checks.check("and its load before and after", None not in (result["before"]["load"], result["after"]["load"]))
    states = [(row["kind"], row["threads"], row["state"]) for row in result["rows"]]
    wanted = [("model", 1, "measured"), ("floor", 1, "measured"), ("model", 64, "failed"), ("floor", 64, "failed")]
    checks.check("rows are whole, and too many threads are told", states == wanted, states)
    checks.check("nothing is left behind", not device.say(*_LEFT), device.say(*_LEFT))


def _cut(checks: Checks, device: Device, laptop: Laptop, out: Path) -> None:
    """Pull out the cable when some rounds are over."""
    seen: set[str] = set()

    def some_rounds() -> bool:
        seen.update(device.say(*_MEASURING).split())
        return len(seen) > 8  # two processes for the look, and two for each round

    with laptop.start(*_words(laptop, *_MANY, "--out", str(out))) as process:
        checks.until("rounds are under way", lambda: some_rounds() or process.poll() is not None, 900)
        plug(False)
        started_s = time.monotonic()
        _, errors = process.communicate(timeout=_GONE_S)
    plug(True)
    checks.figure("its loss was noticed after", f"{time.monotonic() - started_s:.0f} s")
    said = errors.strip()[-200:]
    checks.check("exit code 1, and the reason", process.returncode == 1 and "broke" in errors, said)
    result: dict[str, Any] = json.loads((out / "benchmark.json").read_bytes())
    rows = [(row["state"], bool(row["latency"]), "broke" in row["reason"]) for row in result["rows"]]
    checks.check("what was measured is kept", result["complete"] is False and "broke" in result["cut"], result["cut"])
    checks.check("and marked", rows == [("partial", True, True)] * 2, rows)
    checks.until("nothing goes on measuring there", lambda: not device.say(*_MEASURING), 120)


def _words(laptop: Laptop, *words: str) -> tuple[str, ...]:
    return ("benchmark", "--on", f"pi@{DEVICE_ADDRESS}", "--ssh-config", str(laptop.config), *words)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except roots.CannotRehearseError as error:
        print(f"system test benchmark: {error}", file=sys.stderr)
        sys.exit(LACKING)
    except KeyboardInterrupt:
        sys.exit(130)
