"""``trailcam deploy sdcard``: write a card that starts a board as a camera of this fleet."""

import argparse
import getpass
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from trailcam.commands.deploy.host_options import add_fleet_argument, open_operator_folder
from trailcam.commands.deploy.release_options import add_release_arguments, prepare_payload
from trailcam.source_option import given_source
from trailcam_core.errors import DeployError

if TYPE_CHECKING:
    from trailcam_deploy.sdcard.card import CardSettings, Wifi

_KEY_FILES = ("id_ed25519.pub", "id_ecdsa.pub", "id_rsa.pub")
_MAX_FILE_BYTES = 65_536


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``trailcam deploy sdcard``."""
    parser.add_argument(
        "mount", type=Path, metavar="MOUNT", help='mount point of the card\'s small partition ("bootfs")'
    )
    board = parser.add_argument_group("board")
    board.add_argument("--bundle", type=Path, metavar="BUNDLE", help="default: the channel's newest release")
    board.add_argument("--hostname", required=True, metavar="NAME", help="of the board, and its device id")
    board.add_argument("--user", default="pi", metavar="NAME", help="login, by key only (pi)")
    board.add_argument(
        "--authorized-key", type=Path, metavar="FILE", help="public keys for the login (default: yours in ~/.ssh)"
    )
    network = parser.add_argument_group("network")
    network.add_argument("--wifi", metavar="SSID", help="network; the command prompts for its password")
    network.add_argument("--wifi-country", default="", metavar="XX", help="two letters, required with --wifi")
    network.add_argument("--wifi-hidden", action="store_true", help="its name is not broadcast")
    network.add_argument(
        "--wifi-password-file", type=Path, metavar="FILE", help="instead of a prompt; readable only by you"
    )
    add_release_arguments(parser)
    add_fleet_argument(parser)


def run(arguments: argparse.Namespace) -> int:
    """Write the card."""
    from trailcam_deploy.device.host import Host
    from trailcam_deploy.sdcard.card import check_settings, read_system
    from trailcam_deploy.sdcard.first_boot import card_files
    from trailcam_deploy.sdcard.write import write_card

    source = given_source(arguments)
    system = read_system(arguments.mount)
    settings = _settings(arguments)
    check_settings(settings)
    with open_operator_folder(arguments).locked() as folder:
        payload = prepare_payload(arguments, folder)
        spec = payload.spec(Host(settings.hostname, "", source=source, live=arguments.live))
        files = card_files(system, spec, payload.published)
        write_card(arguments.mount, system, settings, files)
    kind = {"cloud-init": "Raspberry Pi OS 13, cloud-init", "custom.toml": "Raspberry Pi OS 12, custom.toml"}[system]
    print(f"{arguments.mount}: {files.size_bytes / 1e6:.1f} MB for {settings.hostname} ({kind})")
    print(
        "Unmount it, insert it, switch on. Later: "
        f"trailcam deploy status --to {settings.user}@{settings.hostname}.local"
    )
    if not spec.wheels:
        print("trailcam: the board needs internet once: it fetches packages and wheels.", file=sys.stderr)
    elif spec.source.startswith("picamera2"):
        print("trailcam: Picamera2 comes from apt, so the board still needs internet once.", file=sys.stderr)
    return 0


def _settings(arguments: argparse.Namespace) -> "CardSettings":
    from trailcam_deploy.sdcard.card import CardSettings

    keys = _keys(arguments.authorized_key)
    return CardSettings(arguments.hostname, arguments.user, keys, _wifi(arguments) if arguments.wifi else None)


def _keys(file: Path | None) -> tuple[str, ...]:
    candidates = [file] if file else [Path.home() / ".ssh" / name for name in _KEY_FILES]
    found = next((path for path in candidates if path.is_file()), None)
    if found is None:
        raise DeployError(
            f"{candidates[0]}: no such file, and there is no login without a key. Make one with ssh-keygen, or name "
            "it: --authorized-key FILE."
        )
    with open(found, encoding="utf-8-sig") as opened:
        lines = opened.read(_MAX_FILE_BYTES).splitlines()
    return tuple(line.strip() for line in lines if line.strip() and not line.startswith("#"))


def _wifi(arguments: argparse.Namespace) -> "Wifi":
    from trailcam_deploy.sdcard.card import Wifi

    file: Path | None = arguments.wifi_password_file
    if file is None:
        password = getpass.getpass(f"Password of the network {arguments.wifi}: ")
    else:
        if stat.S_IMODE(file.stat().st_mode) & 0o077:
            raise DeployError(f"{file}: other users can read it. Run: chmod 600 {file}")
        password = file.read_text(encoding="utf-8-sig").rstrip("\n")
    return Wifi.of(arguments.wifi, password, arguments.wifi_country, arguments.wifi_hidden)
