"""``trailcam deploy`` on the command line, over a real sshd, to a simulated device with a folder as its disk."""

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from trailcam.main import main
from trailcam_core.bundle.folder import describe_file, open_bundle, write_bundle
from trailcam_core.classifier import BUILTIN_BUNDLE
from trailcam_core.release.update_result import UpdateResult
from trailcam_deploy.device.facts import Facts
from trailcam_deploy.device.provision import DeviceSpec, installed_name
from trailcam_deploy.device.wheels import Software

SOFTWARE = Software("trailcam==0.1.0")
# Stands for "sh" in the sessions of the server: it answers what it is asked; its disk is a folder.
DEVICE = """#!{python}
import hashlib, json, os, subprocess, sys
from pathlib import Path
folder = Path({folder!r})
def place(text):
    for path, name in (("/var/lib/trailcam", "disk"), ("/etc/trailcam", "etc")):
        text = text.replace(path, str(folder / name))
    return text
words = [place(word) for word in sys.argv[1:]]
if words[0] != "-eu":
    os.execv("/bin/sh", ["sh", *words])
script = sys.stdin.read()
answers = json.loads((folder / "answers.json").read_text())
def note(what):
    with open(folder / "asked", "a") as file:
        file.write(what + "\\n")
if "put bits" in script:
    note("facts")
    for name, value in answers["facts"].items():
        print(f"{{name}}={{value}}")
    inbox = folder / "disk-inbox"
    for path in inbox.rglob("*"):
        if path.is_file():
            print(f"inbox={{hashlib.sha256(path.read_bytes()).hexdigest()}} {{path.relative_to(inbox)}}")
elif "device_probe" in script:
    note("look")
    print(json.dumps(answers["sight"]))
elif "device-id.new" in script:
    note("trust")
elif "trailcam update" in script:
    note("update " + " ".join(words[4:]))
    found = (folder / "disk-inbox" / answers["needs"]).exists()
    print(answers["update" if found else "not_fetched"])
elif "systemctl" in script:
    note("systemctl " + script.split("systemctl ")[-1].split()[0])
elif "--unit=trailcam" in script:
    print("a line of its journal")
else:
    sys.exit(subprocess.run(["/bin/sh", *words], input=place(script), text=True).returncode)
"""
FACTS = {
    "bits": 64,
    "machine": "aarch64",
    "hostname": "oak",
    "system": "Debian GNU/Linux 13",
    "systemd": "yes",
    "apt": "yes",
    "python": "3.13",
    "numpy": "",
    "opt_free_mb": 9000,
    "var_free_mb": 9000,
    "installed": installed_name(Facts(python=(3, 13)), DeviceSpec(SOFTWARE, (), "", "")),
    "enabled": "enabled",
    "active": "active",
    "config": "yes",
    "source": "0",
    "root": "",
    "device_id": "oak",
}
SIGHT = {
    "active": "active",
    "update": {"state": "watch", "bundle": "animals10 1.0.0", "refused": {}},
    "live": {
        "address": "127.0.0.1:8080",
        "token": None,
        "seen": {"cat": 0.98},
        "status": {"bundle": "animals10 1.0.0", "alive": True},
    },
    "log": "",
}


