"""``trailcam release`` and ``trailcam update``: from an operator's laptop over a stick to a camera."""

import io
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from trailcam.main import main
from trailcam_core.bundle.folder import open_bundle, write_bundle
from trailcam_core.classifier import BUILTIN_BUNDLE
from trailcam_core.release.rollout import place_in_queue
from trailcam_edge.update.fetch.device_id import write_device_id

BUILTIN_VERSION = open_bundle(BUILTIN_BUNDLE).manifest.version


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """The built-in model as another bundle."""
    builtin = open_bundle(BUILTIN_BUNDLE)
    manifest = replace(builtin.manifest, name="meadow", version="2.0.0")
    golden = (BUILTIN_BUNDLE / "golden.npz").read_bytes()
    return write_bundle(tmp_path / "meadow.bundle", manifest, builtin.model_path, golden).path


def test_a_release_travels_on_a_stick_proves_itself_and_can_be_undone(
    tmp_path: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "passphrase").write_text("correct horse battery staple\n")
    (tmp_path / "passphrase").chmod(0o600)
    assert main(["release", "init", "--passphrase-file", "passphrase"]) == 0
    assert main(["release", "add", str(bundle)]) == 1
    assert "drift.json: missing" in capsys.readouterr().err
    assert main(["release", "add", str(bundle), "--i-know", "the built-in model, measured before"]) == 0
    camera = tmp_path / "camera"
    camera.mkdir()
    shutil.copy(tmp_path / "release" / "metadata" / "1.root.json", camera / "root.json")
    update = ["update", "release", "--channel", "meadow", "--folder", str(camera), "--max-latency-ms", "60000"]
    assert main(update) == 0
    assert "passed its self-test and is active" in capsys.readouterr().out
    assert open_bundle(camera / "current").manifest.name == "meadow"
    assert main(update) == 0
    assert "is up to date" in capsys.readouterr().out
    assert main(["update", "--folder", str(camera), "--roll-back", "by hand"]) == 0
    assert json.loads(capsys.readouterr().out)["running"] == "builtin"
    assert main(update) == 1
    assert "was rolled back on this device: by hand" in capsys.readouterr().err
    assert json.loads(status(camera, capsys))["bundle"] == f"animals10 {BUILTIN_VERSION}"


def status(camera: Path, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["update", "--folder", str(camera), "--status"]) == 0
    return capsys.readouterr().out


