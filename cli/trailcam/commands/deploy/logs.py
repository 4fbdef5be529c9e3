"""``trailcam deploy logs``: the journals of the devices, each line with its device's name."""

import argparse
from typing import TYPE_CHECKING

from trailcam.commands.deploy.host_options import add_host_arguments, exit_code, run_on_hosts

if TYPE_CHECKING:
    from trailcam_deploy.fleet.run_fleet import HostOutcome

_SCRIPT = (
    'journalctl --unit=trailcam --unit=trailcam-update --lines="$1" --since="$2" --no-pager --output=short-iso --quiet'
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``trailcam deploy logs``."""
    add_host_arguments(parser)
    parser.add_argument("--lines", type=int, default=50, metavar="N", help="lines of each device (50)")
    parser.add_argument("--since", default="-7d", metavar="TIME", help="in the format of journalctl (-7d)")


def run(arguments: argparse.Namespace) -> int:
    """Print the journals; exit code 1 if one cannot be read, 3 if a device was not reached."""

    def show(outcome: "HostOutcome") -> None:
        text = outcome.text if outcome.kind == "done" else f"{outcome.kind}: {outcome.text}"
        for line in text.strip().splitlines() or ["the journal is empty"]:
            print(f"{outcome.host.id}: {line}", flush=True)

    words = (str(arguments.lines), arguments.since)
    return exit_code(run_on_hosts(arguments, lambda _, connection: connection.run(_SCRIPT, *words), show))
