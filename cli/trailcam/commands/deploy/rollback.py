"""``trailcam deploy rollback``: return the chosen devices to the bundle before."""

import argparse
from typing import TYPE_CHECKING

from trailcam.commands.deploy.host_options import add_host_arguments, exit_code, run_on_hosts

if TYPE_CHECKING:
    from trailcam_deploy.device.host import Host
    from trailcam_deploy.fleet.run_fleet import HostOutcome
    from trailcam_deploy.ssh.connection import Connection


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``trailcam deploy rollback``."""
    add_host_arguments(parser)
    parser.add_argument("--reason", required=True, metavar="TEXT", help="recorded on each device")


def run(arguments: argparse.Namespace) -> int:
    """Roll back; exit code 1 if a device refused, 3 if one was not reached."""
    from trailcam_deploy.device.activation import roll_back

    def work(_: "Host", connection: "Connection") -> str:
        result = roll_back(connection, arguments.reason)
        return result.message or f"{result.running} runs now, or as soon as no visit is open"

    def show(outcome: "HostOutcome") -> None:
        print(f"{outcome.host.id}: {outcome.kind}: {outcome.text}", flush=True)

    return exit_code(run_on_hosts(arguments, work, show, lock=True))
