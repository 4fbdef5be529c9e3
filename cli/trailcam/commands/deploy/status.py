"""``trailcam deploy status``: what the devices run and see, changed by nothing."""

import argparse
import json
import sys
import threading
from dataclasses import asdict
from typing import TYPE_CHECKING

from trailcam.commands.deploy.host_options import (
    add_host_arguments,
    ask_password,
    chosen_hosts,
    fleet_rules,
    open_home,
    ssh_settings,
)

if TYPE_CHECKING:
    from trailcam_deploy.device.activate import Sight
    from trailcam_deploy.fleet.inventory import Host
    from trailcam_deploy.fleet.run_fleet import Outcome

__all__ = ["add_arguments", "run"]

_NOT_WELL = 3  # exit code: a check did not pass


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``trailcam deploy status``."""
    add_host_arguments(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object per device and line")


def run(arguments: argparse.Namespace) -> int:
    """Look at every device; exit code 3 if one is not well or was not reached."""
    from trailcam_deploy.device.activate import look
    from trailcam_deploy.fleet.run_fleet import run_fleet
    from trailcam_deploy.fleet.state import FleetState
    from trailcam_deploy.ssh.connection import Connection

    hosts = chosen_hosts(arguments)
    settings = ssh_settings(arguments, len(hosts))
    state = FleetState(open_home(arguments).folder / "state.json")
    sights: dict[str, Sight] = {}

    def work(host: "Host") -> str:
        with Connection(host.ssh, settings, lock=False, ask_password=ask_password(settings, host)) as connection:
            sights[host.id] = look(connection, 2)
        return _sentence(sights[host.id])

    def tell(outcome: "Outcome") -> None:
        sight, last = sights.get(outcome.host.id), state.last(outcome.host.id)
        if arguments.json:
            record = {"host": outcome.host.id, "outcome": outcome.kind, "text": outcome.text}
            shown = {} if sight is None else {**asdict(sight), "token": None, "well": sight.is_well}
            print(json.dumps({**record, **shown, "last": None if last is None else asdict(last)}))
            return
        before = f" (last deployment, {last.when[:16]}: {last.kind})" if sight is None and last is not None else ""
        print(f"{outcome.host.id}: {outcome.text}{before}", flush=True)

    outcomes = run_fleet(hosts, work, fleet_rules(arguments), tell, threading.Event())
    well = sum(sight.is_well for sight in sights.values())
    if len(outcomes) > 1:
        print(f"{well} of {len(outcomes)} devices are well", file=sys.stderr)
    return 0 if well == len(outcomes) else _NOT_WELL


def _sentence(sight: "Sight") -> str:
    words = [sight.bundle or "no bundle is active", f"service {sight.service}"]
    if sight.state not in ("", "idle"):
        words.append(f"update: {sight.state}")
    if sight.address is not None:
        words.append("frames come" if sight.alive else "no frames come")
        if sight.seen_bundle and sight.seen_bundle != sight.bundle:
            words.append(f"still runs {sight.seen_bundle}")
    if sight.labels:
        words.append("sees " + ", ".join(sorted(sight.labels)))
    words += [f"refused {slot}: {reason}" for slot, reason in sight.refused.items()]
    return "; ".join(words)
