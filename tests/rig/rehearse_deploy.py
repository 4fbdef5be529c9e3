"""Rehearse one camera from a fresh system to its third bundle, over SSH, with the plug pulled during an update.

A Debian 13 with SSH and nothing of Trailcam is booted; everything on it is done by ``trailcam deploy`` from this
checkout. Run as root: ``python tests/rig/rehearse_deploy.py``; ``make rehearse-fleet`` runs it before the fleet.
"""

import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

import recipes
import roots
from checks import LACKING, Checks
from device import DEVICE_ADDRESS, HERE_ADDRESS, Device, boot, cable
from laptop import CHANNEL, Laptop
from mjpeg_server import MjpegServer

from demo_frames import write_jpegs

_PORT = 8554
_TO = ("--to", f"pi@{DEVICE_ADDRESS}")
_BUNDLE = ("--i-know", "a rehearsal: the built-in model with another name")
_PROVES = ("/opt/trailcam/bin/python3", "-m", "trailcam_edge.update.self_test", "/var/lib/trailcam/update/current")


def main(keep: Path | None = None) -> int:
    """Rehearse; return the exit code. ``keep`` gets the disk of the camera as it is in the end."""
    roots.require("systemd-nspawn", "ip", "nsenter", "ssh")
    checks = Checks()
    root, wheels = roots.cached(recipes.FRESH), roots.cached_wheels(recipes.FRESH)
    with roots.scratch_folder() as folder, cable():
        disk, log = folder / "disk", folder / "console.log"
        laptop = Laptop(folder / "laptop")
        laptop.may_log_in(disk)
        labels = write_jpegs(folder / "frames")
        pictures = [(folder / "frames" / f"{number}.jpg").read_bytes() for number in range(len(labels))]
        with MjpegServer(pictures, (HERE_ADDRESS, _PORT), hold_s=0.5):
            with boot(root, disk, log) as device:
                if _first_time(checks, device, laptop, root, wheels):
                    _second_time(checks, laptop)
                    _other_bundles(checks, device, laptop)
                device.run("sync")
            for name, moment in _MOMENTS.items():
                _plug_pulled(checks, laptop, root, disk, log, name, moment)
            if keep is not None and not checks.failed:
                with boot(root, disk, log) as device:
                    device.wait_for_systemd()
                    device.power_off()
                (disk / "upper").rename(keep)
    return checks.finish("rehearse-deploy")


def _first_time(checks: Checks, device: Device, laptop: Laptop, root: Path, wheels: Path) -> bool:
    state = device.wait_for_systemd()
    checks.check("a fresh system starts", state == "running", state)
    first = laptop.bundle("1.0.1")
    words = (str(first), *_TO, *_BUNDLE, "--source", f"http://{HERE_ADDRESS}:{_PORT}/", "--wheels", str(wheels))
    refused = laptop.run("deploy", *words)
    checks.check("an unknown host key is refused", refused.returncode == 1 and "host key" in refused.stderr)
    checks.check("and nothing was done there", device.run("ls", "/opt/trailcam").returncode != 0)
    laptop.knows(root, DEVICE_ADDRESS)
    dry = laptop.run("deploy", *words, "--dry-run")
    planned = [line.strip() for line in dry.stdout.splitlines()]
    checks.check("a dry run shows steps and bytes", dry.returncode == 0 and len(planned) > 4, dry.stderr[-300:])
    checks.figure("it says", "; ".join(planned))
    checks.check("and does nothing", device.run("ls", "/opt/trailcam").returncode != 0)
    started_s = time.monotonic()
    done = laptop.run("deploy", *words)
    seconds = time.monotonic() - started_s
    if not checks.check("one command makes a camera of it", done.returncode == 0, done.stderr[-600:]):
        return False
    checks.figure("that took", f"{seconds:.0f} s; {done.stdout.splitlines()[0]}")
    seen = re.search(r"^It sees: (.*)$", done.stdout, re.MULTILINE)
    checks.check("it ends with the live page", "http://127.0.0.1:8080/" in done.stdout, done.stdout[-300:])
    checks.check("and with what is seen there", seen is not None and any(x in seen[1] for x in labels_of(laptop)), seen)
    keys = laptop.folder / "fleet" / "keys"
    closed = all(path.stat().st_mode & 0o077 == 0 for path in keys.iterdir())
    checks.check("keys were made that only their owner may read", closed and len(list(keys.iterdir())) == 5)
    checks.check("the camera has its own name", device.say("cat", "/var/lib/trailcam/update/device-id") == "fresh")
    user = device.say("stat", "-c", "%U", f"/proc/{device.say('systemctl', 'show', '-P', 'MainPID', 'trailcam')}")
    checks.check("the service does not run as root", user == "trailcam", user)
    return True


def labels_of(laptop: Laptop) -> tuple[str, ...]:
    """Return the labels of the rehearsal's bundles: those of the built-in one."""
    from trailcam_edge.bundle import open_bundle

    return open_bundle(laptop.folder / "1.0.1.bundle").manifest.output.labels


