"""A card that ``trailcam deploy sdcard`` wrote, from its first start to a camera, with the plug pulled in the middle.

A Debian 13 with the real cloud-init, told as on Raspberry Pi OS 13 to look at /boot/firmware, is booted without a way
to the internet: everything it needs was on the card. Run as root: ``python tests/system/system_test_card.py``.

Not the real thing: the boot partition is a folder and no FAT, and Raspberry Pi's own changes to cloud-init and netplan
are missing, so of the network only what netplan makes of it is looked at.
"""

import json
import shutil
import sys
from pathlib import Path

import recipes
import roots
from checks import LACKING, Checks
from demo_frames import walking, write_jpegs
from device import DEVICE_ADDRESS, HERE_ADDRESS, Device, boot, cable
from laptop import BECAUSE, CHANNEL, SLOWLY, Laptop
from system_test_deploy import PORT

from trailcam_deploy.device.facts import INBOX
from trailcam_project.experiments.mjpeg_server import MjpegServer, in_turn

_NAME, _VERSION = "oak", "1.0.1"
_BOOT = "boot/firmware"
_UNIT = "trailcam-first-boot.service"
_STAMP = f"/{_BOOT}/trailcam"
_TO = ("--to", f"pi@{DEVICE_ADDRESS}")
_DONE_S = 300.0
# A card is for a Raspberry Pi, so its wheels are; here it is for this machine.
_FOR_THIS_MACHINE = """
import platform, sys
from dataclasses import replace
from trailcam.main import main
from trailcam_deploy.sdcard import first_boot
first_boot._FRESH["cloud-init"] = replace(first_boot._FRESH["cloud-init"], machine=platform.machine())
sys.exit(main(sys.argv[1:]))
"""


def main() -> int:
    """Rehearse; return the exit code."""
    roots.require("systemd-nspawn", "ip", "nsenter", "ssh")
    checks = Checks()
    root, wheels = roots.cached(recipes.CARD), roots.cached_wheels(recipes.CARD)
    with roots.scratch_folder() as folder:
        labels = write_jpegs(folder / "frames")
        pictures = [(folder / "frames" / f"{number}.jpg").read_bytes() for number in range(len(labels))]
        laptop, disk, log = Laptop(folder / "laptop"), folder / "disk", folder / "console.log"
        if _write_card(checks, laptop, root, wheels, disk / "upper" / _BOOT):
            with cable(), MjpegServer(in_turn(walking(pictures), hold_s=0.2), address=(HERE_ADDRESS, PORT)):
                with boot(root, disk, log) as device:
                    _plug_pulled(checks, device)
                with boot(root, disk, log) as device:
                    _becomes_a_camera(checks, device, laptop)
                with boot(root, disk, log) as device:
                    _starts_again(checks, device)
    return checks.finish("system test card")


def _write_card(checks: Checks, laptop: Laptop, root: Path, wheels: Path, mount: Path) -> bool:
    mount.parent.mkdir(parents=True)
    shutil.copytree(root / _BOOT, mount)
    password = laptop.folder / "wifi"
    password.touch(mode=0o600)
    password.write_text("the owl is out\n")
    words = (
        *("deploy", "sdcard", str(mount), "--hostname", _NAME, "--bundle", str(laptop.bundle(_VERSION)), *BECAUSE),
        *("--source", f"http://{HERE_ADDRESS}:{PORT}/", "--wheels", str(wheels)),
        *("--authorized-key", str(laptop.folder / "key.pub")),
        *("--wifi", "forest", "--wifi-country", "DE", "--wifi-password-file", str(password)),
    )
    refused = laptop.run(*words)
    foreign = refused.returncode == 1 and "for another machine" in refused.stderr
    checks.check("wheels that are not a Raspberry Pi's are refused", foreign, refused.stderr[-200:].strip())
    checks.check("and nothing was written", not (mount / "trailcam").exists())
    laptop.program = ("-c", _FOR_THIS_MACHINE)
    written = laptop.run(*words)
    laptop.program = ("-m", "trailcam")
    steps = mount / "trailcam" / "first-boot.sh"
    patient = f"trailcam update {INBOX} {' '.join(SLOWLY[:2])} "  # what else this machine does is not what is rehearsed
    steps.write_text(steps.read_text().replace(f"trailcam update {INBOX} ", patient))
    checks.figure("it says", "; ".join(written.stdout.splitlines()))
    return checks.check("a card is written", written.returncode == 0, written.stderr[-300:].strip())


def _plug_pulled(checks: Checks, device: Device) -> None:
    """The power fails while the packages are being installed, beside the place where they are used."""
    device.wait_for_init()
    begun = ("sh", "-c", "ls -d /opt/trailcam-environments/*.part/lib/python3*/site-packages/numpy* 2>/dev/null")
    checks.until("the first start installs what is on the card", lambda: device.say(*begun), _DONE_S)
    checks.check("and is not done", device.run("test", "-e", _STAMP).returncode == 0)
    device.run("sync")
    device.cut_power()


def _becomes_a_camera(checks: Checks, device: Device, laptop: Laptop) -> None:
    device.wait_for_systemd()
    there = ("test", "-e", _STAMP)
    ended = "the next start ends it, and takes its files off the card"
    if not checks.until(ended, lambda: device.run(*there).returncode != 0, _DONE_S):
        checks.figure("it said", device.say("journalctl", "-u", _UNIT, "-n", "20", "-o", "cat"))
        return
    state = json.loads(device.say("cloud-init", "status", "--format", "json") or "{}")
    whole = state.get("status") == "done" and not state.get("errors") and not state.get("recoverable_errors")
    checks.check("cloud-init is content", whole, state.get("detail", "") if whole else json.dumps(state)[:600])
    checks.check("the board has its name", device.say("hostname") == _NAME, device.say("hostname"))
    locked = device.say("passwd", "--status", "pi").split()[1:2] == ["L"]
    checks.check("its user has no password", locked, device.say("id", "pi"))
    wanted = device.say("netplan", "get", "wifis")
    cable_too = device.say("netplan", "get", "ethernets")
    checks.check("netplan understands the networks", "forest" in wanted and "eth0" in cable_too, cable_too)
    checks.check("the Wi-Fi password itself is not on the card", "the owl" not in wanted)
    checks.check("its unit is disabled", device.say("systemctl", "is-enabled", _UNIT) == "disabled")
    key = device.say("cat", "/etc/ssh/ssh_host_ed25519_key.pub")
    laptop.known_hosts.write_text(f"{DEVICE_ADDRESS} {key}\n")
    checks.until("it is a camera, and answers the laptop", lambda: _state(laptop).get("well") is True, 120)
    found = _state(laptop)
    checks.check("with the bundle of the card", found.get("bundle") == f"{CHANNEL} {_VERSION}", found.get("text"))
    checks.check("and with its own device id", device.say("cat", "/etc/trailcam/device-id") == _NAME)
    checks.check("it powers off in order", device.power_off())


def _state(laptop: Laptop) -> dict[str, object]:
    return laptop.states(*_TO).get(DEVICE_ADDRESS, {})


def _starts_again(checks: Checks, device: Device) -> None:
    state = device.wait_for_systemd()
    failed = device.say("systemctl", "--failed", "--no-legend")
    checks.check("the start after that is an ordinary one", state == "running", failed or state)
    up = ("systemctl", "is-active", "trailcam")
    checks.until("the camera is up", lambda: device.say(*up) == "active", 90)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except roots.CannotRehearseError as error:
        print(f"system test card: {error}", file=sys.stderr)
        sys.exit(LACKING)
    except KeyboardInterrupt:
        sys.exit(130)