@pytest.fixture
def device(sshd, program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """A complete camera; call it to change its answers. Returns the folder of what it was asked and has."""
    monkeypatch.setattr("trailcam_deploy.ssh.connection._LOCK", str(tmp_path / "lock"))
    monkeypatch.setattr("trailcam_deploy.device.wheels.this_software", lambda version, cache: SOFTWARE)
    folder = tmp_path / "device"
    (folder / "disk-inbox").mkdir(parents=True)
    program("sudo", '[ "$1" = -n ] && shift; exec "$@"')
    program("sh", "")
    (sshd.folder / "bin" / "sh").write_text(DEVICE.format(python=sys.executable, folder=str(folder)))

    def answer(facts: dict[str, object] | None = None, **more: object) -> Path:
        up_to_date = UpdateResult("up_to_date", "animals10 1.0.0: is up to date").to_json()
        missing = UpdateResult("not_fetched", "animals10 1.0.0: a file is missing").to_json()
        update = {"update": up_to_date, "not_fetched": missing, "needs": ""}
        answers = {"facts": FACTS | (facts or {}), "sight": SIGHT} | update | more
        (folder / "answers.json").write_text(json.dumps(answers))
        return folder

    answer()
    return answer


@pytest.fixture
def deploy(sshd, device, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run the command and return exit code, stdout and stderr."""

    def run(*words: str) -> tuple[int, str, str]:
        more = ["--ssh-config", str(sshd.folder / "config"), "--fleet", str(tmp_path / "fleet")]
        status = main(["deploy", *words, *more])
        shown = capsys.readouterr()
        return status, shown.out, shown.err

    return run


BUNDLE = (str(BUILTIN_BUNDLE), "--i-know", "a test")


def test_one_command_brings_a_release_and_ends_with_page_and_labels(sshd, deploy, device, tmp_path: Path) -> None:
    folder = device()
    status, output, errors = deploy(*BUNDLE, "--to", sshd.destination)
    assert status == 0, errors
    assert "http://127.0.0.1:8080/" in output
    assert "Labels: cat 98%" in output
    assert "made a release repository and its keys" in errors
    assert (folder / "disk-inbox" / "metadata" / "timestamp.json").is_file()
    assert "update --channel animals10\n" in (folder / "asked").read_text()
    assert not list(folder.rglob("*.part"))
    (folder / "asked").write_text("")
    status, output, errors = deploy(*BUNDLE, "--to", sshd.destination)
    assert status == 0
    assert ", 0.00 MB sent" in output
    assert "release:" not in errors
    assert "made a release repository" not in errors


def test_a_device_whose_ring_wants_an_older_release_gets_to_choose(sshd, deploy, device, tmp_path: Path) -> None:
    folder = device()
    assert deploy(*BUNDLE, "--to", sshd.destination)[0] == 0
    inbox, release = folder / "disk-inbox", tmp_path / "fleet" / "release"
    (older,) = release.rglob("*.model.tflite")
    needs = str(older.relative_to(release))
    shutil.rmtree(inbox)
    builtin = open_bundle(BUILTIN_BUNDLE)
    golden = (BUILTIN_BUNDLE / builtin.manifest.golden.file).read_bytes()
    model = tmp_path / "model.tflite"
    model.write_bytes(builtin.model_path.read_bytes() + b"another file")
    entry = replace(builtin.manifest.model, **vars(describe_file(model, builtin.manifest.model.file)))
    manifest = replace(builtin.manifest, version="9.0.0", model=entry)
    newer = write_bundle(tmp_path / "newer.bundle", manifest, model, golden)
    device(needs=needs)
    status, _, errors = deploy(str(newer.path), *BUNDLE[1:], "--to", sshd.destination)
    assert status == 0, errors
    assert (folder / "asked").read_text().count("update --channel animals10\n") == 3
    assert (inbox / needs).exists()
    device(needs="never/there")
    status, _, errors = deploy(str(newer.path), *BUNDLE[1:], "--to", sshd.destination)
    assert status == 1
    assert "animals10 1.0.0: a file is missing" in errors


def test_a_dry_run_changes_nothing_on_either_side(sshd, deploy, device, tmp_path: Path) -> None:
    folder = device()
    status, output, _ = deploy(*BUNDLE, "--to", sshd.destination, "--dry-run")
    assert status == 0
    assert "release: " in output
    assert (folder / "asked").read_text() == "facts\n"
    assert not (tmp_path / "fleet").exists()
    assert list((folder / "disk-inbox").iterdir()) == []


def test_verbose_and_quiet_choose_what_is_logged(sshd, deploy, device) -> None:
    device()
    assert "localhost: Debian GNU/Linux 13, aarch64, Python 3.13" in deploy(*BUNDLE, "--to", sshd.destination, "-v")[2]
    status, output, errors = deploy(*BUNDLE, "--to", sshd.destination, "-q")
    assert status == 0
    assert "Labels: cat 98%" in output
    assert errors == ""


def test_a_refused_release_is_a_failure_with_the_devices_own_words(sshd, deploy, device) -> None:
    device(update=UpdateResult("trial_failed", "the golden vectors give other answers here").to_json())
    status, _, errors = deploy(*BUNDLE, "--to", sshd.destination)
    assert status == 1
    assert "failed: the golden vectors give other answers here" in errors


def test_a_device_that_does_not_become_healthy_is_a_failure_with_its_journal(sshd, deploy, device) -> None:
    device(sight=SIGHT | {"live": SIGHT["live"] | {"status": {"bundle": "", "alive": False}}, "log": "no camera"})
    status, _, errors = deploy(*BUNDLE, "--to", sshd.destination, "--wait", "0")
    assert status == 1
    assert "not healthy after 0 s" in errors
    assert "no camera" in errors


def test_a_fleet_goes_on_past_the_dead_and_the_wrong(sshd, deploy, device, tmp_path: Path) -> None:
    inventory = tmp_path / "fleet.toml"
    inventory.write_text(f'[hosts.oak]\nssh = "{sshd.destination}"\n[hosts.elm]\nssh = "nobody@localhost"\n')
    status, output, errors = deploy(*BUNDLE, "--inventory", str(inventory), "--max-failures", "5")
    assert status == 1
    assert "2 devices: 1 done, 1 failed" in output
    assert "elm: failed: it refuses the login" in errors
    state = json.loads((tmp_path / "fleet" / "state.json").read_text())
    assert (state["oak"]["kind"], state["elm"]["kind"]) == ("done", "failed")
    status, output, errors = deploy("--channel", "animals10", "--inventory", str(inventory), "--pending")
    assert "oak" not in errors
    assert status == 1


def test_a_dead_device_is_reported_before_anything_is_signed(sshd, deploy, tmp_path: Path) -> None:
    sshd.process.terminate()
    sshd.process.wait()
    status, _, errors = deploy(*BUNDLE, "--to", sshd.destination)
    assert status == 1
    assert f"no answer from {sshd.destination}. Nothing was signed." in errors
    assert not (tmp_path / "fleet" / "release").exists()


def test_a_device_that_dies_later_is_offline(sshd, deploy) -> None:
    assert deploy(*BUNDLE, "--to", sshd.destination)[0] == 0
    sshd.process.terminate()
    sshd.process.wait()
    status, _, errors = deploy("--channel", "animals10", "--to", sshd.destination)
    assert status == 1
    assert "localhost: offline: no answer" in errors
    status, output, _ = deploy("status", "--to", sshd.destination)
    assert status == 3
    assert "last deployment" in output


def test_status_and_logs_say_what_the_device_says(sshd, deploy) -> None:
    status, output, _ = deploy("status", "--to", sshd.destination, "--json")
    assert status == 0
    row = json.loads(output)
    assert (row["well"], row["bundle"], row["token"]) == (True, "animals10 1.0.0", None)
    status, output, _ = deploy("logs", "--to", sshd.destination)
    assert status == 0
    assert output == "localhost: a line of its journal\n"


def test_a_roll_back_says_what_runs_then(sshd, deploy, device) -> None:
    device(update=UpdateResult("rolled_back", "animals10 1.0.0 runs now", "animals10-1.0.0-0123456789ab").to_json())
    status, output, _ = deploy("rollback", "--to", sshd.destination, "--reason", "sees owls")
    assert status == 0
    assert "animals10 1.0.0 runs now" in output


@pytest.mark.parametrize(
    "words",
    [
        ["x.bundle"],
        ["x.bundle", "--to", "pi@a", "--inventory", "f"],
        ["x.bundle", "--to", "pi@a", "--group", "g"],
        ["--to", "pi@a"],
        ["x.bundle", "--to", "pi@a", "--parallel", "0"],
    ],
)
def test_a_command_without_sense_is_a_usage_error(words: list[str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["deploy", *words, "--fleet", str(tmp_path / "fleet")])
    assert stopped.value.code == 2
