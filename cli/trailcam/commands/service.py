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
from trailcam_edge.service.cameras import Camera, free_port
from trailcam_edge.service.systemd_units import (
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

_BOOTED = Path("/run/systemd/system")
_NOT_ACTIVE = 3  # exit code: a check did not pass


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the actions and options of ``trailcam service``."""
    parser.add_argument(
        "action",
        choices=("install", "uninstall", "status"),
        help="start it from power-on, remove it, or show whether it runs",
    )
    parser.add_argument("--root", type=Path, metavar="DIR", help="write into the root of another system: an image")
    parser.add_argument(
        "--name", metavar="NAME", help="one of several cameras of this machine: trailcam@NAME.service, a page on a port"
    )
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
    camera = Camera(arguments.name)
    if arguments.action == "status":
        return _status(arguments.root, camera)
    if arguments.root is None and os.geteuid() != 0:
        raise DeviceError(f'A service belongs to the system: "sudo {sys.argv[0]} service {arguments.action}".')
    if arguments.action == "uninstall":
        return _uninstall(arguments.root, camera)
    return _install(arguments, camera)


def _install(arguments: argparse.Namespace, camera: Camera) -> int:
    program = arguments.program or _this_program()
    if arguments.root is None:
        _check_booted()
        _check_program(Path(program))
    if (arguments.update_source is None) != (arguments.update_channel is None):
        usage_error("--update-source and --update-channel belong together")
    releases = None if arguments.update_source is None else (arguments.update_source, arguments.update_channel)
    source = given_source(arguments) or "picamera2"
    _check_texts(source, *(releases or ()), arguments.live_token_file or "")
    secret = source if arguments.source_file is not None or has_secret(source) else None
    root = arguments.root or Path("/")
    config = render_config(
        source if secret is None else None, releases, arguments.live_token_file, camera, free_port(root, camera)
    )
    parsed = parse_config(config, f"/{camera.config_path}", Path("/etc/trailcam"))
    if (root / camera.config_path).exists():
        parsed = read_config(root / camera.config_path)
    in_home = program.startswith(("/home/", "/root/"))
    updates = parsed.update is not None and parsed.update.source is not None
    if arguments.root is None and not updates:
        _disable_timer(camera)
    update_units = render_update_units(program, in_home, camera) if updates else None
    changes = install(root, render_unit(program, in_home, camera), config, update_units, secret, camera)
    _print_changes(changes, root)
    units = [f"{camera.unit}.service", camera.timer] if updates else [f"{camera.unit}.service"]
    if arguments.root is not None:
        print(f'Then: "systemd-sysusers --root={arguments.root} trailcam.conf" makes its user,')
        print(f'and "systemctl --root={arguments.root} enable {" ".join(units)}" lets it start with the machine.')
        for path in secret_files(arguments.root, camera):
            print(
                f'"chroot {arguments.root} chgrp trailcam /{path.relative_to(arguments.root)}" lets it read that file.'
            )
        return 0
    _system("systemd-sysusers", "trailcam.conf")
    for path in secret_files(root, camera):
        shutil.chown(path, group="trailcam")
    _system("systemctl", "daemon-reload")
    _system("systemctl", "enable", f"{camera.unit}.service")
    if updates:
        _system("systemctl", "enable", "--now", camera.timer)
    named = "" if camera.name is None else f" --name {camera.name}"
    state = f"trailcam service status{named}"
    print(f'Check /{camera.config_path}, then: "systemctl start {camera.unit}"; its state: "{state}".')
    return 0


def _check_texts(*texts: str) -> None:
    for text in texts:
        if not text.isprintable():
            raise DeviceError(
                f"--source, --update-source, --live-token-file: {shown(text)}, expected one printable line."
            )


def _disable_timer(camera: Camera) -> None:
    if Path("/", camera.update_paths[1]).exists():
        _system("systemctl", "disable", "--now", camera.timer)


def _uninstall(root: Path | None, camera: Camera) -> int:
    """Remove the units of all cameras; of a named one, only disable its instance."""
    if camera.name is not None:
        if root is not None:
            raise DeviceError(f'"systemctl --root={root} disable {camera.unit}" is all that a named camera needs.')
        _disable_timer(camera)
        _system("systemctl", "disable", "--now", f"{camera.unit}.service")
        print(f"{camera.unit} is disabled; /{camera.config_path} and its events stay.")
        return 0
    if root is None and Path("/", UNIT_PATH).exists():
        _system("systemctl", "disable", "--now", UNIT_PATH.name)
    if root is None:
        _disable_timer(camera)
    changes = uninstall(root or Path("/"))
    _print_changes(changes, root or Path("/"))
    if root is None and changes:
        _system("systemctl", "daemon-reload")
    if not any(change.done == "removed" for change in changes):
        print("No service was installed.")
    return 0


def _status(root: Path | None, camera: Camera) -> int:
    if not Path(root or "/", camera.unit_path).exists() or not Path(root or "/", camera.config_path).exists():
        print('Not installed; "trailcam service install" does it.')
        return _NOT_ACTIVE
    if root is not None:
        print("Installed.")
        return 0
    if shutil.which("systemctl") is None:
        raise DeviceError("This machine has no systemd, so nothing starts the service.")
    shown = subprocess.run(["systemctl", "--no-pager", "--lines=5", "status", f"{camera.unit}.service"], check=False)
    return 0 if shown.returncode == 0 else _NOT_ACTIVE


def _check_booted() -> None:
    """Check that this machine has started with systemd, as sd_booted(3) does, before anything is written."""
    if not _BOOTED.is_dir():
        raise DeviceError(
            "This machine was not started with systemd, so nothing would start the service; nothing was written. "
            'For the image of another machine: "--root DIR". To watch now: "trailcam watch --config FILE".'
        )


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
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode != 0:
        raise DeviceError(f'"{" ".join(command)}" failed: {done.stderr.strip() or done.returncode}.')


def _print_changes(changes: list[Change], root: Path) -> None:
    for change in changes:
        print(f"{change.done:<10} {root / change.path.relative_to('/')}")
