"""Options that all actions of ``trailcam deploy`` share: devices, connections and the operator's folder."""

import argparse
import getpass
import os
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from trailcam.help.groups import Options
from trailcam.model_options import usage_error

if TYPE_CHECKING:
    from trailcam_core.network.ssh.master import SshSettings
    from trailcam_deploy.device.host import Host
    from trailcam_deploy.fleet.run_fleet import FleetRules, HostOutcome
    from trailcam_deploy.operator_folder import OperatorFolder
    from trailcam_deploy.ssh.connection import Connection


def add_host_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of devices and connections."""
    devices = parser.add_argument_group("devices")
    devices.add_argument(
        "--to", metavar="USER@HOST", help="one device, by address or by name of your SSH configuration"
    )
    devices.add_argument("--inventory", type=Path, metavar="FILE", help="devices and groups, as TOML")
    devices.add_argument("--group", metavar="NAME", help="of the inventory: only this group")
    devices.add_argument("--only", action="append", default=[], metavar="HOST", help="of the inventory: only this one")
    devices.add_argument("--parallel", type=int, default=8, metavar="N", help="devices at once (8)")
    connection = parser.add_argument_group("connection")
    add_fleet_argument(connection)
    connection.add_argument("--ssh-config", type=Path, metavar="FILE", help="instead of your SSH configuration")
    connection.add_argument(
        "--ssh-option", action="append", default=[], metavar="NAME=VALUE", help="for ssh -o; host keys stay checked"
    )


def add_fleet_argument(group: Options) -> None:
    """Add the option for the operator's folder to a parser or to a group of its options."""
    group.add_argument(
        "--fleet", type=Path, metavar="DIR", help="keys, repository and state (~/.local/share/trailcam/fleet)"
    )


def chosen_hosts(arguments: argparse.Namespace) -> "tuple[Host, ...]":
    """Return the devices of the options; options that contradict each other are a usage error."""
    from trailcam_deploy.device.host import Host, host_id
    from trailcam_deploy.fleet.inventory import read_inventory

    if (arguments.to is None) == (arguments.inventory is None):
        usage_error("name one device with --to USER@HOST, or several with --inventory FILE")
    if arguments.to is not None:
        if arguments.group is not None or arguments.only:
            usage_error("--group and --only choose from an --inventory")
        return (Host(host_id(arguments.to), arguments.to),)
    return read_inventory(arguments.inventory).choose(arguments.group, tuple(arguments.only))


def ssh_settings(arguments: argparse.Namespace, count: int) -> "SshSettings":
    """Return the connection settings; with one device on a terminal ``ssh`` may ask questions."""
    from trailcam_core.network.ssh.master import SshSettings

    interactive = count == 1 and sys.stdin.isatty() and sys.stderr.isatty()
    return SshSettings(tuple(arguments.ssh_option), arguments.ssh_config, interactive)


def ask_password(settings: "SshSettings", host: "Host") -> Callable[[], str] | None:
    """Return a function that asks for the password of ``sudo``, or None without a terminal."""
    if not settings.interactive:
        return None
    return lambda: getpass.getpass(f"Password of {host.ssh} for sudo: ")


def open_operator_folder(arguments: argparse.Namespace) -> "OperatorFolder":
    """Return the operator's folder, which may not exist yet."""
    from trailcam_deploy.operator_folder import OperatorFolder

    base = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return OperatorFolder(arguments.fleet or Path(base) / "trailcam" / "fleet", datetime.now(UTC))


def fleet_rules(arguments: argparse.Namespace) -> "FleetRules":
    """Return the rules of a run over a fleet; an invalid value is a usage error."""
    from trailcam_deploy.fleet.run_fleet import FleetRules

    canary, max_failures = getattr(arguments, "canary", 0), getattr(arguments, "max_failures", 10_000)
    try:
        return FleetRules(canary, arguments.parallel, max_failures)
    except ValueError as error:
        usage_error(str(error))


def run_on_hosts(
    arguments: argparse.Namespace,
    work: "Callable[[Host, Connection], str]",
    on_outcome: "Callable[[HostOutcome], None]",
    lock: bool = False,
) -> "list[HostOutcome]":
    """Connect to every chosen device, do ``work`` and pass each outcome to ``on_outcome``."""
    from trailcam_core.network.ssh.errors import HostError, OfflineError
    from trailcam_deploy.fleet.run_fleet import run_fleet
    from trailcam_deploy.ssh.connection import Connection

    hosts = chosen_hosts(arguments)
    settings = ssh_settings(arguments, len(hosts))

    def connect(host: "Host") -> str:
        with Connection(host.ssh, settings, lock=lock, ask_password=ask_password(settings, host)) as connection:
            try:
                return work(host, connection)
            except OfflineError:
                raise
            except HostError as error:
                if connection.try_run("test -e /opt/trailcam")[0] == 0:
                    raise
                raise HostError(
                    f'Trailcam is not installed there. "trailcam deploy BUNDLE --to {host.ssh}" makes a camera of it.'
                ) from error

    return run_fleet(hosts, connect, fleet_rules(arguments), on_outcome, threading.Event())


def exit_code(outcomes: "list[HostOutcome]") -> int:
    """Return 0 if every device is done, 1 if one failed or was not reached."""
    return 0 if {outcome.kind for outcome in outcomes} <= {"done"} else 1
