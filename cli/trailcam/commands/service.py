"""``trailcam service``: ``trailcam watch`` from power-on and ``trailcam update`` now and then, run by systemd."""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

from trailcam.model_options import usage_error
from trailcam.source_option import add_source_file_argument, given_source
from trailcam_core.errors import DeviceError
from trailcam_core.network.secrets import has_secret
from trailcam_core.records import shown
from trailcam_edge.config.camera_toml import parse_config, read_config
from trailcam_edge.service.systemd_units import (
    CONFIG_PATH,
    TIMER_PATH,
    UNIT_PATH,
    Change,
    install,
    render_config,
    render_unit,
    render_update_units,
    secret_files,
    uninstall,
    unreachable_folder,
)

_UNIT = UNIT_PATH.name
_TIMER = TIMER_PATH.name
_NOT_ACTIVE = 3  # exit code: a check did not pass


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the actions and options of ``trailcam service``."""
    parser.add_argument("action", choices=("install", "uninstall", "status"))
    parser.add_argument("--root", type=Path, metavar="DIR", help="write into the root of another system: an image")
    parser.add_argument("--source", metavar="SOURCE", help="camera for a new configuration (picamera2)")
    add_source_file_argument(parser)
    parser.add_argument(
        "--update-source", metavar="SOURCE", help="release repository for a new configuration: https address or folder"
    )
    parser.add_argument("--update-channel", metavar="NAME", help="which bundle of it")
    parser.add_argument(
        "--live-token-file", metavar="FILE", help="new configuration: live page on the network, behind this token"
    )
    parser.add_argument(
        "--program", metavar="PATH", help="trailcam as the service will find it (default: this one); of use with --root"
    )


def run(arguments: argparse.Namespace) -> int:
    """Do what was asked for; exit code 3 if the service does not run."""
    if arguments.action == "status":
        return _status(arguments.root)
    if arguments.root is None and os.geteuid() != 0:
        raise DeviceError(f'A service belongs to the system: "sudo {sys.argv[0]} service {arguments.action}".')
    if arguments.action == "uninstall":
        return _uninstall(arguments.root)
    return _install(arguments)


def _install(arguments: argparse.Namespace) -> int:
    program = arguments.program or _this_program()
    if arguments.root is None:
        _check_program(Path(program))
    if (arguments.update_source is None) != (arguments.update_channel is None):
        usage_error("--update-source and --update-channel belong together")
    releases = None if arguments.update_source is None else (arguments.update_source, arguments.update_channel)
    source = given_source(arguments) or "picamera2"
    _check_texts(source, *(releases or ()), arguments.live_token_file or "")
    secret = source if arguments.source_file is not None or has_secret(source) else None
    config = render_config(source if secret is None else None, releases, arguments.live_token_file)
    parsed = parse_config(config, f"/{CONFIG_PATH}", Path("/etc/trailcam"))
    root = arguments.root or Path("/")
    if (root / CONFIG_PATH).exists():
        parsed = read_config(root / CONFIG_PATH)
    in_home = program.startswith(("/home/", "/root/"))
    updates = parsed.update is not None and parsed.update.source is not None
    if arguments.root is None and not updates:
        _disable_timer()
    update_units = render_update_units(program, in_home) if updates else None
    _print_changes(install(root, render_unit(program, in_home), config, update_units, secret))
    units = [_UNIT, _TIMER] if updates else [_UNIT]
    if arguments.root is not None:
        print(f'Then: "systemd-sysusers --root={arguments.root} trailcam.conf" makes its user,')
        print(f'and "systemctl --root={arguments.root} enable {" ".join(units)}" lets it start with the machine.')
        for path in secret_files(arguments.root):
            print(
                f'"chroot {arguments.root} chgrp trailcam /{path.relative_to(arguments.root)}" lets it read that file.'
            )
        return 0
    _system("systemd-sysusers", "trailcam.conf")
    for path in secret_files(root):
        shutil.chown(path, group="trailcam")
    _system("systemctl", "daemon-reload")
    _system("systemctl", "enable", _UNIT)
    if updates:
        _system("systemctl", "enable", "--now", _TIMER)
    print(f'Check /{CONFIG_PATH}, then: "systemctl start trailcam"; its state: "trailcam service status".')
    return 0


def _check_texts(*texts: str) -> None:
    for text in texts:
        if not text.isprintable():
            raise DeviceError(
                f"--source, --update-source, --live-token-file: {shown(text)}, expected one printable line."
            )


def _disable_timer() -> None:
    if Path("/", TIMER_PATH).exists():
        _system("systemctl", "disable", "--now", _TIMER)


def _uninstall(root: Path | None) -> int:
    if root is None and Path("/", UNIT_PATH).exists():
        _system("systemctl", "disable", "--now", _UNIT)
    if root is None:
        _disable_timer()
    changes = uninstall(root or Path("/"))
    _print_changes(changes)
    if root is None and changes:
        _system("systemctl", "daemon-reload")
    if not any(change.done == "removed" for change in changes):
        print("No service was installed.")
    return 0


def _status(root: Path | None) -> int:
    if not Path(root or "/", UNIT_PATH).exists():
        print('Not installed; "trailcam service install" does it.')
        return _NOT_ACTIVE
    if root is not None:
        print("Installed.")
        return 0
    if shutil.which("systemctl") is None:
        raise DeviceError("This machine has no systemd, so nothing starts the service.")
    shown = subprocess.run(["systemctl", "--no-pager", "--lines=5", "status", _UNIT], check=False)
    return 0 if shown.returncode == 0 else _NOT_ACTIVE


def _check_program(program: Path) -> None:
    """Check now for the error that systemd would report as "203/EXEC" later."""
    if not os.access(program, os.X_OK):
        raise DeviceError(f"{program}: no such program. Name it with --program.")
    closed = unreachable_folder(program)
    if closed is not None:
        raise DeviceError(
            f"{closed}: the service's own user may not pass this folder on the way to {program}. "
            f'"chmod o+x {closed}", or install Trailcam in /opt/trailcam.'
        )


def _this_program() -> str:
    """Return the path of the command that is running; "python -m trailcam" has one beside its interpreter."""
    called = Path(sys.argv[0])
    if called.name == "trailcam" and called.exists():
        return str(called.absolute())
    return str(Path(sys.executable).absolute().parent / "trailcam")


def _system(*command: str) -> None:
    """Run a tool of systemd.

    Raises:
        DeviceError: it is not there, or failed.
    """
    if shutil.which(command[0]) is None:
        raise DeviceError(
            f'This machine has no {command[0]}: Trailcam\'s service needs systemd. For an image: "--root".'
        )
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise DeviceError(f'"{" ".join(command)}" failed: {done.stderr.strip() or done.returncode}.')


def _print_changes(changes: list[Change]) -> None:
    for change in changes:
        print(f"{change.done:<10} {change.path}")
