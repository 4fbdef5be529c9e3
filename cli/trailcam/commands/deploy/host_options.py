"""Options that all actions of ``trailcam deploy`` share: which devices, how to reach them, and the fleet's folder."""

import argparse
import getpass
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from trailcam.commands.model_options import usage_error

if TYPE_CHECKING:
    from trailcam_deploy.fleet.inventory import Host
    from trailcam_deploy.fleet.run_fleet import FleetRules
    from trailcam_deploy.operator_folder import Home
    from trailcam_deploy.ssh.connection import SshSettings

__all__ = [
    "add_fleet_argument",
    "add_host_arguments",
    "ask_password",
    "chosen_hosts",
    "fleet_rules",
    "open_home",
    "ssh_settings",
]


def add_host_arguments(parser: argparse.ArgumentParser) -> None:
    """Add them."""
    parser.add_argument("--to", metavar="USER@HOST", help="one device, by address or by name of your SSH configuration")
    parser.add_argument("--inventory", type=Path, metavar="FILE", help="devices and groups, as TOML")
    parser.add_argument("--group", metavar="NAME", help="of the inventory: this group only")
    parser.add_argument("--only", action="append", default=[], metavar="HOST", help="of the inventory: this one only")
    parser.add_argument("--parallel", type=int, default=8, metavar="N", help="devices at once (8)")
    add_fleet_argument(parser)
    parser.add_argument("--ssh-config", type=Path, metavar="FILE", help="instead of your SSH configuration")
    parser.add_argument(
        "--ssh-option", action="append", default=[], metavar="NAME=VALUE", help="for ssh -o; host keys stay checked"
    )


def add_fleet_argument(parser: argparse.ArgumentParser) -> None:
    """Add the option for the operator's folder."""
    parser.add_argument(
        "--fleet", type=Path, metavar="DIR", help="keys, repository and notes (~/.local/share/trailcam/fleet)"
    )


def chosen_hosts(arguments: argparse.Namespace) -> "tuple[Host, ...]":
    """Return the devices that were named."""
    from trailcam_deploy.fleet.inventory import Host, host_id, read_inventory

    if (arguments.to is None) == (arguments.inventory is None):
        usage_error("name one device with --to USER@HOST, or several with --inventory FILE")
    if arguments.to is not None:
        if arguments.group is not None or arguments.only:
            usage_error("--group and --only choose from an --inventory")
        return (Host(host_id(arguments.to), arguments.to),)
    return read_inventory(arguments.inventory).choose(arguments.group, tuple(arguments.only))


def ssh_settings(arguments: argparse.Namespace, count: int) -> "SshSettings":
    """Return how to connect; one device on a terminal may ask about passwords and an unknown host key."""
    from trailcam_deploy.ssh.connection import SshSettings

    interactive = count == 1 and sys.stdin.isatty() and sys.stderr.isatty()
    return SshSettings(tuple(arguments.ssh_option), arguments.ssh_config, interactive)


def ask_password(settings: "SshSettings", host: "Host") -> Callable[[], str] | None:
    """Return what asks for the password of ``sudo``, where somebody can be asked."""
    if not settings.interactive:
        return None
    return lambda: getpass.getpass(f"Password of {host.ssh} for sudo: ")


def open_home(arguments: argparse.Namespace) -> "Home":
    """Return the operator's folder; it need not be there yet."""
    from trailcam_deploy.operator_folder import Home

    base = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Home(arguments.fleet or Path(base) / "trailcam" / "fleet", datetime.now(UTC))


def fleet_rules(arguments: argparse.Namespace) -> "FleetRules":
    """Return how carefully; a senseless value is a usage error."""
    from trailcam_deploy.fleet.run_fleet import FleetRules

    canary, most = getattr(arguments, "canary", 0), getattr(arguments, "max_failures", 10_000)
    try:
        return FleetRules(canary, arguments.parallel, most)
    except ValueError as error:
        usage_error(str(error))
