"""Rehearse a field device: systemd, the unit of ``trailcam service install``, its watchdog, power and network cuts.

A Debian 13 root is booted; its camera is a Motion JPEG stream from this machine, over a cable that can be pulled. Run
as root: ``python tests/system/system_test_device.py``, or ``make system TEST=device``.
"""

import http.server
import json
import os
import re
import sys
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

import recipes
import roots
from checks import LACKING, Checks
from demo_frames import walking, write_jpegs
from device import HERE_ADDRESS, Device, boot, cable, in_disk, plug

from trailcam_project.experiments.mjpeg_server import MjpegServer, in_turn

_UNIT = "trailcam.service"
_TRAILCAM = f"{roots.VENV}/bin/trailcam"
_PORT = 8554
_CRASHING_PORT = 8555
_CRASHES = 6  # one more than the five starts that systemd allows by itself
_CLIPS = Path(os.environ.get("TRAILCAM_TEST_DATA", roots.CHECKOUT.parent / "shared" / "data")) / "field" / "clips"
_STORE = "/var/lib/trailcam"
_CONFIG = f"""
[camera]
source = "http://{HERE_ADDRESS}:{_PORT}/"

[recovery]
stall_s = 3.0
first_wait_s = 0.5
longest_wait_s = 4.0

[visits]
cool_down_s = 2.0

[store]
folder = "{_STORE}"
"""
# The unit's own times are minutes; everything else of it stays as it is.
_IMPATIENT = "[Service]\nWatchdogSec=40s\nRestartSec=1s\n"
_LOOK_AT_STORE = f"""
import json, sqlite3
database = sqlite3.connect("file:{_STORE}/events.db?mode=ro", uri=True)
print(json.dumps({{
    "integrity": database.execute("PRAGMA integrity_check").fetchone()[0],
    "foreign": database.execute("PRAGMA foreign_key_check").fetchall(),
    "visits": [row[0] for row in database.execute("SELECT visit_id FROM visits")],
    "boots": database.execute("SELECT count(*) FROM boots").fetchone()[0],
    "blind": [row[0] for row in database.execute("SELECT reason FROM blind_times")],
}}))
"""


def main() -> int:
    """Rehearse; return the exit code."""
    roots.require("systemd-nspawn", "ip", "nsenter")
    checks = Checks()
    root = roots.cached(recipes.DEVICE)
    with roots.scratch_folder() as folder, cable():
        disk, log = folder / "disk", folder / "console.log"
        wheel = roots.build_wheel(folder / "wheel")
        target = disk / "upper/root" / wheel.name
        target.parent.mkdir(parents=True)
        target.write_bytes(wheel.read_bytes())
        labels = write_jpegs(folder / "frames")
        pictures = [(folder / "frames" / f"{number}.jpg").read_bytes() for number in range(len(labels))]
        with MjpegServer(in_turn(walking(pictures), hold_s=0.2), address=(HERE_ADDRESS, _PORT)) as camera:
            with boot(root, disk, log) as device:
                _first_boot(checks, device, camera, wheel.name)
                stored = _stored(device)
                checks.check("it powers off in order", device.power_off())
            _check_store(
                checks, in_disk(root, disk, ["python3", "-c", _LOOK_AT_STORE]).stdout, "after power off", stored
            )
            with boot(root, disk, log) as device:
                stored = _quiet_boot(checks, device)
                device.cut_power()
            _check_store(
                checks, in_disk(root, disk, ["python3", "-c", _LOOK_AT_STORE]).stdout, "after a power cut", stored
            )
            with boot(root, disk, log) as device:
                _quiet_boot(checks, device)
                store = json.loads(device.say("python3", "-c", _LOOK_AT_STORE) or "{}")
                checks.check("each boot is a boot of the store", store.get("boots") == 3, store.get("boots"))
                device.power_off()
    return checks.finish("system test device")


def _first_boot(checks: Checks, device: Device, camera: MjpegServer, wheel: str) -> None:
    started_s = time.monotonic()
    state = device.wait_for_systemd()
    if not checks.check("the device starts", state == "running", f"{state} after {time.monotonic() - started_s:.0f} s"):
        return
    pip = device.run(f"{roots.VENV}/bin/pip", "install", "--quiet", "--no-deps", "--no-index", f"/root/{wheel}")
    checks.check("the wheel installs", pip.returncode == 0, pip.stderr[-200:])
    if not _install_service(checks, device):
        return
    _check_visits(checks, device)
    _check_reload(checks, device)
    _check_hang(checks, device)
    _check_crashes(checks, device)
    _check_memory(checks, device)
    _check_losses(checks, device, camera)


