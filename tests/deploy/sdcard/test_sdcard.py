"""Cards for both systems: what is written, that the systems can read it, and that no password is on them."""

import json
import shutil
import subprocess
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from trailcam.main import main
from trailcam_core.classifier import BUILTIN_BUNDLE
from trailcam_core.errors import DeployError
from trailcam_deploy.device.wheels import Software
from trailcam_deploy.sdcard.card import CardSettings, Wifi, check_settings, read_system
from trailcam_deploy.sdcard.cloud_init import meta_data, network_config, user_data
from trailcam_deploy.sdcard.custom_toml import HOOK, custom_toml, hooked_cmdline
from trailcam_deploy.sdcard.first_boot import fresh_facts

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ7 me@laptop"
CAMERA = "rtsp://admin:SECRET@cam/live"
PASSWORD = "correct horse"
CMDLINE_12 = "console=tty1 root=PARTUUID=1-02 rootwait quiet init=/usr/lib/raspberrypi-sys-mods/firstboot\n"
CMDLINE_13 = "console=tty1 root=PARTUUID=1-02 rootwait resize\n"
AWKWARD = 'a "b" \\ c: #d'


@pytest.fixture
def settings() -> CardSettings:
    return CardSettings("oak", "pi", (KEY,), Wifi.of("forest", PASSWORD, "DE"))


