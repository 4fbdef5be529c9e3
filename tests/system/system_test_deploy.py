"""One camera from a fresh system to its later bundles, over SSH, with the plug pulled during updates.

A Debian 13 with SSH and nothing of Trailcam is booted; everything on it is done by ``trailcam deploy`` from this
checkout. Run as root: ``python tests/system/system_test_deploy.py``; ``make system TEST=fleet`` goes on with a fleet.
"""

import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

import recipes
import roots
from checks import LACKING, Checks
from demo_frames import walking, write_jpegs
from device import DEVICE_ADDRESS, HERE_ADDRESS, Device, boot, cable
from laptop import BECAUSE, CHANNEL, SLOWLY, Laptop

from trailcam_core.bundle.folder import open_bundle
from trailcam_project.experiments.mjpeg_server import MjpegServer, in_turn

PORT = 8554
_TO = ("--to", f"pi@{DEVICE_ADDRESS}")
_UPDATE = "/var/lib/trailcam/update"
_JOURNAL = ("cat", f"{_UPDATE}/journal.json")
_PROVES = ("/opt/trailcam/bin/python3", "-m", "trailcam_edge.update.install.self_test", f"{_UPDATE}/current")
# When the plug is pulled: in the middle of the transfer, of the self-test, and right after the activation.
_MOMENTS: dict[str, Callable[[Device], bool]] = {
    "the transfer": lambda device: bool(device.say("sh", "-c", "find /var/lib/trailcam-inbox -name '*.part'")),
    "the self-test": lambda device: '"state":"self_test"' in device.say(*_JOURNAL),
    "the first start": lambda device: '"state":"watch"' in device.say(*_JOURNAL),
}


def main() -> int:
    """Rehearse; return the exit code."""
    checks = Checks()
    with roots.scratch_folder() as folder:
        labels = write_jpegs(folder / "frames")
        pictures = [(folder / "frames" / f"{number}.jpg").read_bytes() for number in range(len(labels))]
        rehearse(checks, folder, Laptop(folder / "laptop"), pictures)
    return checks.finish("system test deploy")


def rehearse(checks: Checks, folder: Path, laptop: Laptop, pictures: list[bytes]) -> Path | None:
    """Make a camera of a fresh system and trouble it; return what is on its disk above the fresh root, or None."""
    roots.require("systemd-nspawn", "ip", "nsenter", "ssh")
    root, wheels = roots.cached(recipes.FRESH), roots.cached_wheels(recipes.FRESH)
    disk, log = folder / "disk", folder / "console.log"
    laptop.may_log_in(disk)
    with cable(), MjpegServer(in_turn(walking(pictures), hold_s=0.2), address=(HERE_ADDRESS, PORT)):
        with boot(root, disk, log) as device:
            if not _first_time(checks, device, laptop, root, wheels):
                return None
            _have_no_patience(device)
            _second_time(checks, laptop)
            _other_bundles(checks, device, laptop)
            device.run("sync")
        for name in _MOMENTS:
            _plug_pulled(checks, laptop, root, disk, log, name)
        with boot(root, disk, log) as device:
            device.wait_for_systemd()
            checks.check("it powers off in order", device.power_off())
    return disk / "upper"


def force_commit(device: Device) -> None:
    """Ten healthy minutes in a moment: the updater is told, and everything else stays as it ships."""
    script = (
        "from pathlib import Path; from trailcam_edge.update.install.updater import Updater; "
        "from trailcam_edge.update.settings import UpdateSettings\n"
        f"Updater(UpdateSettings(Path('{_UPDATE}'))).observe(1e6, 1e6)"
    )
    device.run("runuser", "-u", "trailcam", "--", "/opt/trailcam/bin/python3", "-c", script)


def _first_time(checks: Checks, device: Device, laptop: Laptop, root: Path, wheels: Path) -> bool:
    state = device.wait_for_systemd()
    checks.check("a fresh system starts", state == "running", state)
    first = laptop.bundle("1.0.1")
    words = (str(first), *_TO, *BECAUSE, "--source", f"http://{HERE_ADDRESS}:{PORT}/", "--wheels", str(wheels), *SLOWLY)
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
    if not checks.check("one command makes a camera of it", done.returncode == 0, _shown(done.stderr, done.returncode)):
        return False
    checks.figure("that took", f"{seconds:.0f} s; {done.stdout.splitlines()[0]}")
    seen = re.search(r"^Labels: (.*)$", done.stdout, re.MULTILINE)
    known = open_bundle(first).manifest.output.labels
    checks.check("it ends with the live page", "http://127.0.0.1:8080/" in done.stdout)
    checks.check("and with what is seen there", seen is not None and any(x in seen[1] for x in known), seen and seen[1])
    keys = list((laptop.folder / "fleet" / "keys").iterdir())
    closed = all(path.stat().st_mode & 0o077 == 0 for path in keys)
    checks.check("keys were made that only their owner may read", closed and len(keys) == 5, len(keys))
    name = device.say("cat", "/etc/trailcam/device-id")
    checks.check("the camera has its own name", name == "fresh", name)
    user = device.say("stat", "-c", "%U", f"/proc/{device.say('systemctl', 'show', '-P', 'MainPID', 'trailcam')}")
    checks.check("the service does not run as root", user == "trailcam", user)
    listening = device.say("sh", "-c", "ss -Hltn | awk '{print $4}' | sort -u")
    ours = {line for line in listening.split() if not line.endswith(":22")}
    checks.check("nothing listens but SSH, and the page on its own address", ours == {"127.0.0.1:8080"}, ours)
    return True