def _install_service(checks: Checks, device: Device) -> bool:
    """Install, configure and start the service."""
    found = device.run(_TRAILCAM, "service", "install")
    if not checks.check('"trailcam service install" ends well', found.returncode == 0, found.stderr.strip()[-200:]):
        return False
    verified = device.run("systemd-analyze", "verify", _UNIT)
    checks.check(
        "systemd finds nothing wrong with the unit", not verified.stderr.strip(), verified.stderr.strip()[:300]
    )
    exposure = device.say("systemd-analyze", "security", "--no-pager", _UNIT).splitlines()[-1:]
    checks.figure("systemd-analyze security", " ".join(exposure).strip())
    device.write(_config_path(device), _CONFIG)
    checks.check("it is enabled", device.say("systemctl", "is-enabled", _UNIT) == "enabled")
    watchdog = re.search(r"^WatchdogSec=(.+)$", device.say("systemctl", "cat", _UNIT), re.MULTILINE)
    shown = _show(device, "Type", "User", "MemoryMax", "Restart", "ProtectSystem")
    notifies = shown["Type"] == "notify" and watchdog is not None
    checks.check("its type is notify, with a watchdog", notifies, f"{watchdog and watchdog[0]} {shown}")
    device.run("mkdir", "-p", f"/etc/systemd/system/{_UNIT}.d")
    device.write(f"/etc/systemd/system/{_UNIT}.d/rehearsal.conf", _IMPATIENT)
    device.run("systemctl", "daemon-reload")
    started = device.run("systemctl", "restart", _UNIT)
    checks.check(
        "the service starts, and says so itself",
        started.returncode == 0,
        _journal(device, 3) if started.returncode else "",
    )
    uid = device.say("stat", "-c", "%u", f"/proc/{_pid(device)}")
    checks.check("it does not run as root", uid not in ("", "0"), f"user {uid}")
    return checks.check("the service is active", device.say("systemctl", "is-active", _UNIT) == "active")


def _check_visits(checks: Checks, device: Device) -> None:
    checks.until("visits are stored", lambda: len(_stored(device)) >= 3, 90)
    resident_kb = device.say("sed", "-n", "s/^VmRSS:[^0-9]*\\([0-9]*\\) kB/\\1/p", f"/proc/{_pid(device)}/status")
    checks.figure("resident memory of the service", f"{int(resident_kb or 0) // 1024} MB")


def _check_reload(checks: Checks, device: Device) -> None:
    """SIGHUP: a new configuration is taken without a restart, a broken one is refused without harm."""
    pid = _pid(device)
    device.write(_config_path(device), _CONFIG.replace("cool_down_s = 2.0", "cool_down_s = 3.0"))
    before = len(_journal(device, 1000).splitlines())
    reloaded = device.run("systemctl", "reload", _UNIT)
    checks.check("the unit can be reloaded", reloaded.returncode == 0, reloaded.stderr.strip()[:200])
    checks.until("a reload is said in the journal", lambda: len(_journal(device, 1000).splitlines()) > before + 1, 20)
    device.write(_config_path(device), _CONFIG + "\n[camera_]\n")
    device.run("systemctl", "reload", _UNIT)
    checks.until("a broken configuration is named in the journal", lambda: "camera_" in _journal(device, 40), 20)
    device.write(_config_path(device), _CONFIG)
    stored = len(_stored(device))
    checks.until("and the watch goes on", lambda: len(_stored(device)) > stored, 60)
    checks.check("all of that without a restart", _pid(device) == pid, f"process {pid}")


def _check_hang(checks: Checks, device: Device) -> None:
    """A process that hangs feeds no watchdog, so systemd kills it and starts another."""
    pid, stored = _pid(device), len(_stored(device))
    within_s = _seconds(_show(device, "WatchdogUSec")["WatchdogUSec"]) + 90
    device.run("kill", "-STOP", pid)
    checks.until(
        "a hung process is killed and started again",
        lambda: _pid(device) not in ("0", pid) and _active(device),
        within_s,
    )
    checks.check("by the watchdog", "watchdog" in _journal(device, 40, "").lower())
    checks.until("and visits are stored again", lambda: len(_stored(device)) > stored, 90)


def _check_crashes(checks: Checks, device: Device) -> None:
    """A stream that crashes OpenCV ends the process: each start has its message, and no limit ends the camera."""
    what, clip = "a stream that crashes OpenCV is opened again and again", _CLIPS / "aborts_opencv.avi"
    if not clip.is_file():
        checks.skip(what, "it needs the recordings that TRAILCAM_TEST_DATA names")
        return
    serve = partial(http.server.SimpleHTTPRequestHandler, directory=str(_CLIPS))
    with http.server.ThreadingHTTPServer((HERE_ADDRESS, _CRASHING_PORT), serve) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        before = int(_show(device, "NRestarts")["NRestarts"] or 0)
        address = f"{HERE_ADDRESS}:{_CRASHING_PORT}/{clip.name}"
        device.write(_config_path(device), _CONFIG.replace(f"{HERE_ADDRESS}:{_PORT}/", address))
        device.run("systemctl", "kill", "--signal=KILL", _UNIT)
        checks.until(what, lambda: int(_show(device, "NRestarts")["NRestarts"] or 0) >= before + _CRASHES, 400)
        checks.check("the journal has the place of each crash", "opencv_stream.py" in _journal(device, 200))
        checks.check("the service is not given up", _show(device, "ActiveState")["ActiveState"] != "failed")
        device.write(_config_path(device), _CONFIG)
        stored = len(_stored(device))
        checks.until("with a sound stream visits are stored again", lambda: len(_stored(device)) > stored, 120)
        server.shutdown()


