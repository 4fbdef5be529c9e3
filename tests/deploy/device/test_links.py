"""Root's scripts on a device whose service's user is an attacker: every name of its folder is exchanged for a link."""

import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from trailcam_core.network.ssh.errors import HostError
from trailcam_deploy.device.activation import roll_back
from trailcam_deploy.device.facts import INBOX, TRUST_FOLDER, UPDATE_FOLDER, Facts, read_facts
from trailcam_deploy.device.provision import DeviceSpec, plan_provision
from trailcam_deploy.device.wheels import Software
from trailcam_deploy.ssh.transfer import Upload, send_files

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may act as another user")
USER = pwd.getpwnam("nobody")
ROOT = b'{"signed": "root of this fleet"}'
SPEC = DeviceSpec(Software("trailcam==0.1.0"), (ROOT,), "oak", "meadow")
CONFIG = '[camera]\nsource = "0"\n\n[update]\nsource = "/var/lib/trailcam/inbox"\nchannel = "meadow"\n'
SLOT = "meadow-1.0.0-0123456789ab"
RESULT = '{"schema": 1, "code": "rolled_back", "message": "done"}'
# Names in the service's folder that some script has known, now or in an earlier version; those of a group at once.
NAMES = (
    ("update", "inbox"),
    ("update/root.json", "update/device-id", "update/journal.json", "update/slots", "inbox/metadata", "inbox/targets"),
    ("update/root.json.part", "update/device-id.new", "update/current", "update/metadata", "update/downloads"),
    (
        f"update/slots/{SLOT}",
        "inbox/metadata/timestamp.json",
        "inbox/metadata/timestamp.json.part",
        "inbox/targets/meadow",
    ),
    (f"update/slots/{SLOT}/model.tflite", "update/made", "update/floor.0.json", "events.db", "pictures"),
)
TARGETS = ("secret/shadow", "secret/folder", "secret/folder/new", "etc/trailcam", "etc/trailcam/trailcam.toml")


