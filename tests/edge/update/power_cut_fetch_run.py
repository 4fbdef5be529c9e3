"""Cut the power of a camera at every write of its updates from a release repository, download and metadata included.

Run like ``power_cut_run.py``, whose bundles and ways of dying it uses; ``python power_cut_fetch_run.py FOLDER
[POINTS]`` prints one JSON object. Added are the steps before an installation: python-tuf's metadata, the floor, the
device id, files that are fetched, copied, or made with a delta.
"""

import hashlib
import shutil
from datetime import UTC, datetime
from pathlib import Path

from device_under_test import LATEST, RULE, device, make_bundles, replay
from dying import Say
from power_cut_run import Life, main

from trailcam_core.bundle.folder import open_bundle
from trailcam_core.errors import UpdateError
from trailcam_deploy.release.drift_verdict import Approval
from trailcam_deploy.release.keys import KeyFolder
from trailcam_deploy.release.repository import ReleaseRepository
from trailcam_edge.update.fetch.device_id import DEVICE_ID_FILE, read_device_id
from trailcam_edge.update.fetch.fetch_release import fetch_release
from trailcam_edge.update.install.journal import BUILTIN, read_journal

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
PASSPHRASE = "correct horse battery staple"
COMMON = hashlib.shake_256(b"what all models share").digest(200_000)
# What the camera runs after each state of the repository, and how it came by it.
ORDER = ("1.0.0", "2.0.0", "4.0.0", "5.0.0", "6.0.0", "5.0.0")


def make_hosts(base: Path, bundles: Path) -> list[Path]:
    """Return the repository as it was at each moment; the last one is after ``ORDER``."""
    repository = ReleaseRepository(base / "release", KeyFolder(base / "keys"), NOW, bundles / "1.0.0")
    repository.init(PASSPHRASE)
    hosts = []

    def publish(version: str | None) -> Path:
        if version is not None:
            repository.add(open_bundle(bundles / version), "tiny", Approval("pass"))
        hosts.append(Path(shutil.copytree(repository.folder, base / f"host-{len(hosts)}")))
        return hosts[-1]

    publish("2.0.0")  # a delta of the built-in bundle
    for delta in (publish("4.0.0") / "targets" / "tiny" / "deltas").iterdir():
        delta.unlink()  # so the whole file
    repository.rotate_keys(PASSPHRASE, ("root", "targets", "snapshot", "timestamp"), PASSPHRASE)
    publish("5.0.0")  # new roots, and a delta of what runs
    for delta in (publish("6.0.0") / "targets" / "tiny" / "deltas").iterdir():
        delta.write_bytes(delta.read_bytes()[::-1])  # a delta that is refused, then the whole file
    repository.expire("tiny", "6.0.0")
    publish(None)  # back to a bundle that is still here
    publish(LATEST)
    return hosts


def bring(folder: Path, bundles: Path, host: Path, root: bytes) -> str:
    """Do what ``trailcam update`` does; return the version that the repository wants here."""
    updater = device(folder, bundles)
    updater.resume()
    choice, path = fetch_release(str(host), folder, root, "tiny", lambda: NOW, builtin=bundles / "1.0.0")
    assert path is not None
    if not updater.installed(path):
        updater.install(path)
    return str(choice.version)


def work(folder: Path, bundles: Path, hosts: list[Path], root: bytes, say: Say) -> None:
    """What a camera lives through: five updates."""
    updater = device(folder, bundles)
    updater.start()
    say("running 1.0.0")
    for host in hosts[:-1]:
        version = bring(folder, bundles, host, root)
        updater.start()
        updater.observe(RULE.healthy_s, RULE.healthy_s)
        say(f"running {version}")


def inspect(folder: Path, bundles: Path, hosts: list[Path], root: bytes, said: list[str]) -> str:
    """Assert what must hold after a cut, and that updates go on; return the version that the camera started with."""
    updater = device(folder, bundles)
    started = updater.start()
    assert replay(started) is None
    version = open_bundle(started).manifest.version
    assert (folder / "current").resolve() == started.resolve()
    journal = read_journal(folder / "journal.json")
    running = (
        "1.0.0" if journal.running == BUILTIN else open_bundle(folder / "slots" / journal.running).manifest.version
    )
    assert running in ORDER[max(len(said) - 1, 0) : len(said) + 1], (running, said)
    if journal.candidate is not None:
        updater.resume()
        updater.observe(RULE.healthy_s, RULE.healthy_s)
    name = (folder / DEVICE_ID_FILE).read_bytes() if len(said) > 1 else None
    if len(said) > 2:
        try:  # what was seen stays seen, whatever became of python-tuf's files
            fetch_release(str(hosts[0]), folder, root, "tiny", lambda: NOW, builtin=bundles / "1.0.0")
        except UpdateError:
            pass
        else:
            raise AssertionError("an old repository was taken")
    assert bring(folder, bundles, hosts[-1], root) == LATEST
    assert replay(updater.start()) is None
    assert updater.observe(RULE.healthy_s, RULE.healthy_s).running.startswith(f"tiny-{LATEST}")
    assert len(list((folder / "slots").iterdir())) <= 3
    assert name is None or (folder / DEVICE_ID_FILE).read_bytes() == name
    assert read_device_id(folder) is not None
    return version


def recover(folder: Path, bundles: Path, hosts: list[Path], root: bytes) -> None:
    """Start the camera again, let it watch what is being tried, and bring the newest release."""
    updater = device(folder, bundles)
    updater.start()
    updater.resume()
    updater.observe(RULE.healthy_s, RULE.healthy_s)
    bring(folder, bundles, hosts[-1], root)


def prepare(base: Path) -> Life:
    """Make the bundles and repositories of a life of updates."""
    bundles, folder = base / "bundles", base / "device"
    make_bundles(bundles, lambda version: COMMON + version.encode() * 10)
    hosts = make_hosts(base, bundles)
    root = (hosts[0] / "metadata" / "1.root.json").read_bytes()
    return Life(
        folder,
        ORDER,
        lambda say: work(folder, bundles, hosts, root, say),
        lambda: recover(folder, bundles, hosts, root),
        60,
        lambda said: inspect(folder, bundles, hosts, root, said),
    )


if __name__ == "__main__":
    main(prepare)