@pytest.fixture(params=["12", "13"])
def mount(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The boot partition as the image brings it."""
    folder = tmp_path / "bootfs"
    folder.mkdir()
    (folder / "config.txt").write_text("camera_auto_detect=1\n")
    (folder / "cmdline.txt").write_text(CMDLINE_12 if request.param == "12" else CMDLINE_13)
    if request.param == "13":
        for name in ("user-data", "meta-data", "network-config"):
            (folder / name).write_text("# template\n")
    return folder


def test_the_key_of_a_network_is_that_of_the_standard() -> None:
    # IEEE 802.11i-2004, annex H.4.3, test case 1
    expected = "f42c6fc52df0ebef9ebb4b90b38a5f902e83fe1b135a70e23aed762e9710a12e"
    assert Wifi.of("IEEE", "password", "US").psk == expected


@pytest.mark.parametrize(
    ("ssid", "password", "country", "words"),
    [
        ("", PASSWORD, "DE", "1 to 32 bytes"),
        ("ü" * 17, PASSWORD, "DE", "1 to 32 bytes"),
        ("a\nb", PASSWORD, "DE", "1 to 32 bytes"),
        ("forest", "short", "DE", "has 5 characters"),
        ("forest", "pässword", "DE", "of ASCII"),
        ("forest", PASSWORD, "", "two letters"),
    ],
)
def test_a_network_that_is_none_is_refused_without_telling_its_password(
    ssid: str, password: str, country: str, words: str
) -> None:
    with pytest.raises(DeployError) as raised:
        Wifi.of(ssid, password, country)
    assert words in str(raised.value)
    assert password not in str(raised.value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"hostname": "Oak"}, "--hostname"),
        ({"hostname": "-oak"}, "--hostname"),
        ({"user": "root"}, "are taken"),
        ({"user": "trailcam"}, "are taken"),
        ({"user": "a b"}, "--user"),
        ({"authorized_keys": ()}, "no login would be possible"),
        ({"authorized_keys": ("-----BEGIN OPENSSH PRIVATE KEY-----",)}, "is no public key"),
    ],
)
def test_settings_that_would_fail_in_the_forest_fail_here(
    settings: CardSettings, changes: dict[str, object], words: str
) -> None:
    check_settings(settings)
    with pytest.raises(DeployError, match=words):
        check_settings(replace(settings, **changes))


def test_cloud_init_gets_what_it_reads(settings: CardSettings) -> None:
    text = user_data(settings)
    assert text.startswith("#cloud-config\n")  # without it cloud-init ignores the file
    user = json.loads(text.partition("\n")[2])
    assert user["hostname"] == "oak"
    assert user["users"][0]["ssh_authorized_keys"] == [KEY]
    assert user["users"][0]["lock_passwd"] is True
    assert user["ssh_pwauth"] is False
    assert user["runcmd"][-1] == ["sh", "/boot/firmware/trailcam/hook.sh"]
    network = json.loads(network_config(settings))["network"]
    assert network["wifis"]["wlan0"]["access-points"]["forest"]["password"] == settings.wifi.psk
    assert network["wifis"]["wlan0"]["regulatory-domain"] == "DE"
    assert "wifis" not in json.loads(network_config(replace(settings, wifi=None)))["network"]
    first = json.loads(meta_data(settings))["instance-id"]
    assert first != json.loads(meta_data(replace(settings, user="anna")))["instance-id"]


def test_what_is_written_is_yaml_with_the_same_content(settings: CardSettings) -> None:
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    odd = replace(settings, wifi=Wifi.of(AWKWARD, PASSWORD, "DE", hidden=True), authorized_keys=(f"{KEY} {AWKWARD}",))
    for text in (user_data(odd), meta_data(odd), network_config(odd)):
        assert yaml.safe_load(text) == json.loads(text.removeprefix("#cloud-config\n"))


def test_custom_toml_has_what_init_config_reads_and_nothing_else(settings: CardSettings) -> None:
    table = tomllib.loads(custom_toml(replace(settings, wifi=Wifi.of(AWKWARD, PASSWORD, "DE", hidden=True))))
    assert table == {
        "config_version": 1,
        "system": {"hostname": "oak"},
        "user": {"name": "pi"},
        "ssh": {"enabled": True, "password_authentication": False, "authorized_keys": [KEY]},
        "wlan": {
            "ssid": AWKWARD,
            "password": Wifi.of(AWKWARD, PASSWORD, "DE").psk,
            "password_encrypted": True,
            "hidden": True,
            "country": "DE",
        },
    }


def test_the_hook_is_one_line_and_comes_once() -> None:
    hooked = hooked_cmdline(CMDLINE_12)
    assert hooked == f"{CMDLINE_12.strip()} {HOOK}\n"
    assert hooked_cmdline(hooked) == hooked


def test_a_folder_that_is_no_card_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DeployError, match="no boot partition"):
        read_system(tmp_path)


def test_a_card_of_12_that_was_started_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.txt").touch()
    (tmp_path / "cmdline.txt").write_text(CMDLINE_13)
    with pytest.raises(DeployError, match="started already"):
        read_system(tmp_path)


@pytest.fixture
def written(mount: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A card written by the command, with wheels, a Wi-Fi network and the built-in bundle."""
    monkeypatch.setattr("trailcam_deploy.device.wheels.this_software", lambda *_: Software("trailcam==0.1.0"))
    (tmp_path / "key.pub").write_text(f"{KEY}\n")
    (tmp_path / "wifi").write_text(f"{PASSWORD}\n")
    (tmp_path / "wifi").chmod(0o600)
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    for tag in ("cp313-cp313-manylinux_2_28_aarch64", "cp311-cp311-manylinux_2_28_aarch64"):
        (wheels / f"numpy-2.4.0-{tag}.whl").write_bytes(b"wheel")
    words = ["deploy", "sdcard", str(mount), "--hostname", "oak", "--authorized-key", str(tmp_path / "key.pub")]
    words += ["--wifi", "forest", "--wifi-country", "DE", "--wifi-password-file", str(tmp_path / "wifi")]
    words += ["--bundle", str(BUILTIN_BUNDLE), "--i-know", "a test", "--wheels", str(wheels)]
    (tmp_path / "camera").write_text(f"{CAMERA}\n")
    (tmp_path / "camera").chmod(0o600)
    words += ["--source-file", str(tmp_path / "camera")]
    for _ in range(2):  # a second time is no harm
        assert main([*words, "--fleet", str(tmp_path / "fleet")]) == 0, capsys.readouterr().err
    return mount


def test_a_written_card_has_everything_and_no_password(written: Path) -> None:
    script = (written / "trailcam" / "first-boot.sh").read_text()
    subprocess.run(["sh", "-n", str(written / "trailcam" / "first-boot.sh")], check=True)
    subprocess.run(["sh", "-n", str(written / "trailcam" / "hook.sh")], check=True)
    numbers = {path.name for path in (written / "trailcam" / "files").iterdir()}
    brought = {line.split()[1] for line in script.splitlines() if line.startswith("bring ")}
    assert brought == numbers
    for place in ("/etc/trailcam/root.json", "metadata/timestamp.json", "/var/cache/trailcam-wheels/numpy"):
        assert place in script
    for path in written.rglob("*"):
        if path.is_file() and "files" not in path.parts:
            assert PASSWORD not in path.read_text(), path
            assert "SECRET" not in path.read_text(), path
    addresses = [path for path in (written / "trailcam" / "files").iterdir() if b"SECRET" in path.read_bytes()]
    assert [path.read_text() for path in addresses] == [f"{CAMERA}\n"]
    assert f"bring {addresses[0].name} 600 /etc/trailcam/source" in script


def test_a_written_card_starts_by_the_way_of_its_system(written: Path) -> None:
    if (written / "custom.toml").exists():
        cmdline = (written / "cmdline.txt").read_text()
        assert cmdline.count("\n") == 1
        assert "firstboot systemd.run=/boot/firmware/trailcam/hook.sh" in cmdline
        assert "numpy-2.4.0-cp311" in (written / "trailcam" / "first-boot.sh").read_text()
    else:
        assert (written / "cmdline.txt").read_text() == CMDLINE_13
        assert json.loads((written / "user-data").read_text().partition("\n")[2])["hostname"] == "oak"
        assert "numpy-2.4.0-cp313" in (written / "trailcam" / "first-boot.sh").read_text()


def test_the_steps_of_a_card_bring_their_files_and_take_themselves_away(written: Path, tmp_path: Path) -> None:
    """Run the script with its steps replaced by nothing: what is brought, and that the card is swept, is real."""
    card, root = tmp_path / "boot", tmp_path / "root"
    shutil.copytree(written / "trailcam", card)
    script = (card / "first-boot.sh").read_text()
    script = script.replace("/boot/firmware/trailcam", str(card))
    for place in ("/etc/trailcam", "/var/lib/trailcam", "/var/cache/trailcam-wheels"):
        script = script.replace(place, f"{root}{place}")
    lines = [line for line in script.splitlines() if not line.startswith(("(step", "systemctl"))]
    (card / "first-boot.sh").write_text("\n".join(lines))
    done = subprocess.run(["sh", str(card / "first-boot.sh")], capture_output=True, text=True, check=True)
    assert "--- done" in done.stdout
    assert (root / "etc/trailcam/root.json").read_bytes().startswith(b"{")
    assert (root / "var/lib/trailcam-inbox/metadata/timestamp.json").is_file()
    assert not card.exists()


@pytest.mark.parametrize(("source", "numpy"), [("picamera2", (1, 24)), ("picamera2:1", (1, 24)), ("0", ())])
def test_apts_numpy_is_there_with_picamera2_alone(source: str, numpy: tuple[int, ...]) -> None:
    assert fresh_facts("custom.toml", source).numpy == numpy


def test_a_refused_release_leaves_a_camera_with_the_builtin_bundle(written: Path, tmp_path: Path) -> None:
    card = tmp_path / "boot"
    shutil.copytree(written / "trailcam", card)
    script = (card / "first-boot.sh").read_text().replace("/boot/firmware/trailcam", str(card))
    lines = script.replace("/opt/trailcam/bin/trailcam update", "false").splitlines()
    update = [line for line in lines if line.startswith("(step")][-1]
    kept = [line for line in lines if line == update or not line.startswith(("(step", "systemctl", "bring "))]
    done = subprocess.run(["sh"], input="\n".join(kept), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "the release was not activated" in done.stdout
    assert done.stdout.endswith("--- done\n")


def test_a_card_without_room_says_what_to_leave_out(
    written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: type("Usage", (), {"free": 1_000_000})())
    words = ["deploy", "sdcard", str(written), "--hostname", "oak", "--authorized-key", str(tmp_path / "key.pub")]
    if (written / "custom.toml").exists():
        (written / "cmdline.txt").write_text(CMDLINE_12)
    assert main([*words, "--fleet", str(tmp_path / "fleet"), "--channel", "animals10"]) == 1
    assert "1 MB free" in capsys.readouterr().err


def test_an_open_password_file_is_refused(mount: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "key.pub").write_text(KEY)
    (tmp_path / "wifi").write_text(PASSWORD)
    (tmp_path / "wifi").chmod(0o644)
    words = ["--authorized-key", str(tmp_path / "key.pub"), "--wifi", "forest", "--wifi-country", "DE"]
    words += ["--wifi-password-file", str(tmp_path / "wifi"), "--fleet", str(tmp_path / "fleet")]
    assert main(["deploy", "sdcard", str(mount), "--hostname", "oak", *words]) == 1
    assert "chmod 600" in capsys.readouterr().err
