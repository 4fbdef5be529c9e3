"""``trailcam deploy collect``: bring the stores of cameras home, one folder for each camera."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from trailcam.commands.deploy.host_options import add_host_arguments, exit_code, run_on_hosts
from trailcam.model_options import usage_error
from trailcam_core.errors.command_line import command_line
from trailcam_core.files.names import counted
from trailcam_edge.store.settings import DEFAULT_FOLDER

if TYPE_CHECKING:
    from trailcam_deploy.device.host import Host
    from trailcam_deploy.fleet.run_fleet import HostOutcome
    from trailcam_deploy.ssh.connection import Connection


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``trailcam deploy collect``."""
    add_host_arguments(parser)
    parser.add_argument("--into", type=Path, required=True, metavar="DIR", help="one folder per camera is made there")
    parser.add_argument(
        "--budget-mb",
        type=float,
        default=500.0,
        metavar="MB",
        help="pictures and clips of each camera in this run (500)",
    )
    parser.add_argument(
        "--store", default=str(DEFAULT_FOLDER), metavar="DIR", help=f"folder of the store there ({DEFAULT_FOLDER})"
    )


def run(arguments: argparse.Namespace) -> int:
    """Bring the stores home; exit code 1 if a camera failed or was not reached."""
    from trailcam_deploy.device.collect import collect_store
    from trailcam_edge.store.reviews.carry import carry_reviews, locked

    if not arguments.budget_mb >= 0:
        usage_error(f"--budget-mb is {arguments.budget_mb:g}, expected 0 or more")

    def work(host: "Host", connection: "Connection") -> str:
        folder = arguments.into / host.id
        budget_bytes = round(arguments.budget_mb * 1e6)
        with locked(folder):
            found = collect_store(
                connection, arguments.store, folder, budget_bytes, adopt=lambda new: carry_reviews(folder, new)
            )
        left = f", {counted(found.left, 'file')} left: run the command again" if found.left else ""
        clips = f", {counted(found.clips, 'new clip')}" if found.clips else ""
        return f"{counted(found.pictures, 'new picture')}{clips}, {found.size_bytes / 1e6:.1f} MB, in {folder}{left}"

    def show(outcome: "HostOutcome") -> None:
        text = outcome.text if outcome.kind == "done" else f"{outcome.kind}: {outcome.text}"
        print(f"{outcome.host.id}: {text}", flush=True)

    outcomes = run_on_hosts(arguments, work, show, lock=True)
    done = [outcome.host.id for outcome in outcomes if outcome.kind == "done"]
    if done:
        print(
            f'To list the visits of one: "{command_line("events", "--store", arguments.into / done[0])}".',
            file=sys.stderr,
        )
    return exit_code(outcomes)