def test_a_configuration_that_names_source_and_channel_needs_no_more_words(
    tmp_path: Path, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    passphrase = tmp_path / "passphrase"
    passphrase.write_text("correct horse battery staple\n")
    passphrase.chmod(0o600)
    place = ["--repository", str(tmp_path / "release"), "--keys", str(tmp_path / "keys")]
    assert main(["release", "init", *place, "--passphrase-file", str(passphrase)]) == 0
    assert main(["release", "add", str(bundle), *place, "--i-know", "measured before"]) == 0
    camera = tmp_path / "camera"
    camera.mkdir()
    shutil.copy(tmp_path / "release" / "metadata" / "1.root.json", camera / "root.json")
    config = tmp_path / "trailcam.toml"
    config.write_text(
        f'[update]\nfolder = "camera"\nsource = "{tmp_path}/release"\nchannel = "meadow"\nmax_latency_ms = 60000\n'
    )
    assert main(["update", "--config", str(config)]) == 0
    assert "passed its self-test and is active" in capsys.readouterr().out
    found = json.loads(status(camera, capsys))
    assert (found["state"], found["bundle"]) == ("watch", "meadow 2.0.0")
    assert main(["update", "--config", str(config), "--channel", "owls"]) == 1
    assert "owls/release.json: the repository does not have it" in capsys.readouterr().err


def test_without_a_source_anywhere_it_is_a_usage_error(tmp_path: Path) -> None:
    config = tmp_path / "trailcam.toml"
    config.write_text('[update]\nfolder = "camera"\n')
    with pytest.raises(SystemExit) as stopped:
        main(["update", "--config", str(config)])
    assert stopped.value.code == 2


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a folder away")
def test_root_works_as_the_owner_of_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    became: list[tuple[str, object]] = []
    for name in ("setgroups", "setgid", "setuid"):
        monkeypatch.setattr(os, name, lambda value, name=name: became.append((name, value)))
    os.chown(tmp_path, 12_345, 23_456)
    assert main(["update", "--folder", str(tmp_path / "update"), "--status"]) == 0
    assert became == [("setgroups", []), ("setgid", 23_456), ("setuid", 12_345)]


def test_a_camera_outside_of_the_ring_says_so_and_ends_well(
    tmp_path: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("old", "new"):
        (tmp_path / name).write_text(f"correct horse battery {name}\n")
        (tmp_path / name).chmod(0o600)
    add = ["release", "add", str(bundle), "--i-know", "the built-in model", "--percent", "10"]
    assert main(["release", "init", "--passphrase-file", "old"]) == 0
    assert main([*add, "--dry-run"]) == 0
    assert f"with the built-in bundle {BUILTIN_VERSION}: fetches 0 bytes, 0.0% of the whole" in capsys.readouterr().out
    assert main(["release", "status"]) == 0
    assert "meadow" not in capsys.readouterr().out
    assert main(add) == 0
    assert "meadow 2.0.0: for 10 % of the cameras" in capsys.readouterr().out
    camera = tmp_path / "camera"
    camera.mkdir()
    outside = next(name for name in map(str, range(99)) if place_in_queue(name, "meadow", "2.0.0") >= 10)
    write_device_id(camera, outside)
    shutil.copy(tmp_path / "release" / "metadata" / "1.root.json", camera / "root.json")
    update = ["update", "release", "--channel", "meadow", "--folder", str(camera)]
    assert main(update) == 0
    assert capsys.readouterr().out == "meadow 2.0.0: is for 10 % of the cameras, not for this one yet.\n"
    assert not (camera / "current").exists() or open_bundle(camera / "current").manifest.name != "meadow"
    words = ["--passphrase-file", "old", "--new-passphrase-file", "new"]
    assert main(["release", "rotate-keys", "root", *words]) == 0
    assert main(["release", "stop", "meadow"]) == 0
    assert "meadow 2.0.0: stopped, cameras that have it keep it" in capsys.readouterr().out
    assert main(["release", "widen", "meadow", "50"]) == 1
    assert main(update) == 0
    assert main(["release", "status", "--json"]) == 0
    status = json.loads(capsys.readouterr().out.partition("\n")[2])
    assert status["releases"][0]["stopped"] is True
    assert set(status["expires"]) == {"root", "targets", "snapshot", "timestamp"}


def test_a_passphrase_that_others_can_read_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "passphrase"
    file.write_text("correct horse battery staple")
    file.chmod(0o644)
    words = ["--repository", str(tmp_path / "r"), "--keys", str(tmp_path / "k"), "--passphrase-file", str(file)]
    assert main(["release", "init", *words]) == 1
    assert "chmod 600" in capsys.readouterr().err


def test_without_a_terminal_a_passphrase_comes_from_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    repository, keys = tmp_path / "release", tmp_path / "keys"
    assert main(["release", "init", "--repository", str(repository), "--keys", str(keys)]) == 1
    assert "Write it to a file of mode 600 and name that with --passphrase-file." in capsys.readouterr().err
    assert not repository.exists()


def test_without_a_root_a_camera_trusts_nobody(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["update", str(tmp_path), "--channel", "meadow", "--folder", str(tmp_path / "camera")]) == 1
    assert "root.json: cannot be read" in capsys.readouterr().err


def test_a_damaged_root_is_not_the_fault_of_the_repository(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "release").mkdir()
    for content in (b"", b"{}", b"\xff", b"[" * 100_000):
        (tmp_path / "root.json").write_bytes(content)
        assert main(["update", str(tmp_path / "release"), "--channel", "meadow", "--folder", str(tmp_path)]) == 1
        message = capsys.readouterr().err
        assert "The root.json that this camera trusts cannot be used (it holds no metadata). Copy the newest" in message
        assert "verification failed" not in message


@pytest.mark.parametrize("source", ["http://example.org/release", "ftp://example.org"])
def test_an_address_without_tls_is_refused(source: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "root.json").write_bytes(b"{}")
    assert main(["update", source, "--channel", "meadow", "--folder", str(tmp_path)]) == 1
    assert "begins with https://" in capsys.readouterr().err


def test_a_camera_needs_no_cryptography_package_to_verify() -> None:
    program = (
        "import sys\n"
        "sys.modules['cryptography'] = None\n"
        "from securesystemslib.signer import SSlibKey, Signature\n"
        "import trailcam_edge.update.fetch.fetch_release\n"
        # RFC 8032, section 7.1, test 1
        "key = SSlibKey('id', 'ed25519', 'ed25519', {'public': "
        "'d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a'})\n"
        "signed = ('e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b'\n"
        "          'd25bf5f0595bbe24655141438e7a100b')\n"
        "key.verify_signature(Signature('id', signed), b'')\n"
        "try:\n"
        "    key.verify_signature(Signature('id', signed), b'x')\n"
        "except Exception as error:\n"
        "    print(type(error).__name__)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "UnverifiedSignatureError"