def _have_no_patience(device: Device) -> None:
    """Animals walk by all the time here: do not wait ten minutes for a visit to end before a bundle is exchanged."""
    line, other = "# switch_wait_s = 600.0", "switch_wait_s = 10.0"
    device.run("sed", "-i", f"s/^{line}/{other}/", "/etc/trailcam/trailcam.toml")
    device.run("systemctl", "restart", "trailcam")


def _second_time(checks: Checks, laptop: Laptop) -> None:
    started_s = time.monotonic()
    done = laptop.run("deploy", str(laptop.folder / "1.0.1.bundle"), *_TO, *BECAUSE, *SLOWLY)
    quiet = done.returncode == 0 and ", 0.00 MB sent" in done.stdout
    checks.check("a second run sends nothing", quiet, _shown(done.stderr, done.returncode))
    checks.figure("that took", f"{time.monotonic() - started_s:.0f} s")


def _other_bundles(checks: Checks, device: Device, laptop: Laptop) -> None:
    force_commit(device)
    second = laptop.bundle("1.0.2")
    done = laptop.run("deploy", str(second), *_TO, *BECAUSE, *SLOWLY)
    arrived = done.returncode == 0 and f"{CHANNEL} 1.0.2" in done.stdout
    checks.check("a second bundle arrives and runs", arrived, _shown(done.stderr, done.returncode))
    size = sum(path.stat().st_size for path in second.iterdir())
    checks.figure("of a bundle of", f"{size / 1e6:.2f} MB: {(done.stdout.splitlines() or ['?'])[0]}")
    force_commit(device)
    bad = laptop.run("deploy", str(laptop.bundle("1.0.3", good=False)), *_TO, *BECAUSE, *SLOWLY)
    refused = bad.returncode == 1 and "golden vectors are not reproduced" in bad.stderr
    checks.check("a bundle with wrong answers is refused", refused, bad.stderr[-200:].strip())
    checks.until("and the one before runs on", lambda: _runs(laptop, f"{CHANNEL} 1.0.2"), 120)
    back = laptop.run("deploy", "rollback", *_TO, "--reason", "a rehearsal")
    checks.check("a roll-back by hand", back.returncode == 0, (back.stdout + back.stderr).strip())
    checks.until("the bundle before the last runs", lambda: _runs(laptop, f"{CHANNEL} 1.0.1"), 120)
    logs = laptop.run("deploy", "logs", *_TO, "--lines", "20")
    checks.check("its journal can be read", logs.returncode == 0 and CHANNEL in logs.stdout, len(logs.stdout))


def _runs(laptop: Laptop, bundle: str) -> bool:
    state = laptop.states(*_TO).get(DEVICE_ADDRESS, {})
    return state.get("well") is True and state.get("bundle") == bundle


def _plug_pulled(checks: Checks, laptop: Laptop, root: Path, disk: Path, log: Path, name: str) -> None:
    """Cut the power in the middle of an update, boot, look, and let the same command finish."""
    version = f"2.0.{list(_MOMENTS).index(name)}"
    words = ("deploy", str(laptop.bundle(version)), *_TO, *BECAUSE, *SLOWLY)
    with boot(root, disk, log) as device:
        device.wait_for_systemd()
        up = ("systemctl", "is-active", "trailcam")
        checks.until(f"{name}: the camera is up", lambda: device.say(*up) == "active", 90)
        force_commit(device)
        with laptop.start(*words) as process:
            reached = checks.until(
                f"{name}: reached", lambda: _MOMENTS[name](device) or process.poll() is not None, 180
            )
            device.cut_power()
            _, errors = process.communicate(timeout=300)
        failed = reached and process.returncode != 0
        checks.check(f"{name}: the plug is pulled, and the laptop says so", failed, _shown(errors, 1))
    with boot(root, disk, log) as device:
        device.wait_for_systemd()
        proof = device.run(*_PROVES)
        said = proof.stdout.strip() or proof.stderr[-200:]
        proven = proof.returncode == 0 and '"culprit": ""' in said
        checks.check(f"{name}: what is active passes its golden vectors", proven, said)
        again = laptop.run(*words)
        finished = again.returncode == 0 and f"{CHANNEL} {version}" in again.stdout
        checks.check(f"{name}: the same command finishes it", finished, _shown(again.stderr, again.returncode))
        force_commit(device)
        device.run("sync")


def _shown(errors: str, status: int) -> str:
    """Return the last thing a command said, where it did not end well."""
    return (errors.strip().splitlines() or ["nothing"])[-1][:300] if status else ""


if __name__ == "__main__":
    try:
        sys.exit(main())
    except roots.CannotRehearseError as error:
        print(f"system test deploy: {error}", file=sys.stderr)
        sys.exit(LACKING)
    except KeyboardInterrupt:
        sys.exit(130)