def _second_time(checks: Checks, laptop: Laptop) -> None:
    started_s = time.monotonic()
    done = laptop.run("deploy", str(laptop.folder / "1.0.1.bundle"), *_TO, *_BUNDLE)
    said = done.stdout.splitlines()[:1] or [done.stderr[-300:]]
    checks.check("a second run sends nothing", done.returncode == 0 and ", 0.00 MB sent" in done.stdout, said[0])
    checks.figure("that took", f"{time.monotonic() - started_s:.0f} s")


def _other_bundles(checks: Checks, device: Device, laptop: Laptop) -> None:
    _force_commit(device)
    second = laptop.bundle("1.0.2")
    done = laptop.run("deploy", str(second), *_TO, *_BUNDLE)
    said = done.stdout.splitlines()[:1] or [done.stderr[-400:]]
    checks.check(
        "a second bundle arrives and runs", done.returncode == 0 and f"{CHANNEL} 1.0.2" in done.stdout, said[0]
    )
    _force_commit(device)
    size = sum(path.stat().st_size for path in second.iterdir())
    checks.figure("of a bundle of", f"{size / 1e6:.2f} MB")
    bad = laptop.run("deploy", str(laptop.bundle("1.0.3", good=False)), *_TO, *_BUNDLE)
    words = bad.stderr.strip().splitlines()[-1:]
    checks.check("a bundle with wrong answers is refused", bad.returncode == 1 and "golden" in bad.stderr, words)
    found = laptop.states(*_TO)["10.77.0.4"]
    checks.check("and the one before runs on", found["well"] and found["bundle"] == f"{CHANNEL} 1.0.2", found["bundle"])
    back = laptop.run("deploy", "rollback", *_TO, "--reason", "a rehearsal")
    checks.check("a roll-back by hand", back.returncode == 0, back.stdout + back.stderr)
    checks.until(
        "the bundle before the last runs",
        lambda: (now := laptop.states(*_TO)["10.77.0.4"])["well"] and now["bundle"] == f"{CHANNEL} 1.0.1",
        120,
    )
    logs = laptop.run("deploy", "logs", *_TO, "--lines", "20")
    checks.check("its journal can be read", logs.returncode == 0 and CHANNEL in logs.stdout, logs.stdout[-200:])


def _force_commit(device: Device) -> None:
    """Ten healthy minutes in a moment: the journal is told, and the unit's own time stays as it ships."""
    script = (
        "from pathlib import Path; from trailcam_edge.update.updater import Updater\n"
        "Updater(Path('/var/lib/trailcam/update'), print).observe(1e6, 1e6)"
    )
    device.run("runuser", "-u", "trailcam", "--", "/opt/trailcam/bin/python3", "-c", script)


# When the plug is pulled: a moment in the middle of the transfer, of the self-test, and right after the activation.
_MOMENTS: dict[str, Callable[[Device], bool]] = {
    "the transfer": lambda device: bool(device.say("sh", "-c", "find /var/lib/trailcam/inbox -name '*.part'")),
    "the self-test": lambda device: '"state":"self_test"' in device.say("cat", "/var/lib/trailcam/update/journal.json"),
    "the first start": lambda device: '"state":"watch"' in device.say("cat", "/var/lib/trailcam/update/journal.json"),
}


def _plug_pulled(
    checks: Checks,
    laptop: Laptop,
    root: Path,
    disk: Path,
    log: Path,
    name: str,
    moment: Callable[[Device], bool],
) -> None:
    """Cut the power in the middle of an update, boot, look, and let the same command finish."""
    version = f"2.0.{list(_MOMENTS).index(name)}"
    words = ("deploy", str(laptop.bundle(version)), *_TO, *_BUNDLE)
    with boot(root, disk, log) as device:
        device.wait_for_systemd()
        checks.until(
            f"{name}: the camera is up", lambda: device.say("systemctl", "is-active", "trailcam") == "active", 90
        )
        _force_commit(device)
        with laptop.start(*words) as process:
            reached = checks.until(f"{name}: reached", lambda: moment(device) or process.poll() is not None, 180)
            device.cut_power()
            output, errors = process.communicate(timeout=300)
        checks.check(
            f"{name}: the plug is pulled, and the laptop says so", reached and process.returncode != 0, errors[-200:]
        )
    with boot(root, disk, log) as device:
        device.wait_for_systemd()
        proof = device.run(*_PROVES)
        said = proof.stdout.strip() or proof.stderr[-200:]
        checks.check(
            f"{name}: what is active passes its golden vectors", proof.returncode == 0 and '"culprit": ""' in said, said
        )
        again = laptop.run(*words)
        checks.check(
            f"{name}: the same command finishes it",
            again.returncode == 0 and f"{CHANNEL} {version}" in again.stdout,
            (again.stdout.splitlines()[:1] or [again.stderr[-300:]])[0],
        )
        _force_commit(device)
        device.run("sync")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except roots.CannotRehearseError as error:
        print(f"rehearse-deploy: {error}", file=sys.stderr)
        sys.exit(LACKING)
    except KeyboardInterrupt:
        sys.exit(130)