class Camera:
    """A scratch folder as the disk of a device; runs scripts on it as root, with ``nobody`` as the service's user."""

    def __init__(self, root: Path) -> None:
        self.root, self.state, self.trust = root, root / "var/lib/trailcam", root / "etc/trailcam"
        for folder in ("etc/trailcam", "var/lib", "var/cache", "opt/trailcam/bin", "secret/folder"):
            (root / folder).mkdir(parents=True)
        (root / "secret").chmod(0o755)
        (root / "secret/shadow").write_text("root's secret")
        (root / "secret/folder/key").write_text("root's key")
        for path in (root / "secret/shadow", root / "secret/folder/key"):
            path.chmod(0o600)
        (self.trust / "trailcam.toml").write_text(self._placed(CONFIG))
        program = root / "opt/trailcam/bin/trailcam"
        program.write_text(f"#!/bin/sh\n[ $1 != update ] || id -u > {self.state}/update/made\necho '{RESULT}'\n")
        program.chmod(0o755)

    def fill_old_layout(self) -> None:
        """Make the files of the service's folder as an earlier version left them."""
        for name in ("update/slots/" + SLOT, "inbox/metadata", "inbox/targets/meadow", "pictures"):
            (self.state / name).mkdir(parents=True)
        (self.state / "update/root.json").write_bytes(ROOT)
        (self.state / "update/device-id").write_text("elm\n")
        (self.state / "update/journal.json").write_text(f'{{"running":"{SLOT}","previous":"builtin"}}')
        (self.state / f"update/slots/{SLOT}/model.tflite").write_text("model")
        (self.state / "inbox/metadata/timestamp.json").write_text("{}")
        for folder, _, files in os.walk(self.state):
            if "inbox" not in Path(folder).parts:
                for name in (".", *files):
                    os.chown(Path(folder) / name, USER.pw_uid, USER.pw_gid)

    def exchange(self, name: str, target: str) -> None:
        """Replace a name of the service's folder by a link, as its user can."""
        path = self.state / name
        if path.exists():
            path.rename(self.state / f"moved-{path.name}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(self.root / target)
        os.lchown(path, USER.pw_uid, USER.pw_gid)

    def roots_files(self) -> dict[str, object]:
        """Return owner, mode and content of all that root had and no script may change or give away."""
        paths = [self.root / "secret", *(self.root / "secret").rglob("*"), self.trust, *self.trust.glob("*.toml")]
        return {str(path): _described(path) for path in paths}

    def run(self, script: str, *words: str, timeout_s: float = 60.0) -> str:
        status, output, errors = self.try_run(script, *words, timeout_s=timeout_s)
        if status != 0:
            raise HostError(errors)
        return output

    def try_run(self, script: str, *words: str, timeout_s: float) -> tuple[int, str, str]:
        command = ["sh", "-euc", self._placed(script), "sh", *map(self._placed, words)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, stdin=subprocess.DEVNULL)
        return done.returncode, done.stdout.replace(str(self.root), ""), done.stderr

    def send(self, script: str, words: Sequence[str], content: Iterable[bytes], moved: Callable[[int], None]) -> None:
        command = ["sh", "-euc", script, "sh", *map(self._placed, words)]
        subprocess.run(command, input=b"".join(content), check=True)

    def _placed(self, text: str) -> str:
        for path in ("/etc/trailcam", "/var/lib", "/var/cache", "/opt/trailcam"):
            text = text.replace(path, f"{self.root}{path}")
        for user in ("--reuid ", "id -u ", "-o "):
            text = text.replace(f"{user}trailcam", f"{user}{USER.pw_name}")
        for group in ("--regid ", "-g ", "chgrp -h "):
            text = text.replace(f"{group}trailcam", f"{group}{USER.pw_gid}")
        return text


def _described(path: Path) -> object:
    found = path.lstat()
    content = path.read_bytes() if stat.S_ISREG(found.st_mode) else tuple(sorted(item.name for item in path.iterdir()))
    keep = content if path.suffix != ".toml" and path.name != "trailcam" else None  # the migration writes these
    return found.st_uid, found.st_gid, found.st_mode, keep


@pytest.fixture
def camera() -> Iterator[Any]:
    folder = Path(tempfile.mkdtemp(prefix="trailcam-links-"))  # not tmp_path: the service's user must reach it
    folder.chmod(0o755)
    yield Camera(folder)
    shutil.rmtree(folder)


def deploy(camera: Any) -> None:
    """Run every script of a deployment; an attacker may make a step fail, but gets nothing by it."""
    release = [Upload(b"{}", f"{INBOX}/targets/meadow/release.json"), Upload(b"{}", f"{INBOX}/metadata/timestamp.json")]
    steps = {
        step.kind: step for step in plan_provision(Facts(machine="aarch64", python=(3, 13)), replace(SPEC, source="0"))
    }
    attempts: list[Callable[[], object]] = [
        lambda: read_facts(camera, ()),
        lambda: camera.run(steps["service"].script, "0", INBOX, "meadow", f"{TRUST_FOLDER}/token"),
        lambda: send_files(camera, steps["trust"].uploads, lambda _: None),
        lambda: camera.run(steps["trust"].script, *steps["trust"].words),
        lambda: send_files(camera, release, lambda _: None),
        lambda: roll_back(camera, "a test"),
        # Nothing is sent there any more; if it were, root would refuse.
        lambda: send_files(camera, [Upload(b"x", f"{UPDATE_FOLDER}/root.json")], lambda _: None),
        lambda: send_files(camera, [Upload(b"x", "/var/lib/trailcam/inbox/metadata/timestamp.json")], lambda _: None),
    ]
    for attempt in attempts:
        try:
            attempt()
        except HostError:
            continue


@pytest.mark.parametrize("target", TARGETS)
def test_no_link_leads_root_to_another_file(camera: Any, target: str) -> None:
    for names in NAMES:
        shutil.rmtree(camera.state, ignore_errors=True)
        camera.fill_old_layout()
        for name in names:
            camera.exchange(name, target)
        before = camera.roots_files()
        deploy(camera)
        assert camera.roots_files().items() >= before.items(), names
        assert not (camera.root / "secret/folder/new").exists(), names
        owners = {path.lstat().st_uid for path in (camera.root / "secret").rglob("*")}
        assert owners == {0}, names


def test_the_check_finds_the_script_of_an_earlier_version(camera: Any) -> None:
    camera.fill_old_layout()
    camera.exchange("update", "secret/folder")
    before = camera.roots_files()
    camera.run(f"install -d -o trailcam -g trailcam -m 755 {UPDATE_FOLDER}")
    assert camera.roots_files() != before


def test_a_file_of_the_service_is_read_with_its_rights(camera: Any) -> None:
    camera.fill_old_layout()
    for name in ("update/root.json", "update/device-id", f"update/slots/{SLOT}/model.tflite"):
        camera.exchange(name, "secret/shadow")
    (camera.root / "secret/shadow").write_text("elm")
    facts = read_facts(camera, ())
    assert (facts.root_sha256, facts.device_id, facts.held) == ("", "", frozenset())


def test_the_service_cannot_answer_for_root(camera: Any) -> None:
    camera.fill_old_layout()
    (camera.state / "update/device-id").write_text("elm\nmachine=evil\n")
    facts = read_facts(camera, ())
    assert facts.machine == os.uname().machine
    assert len(facts.held) == 1


def test_a_link_that_is_exchanged_all_the_time_leads_nowhere(camera: Any) -> None:
    camera.fill_old_layout()
    before = camera.roots_files()
    state = camera.state
    flips = f"while :; do mv -T {state}/update {state}/a; ln -s {camera.root}/secret/folder {state}/update; "
    flips += f"rm {state}/update; mv -T {state}/a {state}/update; done"
    as_user = ["setpriv", "--reuid", str(USER.pw_uid), "--regid", str(USER.pw_gid), "--clear-groups"]
    attacker = subprocess.Popen([*as_user, "sh", "-c", flips], stderr=subprocess.DEVNULL)
    try:
        for _ in range(4):
            deploy(camera)
    finally:
        attacker.kill()
        attacker.wait()
    assert camera.roots_files().items() >= before.items()
    assert [path.name for path in (camera.root / "secret/folder").iterdir()] == ["key"]


def test_root_sends_nothing_below_a_folder_of_another_user(camera: Any) -> None:
    camera.fill_old_layout()
    with pytest.raises(HostError, match=f"user {USER.pw_uid} owns it, expected a folder in which root alone"):
        send_files(camera, [Upload(b"x", f"{UPDATE_FOLDER}/deep/file")], lambda _: None)
    camera.trust.chmod(0o777)
    with pytest.raises(HostError, match="its mode is drwxrwxrwx"):
        send_files(camera, [Upload(b"x", f"{TRUST_FOLDER}/root.json")], lambda _: None)
    assert not (camera.state / "update/deep").exists()


def test_an_earlier_camera_is_migrated_once(camera: Any) -> None:
    camera.fill_old_layout()
    config = camera.trust / "trailcam.toml"
    config.chmod(0o640)
    os.chown(config, 0, USER.pw_gid)
    spec = replace(SPEC, source="0")

    def trust() -> Any:
        facts = read_facts(camera, ())
        found = [
            step
            for step in plan_provision(replace(facts, machine="aarch64", python=(3, 13)), spec)
            if step.kind == "trust"
        ]
        return facts, found

    facts, (step,) = trust()
    assert (facts.old_layout, facts.device_id, step.words) == (True, "elm", ("elm",))
    with pytest.raises(HostError, match="another fleet"):
        plan_provision(replace(facts, python=(3, 13)), replace(spec, roots=(b"another",)))
    for _ in range(2):  # again after an interruption
        send_files(camera, step.uploads, lambda _: None)
        camera.run(step.script, *step.words)
        assert (camera.trust / "root.json").read_bytes() == ROOT
        assert (camera.trust / "device-id").read_text() == "elm\n"
        assert f'source = "{camera.root}{INBOX}"\n' in config.read_text()
        assert len(config.read_text().splitlines()) == len(CONFIG.splitlines())
        assert (config.stat().st_mode & 0o777, config.stat().st_gid) == (0o640, USER.pw_gid)
        kept = {str(path.relative_to(camera.state)) for path in camera.state.iterdir()}
        assert kept == {"update", "pictures"}
        assert {path.name for path in (camera.state / "update").iterdir()} == {"journal.json", "slots"}
    facts, steps = trust()
    assert (facts.old_layout, facts.device_id, steps) == (False, "elm", [])


def test_a_fresh_camera_has_the_stated_modes_with_any_umask(camera: Any) -> None:
    before = os.umask(0)
    try:
        deploy(camera)
    finally:
        os.umask(before)
    for path in (
        *camera.trust.rglob("*"),
        *(camera.root / INBOX[1:]).rglob("*"),
        camera.state,
        camera.state / "update",
    ):
        assert not path.stat().st_mode & 0o022, path
    assert (camera.state.stat().st_mode & 0o777, camera.state.stat().st_uid) == (0o750, USER.pw_uid)
    assert (camera.trust / "token").stat().st_mode & 0o777 == 0o640
    assert (camera.state / "update/made").read_text() == f"{USER.pw_uid}\n"
