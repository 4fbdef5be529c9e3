"""``trailcam deploy rollback``: back to the bundle before, on the devices that are named."""

import argparse
import json
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

_SCRIPT = '/opt/trailcam/bin/trailcam update --roll-back "$1"'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``trailcam deploy rollback``."""
    add_host_arguments(parser)
    parser.add_argument("--reason", required=True, metavar="TEXT", help="why; each device remembers it")


def run(arguments: argparse.Namespace) -> int:
    """Roll back; exit code 1 if a device did not, 3 if one was not reached."""
    from trailcam_deploy.fleet.run_fleet import run_fleet
    from trailcam_deploy.ssh.connection import Connection

    hosts = chosen_hosts(arguments)
    settings = ssh_settings(arguments, len(hosts))

    def work(host: "Host") -> str:
        with Connection(host.ssh, settings, ask_password=ask_password(settings, host)) as connection:
            said = connection.run(_SCRIPT, arguments.reason, timeout_s=120)
        return f"runs {_running(said)} now, or as soon as no visit is open"

    def tell(outcome: "Outcome") -> None:
        print(f"{outcome.host.id}: {outcome.kind}: {outcome.text}", flush=True)

    outcomes = run_fleet(hosts, work, fleet_rules(arguments), tell, threading.Event())
    kinds = {outcome.kind for outcome in outcomes}
    return 1 if "failed" in kinds else 0 if kinds <= {"done"} else 3


def _running(said: str) -> str:
    try:
        journal = json.loads(said[said.index("{") :])
        return str(journal.get("bundle") or journal["running"])
    except (ValueError, KeyError):
        return "the bundle before"