def _check_memory(checks: Checks, device: Device) -> None:
    limit = _show(device, "MemoryMax")["MemoryMax"]
    checks.check("the unit limits its memory", limit.isdigit(), f"MemoryMax {limit}")
    what = "a process above its limit is killed and started again"
    if "memory" not in device.say("cat", "/sys/fs/cgroup/cgroup.controllers").split():
        checks.skip(what, "this machine gives the memory controller to cgroup v1")
        return
    pid = _pid(device)
    device.run("systemctl", "set-property", "--runtime", _UNIT, "MemoryMax=30M")
    checks.until(what, lambda: _pid(device) not in ("0", pid), 60)
    device.run("systemctl", "set-property", "--runtime", _UNIT, f"MemoryMax={limit}")
    checks.until("it runs again under its own limit", lambda: _active(device), 60)


def _check_losses(checks: Checks, device: Device, camera: MjpegServer) -> None:
    """The network goes away, then the camera falls silent; both come back."""
    for name, lose, give_back in (
        ("the network", lambda: plug(False), lambda: plug(True)),
        ("a silent camera", camera.silent.set, camera.silent.clear),
    ):
        blind = len(_blind(device))
        lose()
        time.sleep(12)
        give_back()
        checks.until(f"{name}: its loss is stored as blind time", lambda before=blind: len(_blind(device)) > before, 90)
        stored = len(_stored(device))
        checks.until(f"{name}: visits are stored afterwards", lambda before=stored: len(_stored(device)) > before, 60)


def _quiet_boot(checks: Checks, device: Device) -> list[str]:
    """Start without any trouble; return the visits that were stored by its end."""
    state = device.wait_for_systemd()
    checks.check("the device starts again", state == "running", state)
    checks.until("the service comes by itself", lambda: _active(device), 90)
    before = len(_stored(device))
    checks.until("and goes on storing visits", lambda: len(_stored(device)) > before, 90)
    errors = device.say("journalctl", "--boot", "--priority=err", "--no-pager", "--quiet", "--output=cat")
    checks.check("the journal shows no errors", not errors, errors[:300])
    return _stored(device)


def _check_store(checks: Checks, text: str, when: str, acknowledged: list[str]) -> None:
    store: dict[str, Any] = (
        json.loads(text) if text.startswith("{") else {"integrity": text or "no store", "visits": []}
    )
    checks.check(f"the store is sound {when}", store["integrity"] == "ok" and not store["foreign"], store["integrity"])
    missing = set(acknowledged) - set(store["visits"])
    checks.check(f"no visit is lost {when}", not missing and bool(acknowledged), f"{len(acknowledged)} were stored")


def _stored(device: Device) -> list[str]:
    lines = device.say(_TRAILCAM, "events", "--json").splitlines()
    return [json.loads(line)["visit_id"] for line in lines if line.startswith("{")]


def _blind(device: Device) -> list[str]:
    return json.loads(device.say("python3", "-c", _LOOK_AT_STORE) or "{}").get("blind", [])


def _show(device: Device, *names: str) -> dict[str, str]:
    lines = device.say("systemctl", "show", _UNIT, f"--property={','.join(names)}").splitlines()
    return dict.fromkeys(names, "") | dict(line.split("=", 1) for line in lines)


def _pid(device: Device) -> str:
    return _show(device, "MainPID")["MainPID"]


def _active(device: Device) -> bool:
    return device.say("systemctl", "is-active", _UNIT) == "active"


def _journal(device: Device, lines: int, unit: str = _UNIT) -> str:
    of_unit = [f"--unit={unit}"] if unit else []
    return device.say("journalctl", "--boot", *of_unit, f"--lines={lines}", "--no-pager", "--output=cat")


def _config_path(device: Device) -> str:
    found = re.search(r"--config[= ](\S+)", device.say("systemctl", "cat", _UNIT))
    return found[1] if found else "/etc/trailcam/trailcam.toml"


def _seconds(text: str) -> float:
    """Turn systemd's "1min 30s" into seconds."""
    units = {"min": 60.0, "s": 1.0, "ms": 0.001}
    return sum(float(number) * units[unit] for number, unit in re.findall(r"([0-9.]+)(min|ms|s)", text))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except roots.CannotRehearseError as error:
        print(f"system test device: {error}", file=sys.stderr)
        sys.exit(LACKING)
    except KeyboardInterrupt:
        sys.exit(130)
