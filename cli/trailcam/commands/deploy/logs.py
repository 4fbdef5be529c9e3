"""``trailcam deploy logs``: the journals of the devices, each line with its device's name."""

import argparse
import threading
from typing import TYPE_CHECKING

from trailcam.commands.deploy.host_options import (
    add_host_arguments,
    ask_password,
    chosen_hosts,
    fleet_rules,
    ssh_settings,
)

if TYPE_CHECKING:
    from trailcam_deploy.fleet.inventory import Host
    from trailcam_deploy.fleet.run_fleet import Outcome

__all__ = ["add_arguments", "run"]

_SCRIPT = (
    'journalctl --unit=trailcam --unit=trailcam-update --lines="$1" --since="$2" --no-pager --output=short-iso --quiet'
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``trailcam deploy logs``."""
    add_host_arguments(parser)
    parser.add_argument("--lines", type=int, default=50, metavar="N", help="of each device (50)")
    parser.add_argument("--since", default="-7d", metavar="TIME", help="as journalctl understands it (-7d)")


def run(arguments: argparse.Namespace) -> int:
    """Print the journals; exit code 1 if one cannot be read, 3 if a device was not reached."""
    from trailcam_deploy.fleet.run_fleet import run_fleet
    from trailcam_deploy.ssh.connection import Connection

    hosts = chosen_hosts(arguments)
    settings = ssh_settings(arguments, len(hosts))

    def work(host: "Host") -> str:
        with Connection(host.ssh, settings, lock=False, ask_password=ask_password(settings, host)) as connection:
            return connection.run(_SCRIPT, str(arguments.lines), arguments.since)

    def tell(outcome: "Outcome") -> None:
        text = outcome.text if outcome.kind == "done" else f"{outcome.kind}: {outcome.text}"
        for line in text.strip().splitlines() or ["nothing was logged"]:
            print(f"{outcome.host.id}: {line}", flush=True)

    outcomes = run_fleet(hosts, work, fleet_rules(arguments), tell, threading.Event())
    kinds = {outcome.kind for outcome in outcomes}
    return 1 if "failed" in kinds else 0 if kinds <= {"done"} else 3
