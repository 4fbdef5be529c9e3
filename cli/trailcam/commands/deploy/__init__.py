"""``trailcam deploy``: from a laptop to cameras that recognise animals with this bundle."""

import argparse
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from trailcam.commands.deploy.host_options import (
    add_host_arguments,
    ask_password,
    chosen_hosts,
    fleet_rules,
    open_home,
    ssh_settings,
)
from trailcam.commands.deploy.release_options import (
    add_release_arguments,
    builtin_digests,
    chosen_software,
    prepare_release,
)

if TYPE_CHECKING:
    from trailcam_deploy.device.activate import Sight
    from trailcam_deploy.device.bring_up import DevicePlan, DeviceReport
    from trailcam_deploy.device.provision import Wanted
    from trailcam_deploy.device.release_diff import Published
    from trailcam_deploy.fleet.inventory import Host
    from trailcam_deploy.fleet.run_fleet import Outcome
    from trailcam_deploy.operator_folder import Home
    from trailcam_deploy.ssh.connection import Connection

__all__ = ["add_arguments", "run", "say_where_to_look"]

_NOT_ALL = 3  # exit code: nothing failed, but not every device could be reached


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``trailcam deploy``."""
    parser.add_argument("bundle", nargs="?", type=Path, metavar="BUNDLE", help="default: the channel's newest release")
    add_host_arguments(parser)
    add_release_arguments(parser)
    parser.add_argument("--canary", type=int, default=0, metavar="N", help="so many devices first, alone")
    parser.add_argument("--max-failures", type=int, default=1, metavar="N", help="begin no other after so many (1)")
    parser.add_argument("--pending", action="store_true", help="of the inventory: only those not done the last time")
    parser.add_argument("--dry-run", action="store_true", help="show steps and bytes, change nothing")
    parser.add_argument(
        "--max-latency-ms", type=float, metavar="MS", help="of the self-test, instead of what the device's file says"
    )
    parser.add_argument("--wait", type=float, default=900.0, metavar="S", help="for a device to be well (900)")


def run(arguments: argparse.Namespace) -> int:
    """Deploy; exit code 1 if a device failed, 3 if none did but some were not reached."""
    from trailcam_deploy.fleet.run_fleet import run_fleet
    from trailcam_deploy.fleet.state import FleetState

    hosts = chosen_hosts(arguments)
    rules = fleet_rules(arguments)
    home = open_home(arguments)
    # A dry run signs and adds in a copy that is thrown away, so that its bytes are those of the real run.
    with home.copied() if arguments.dry_run else home.locked() as home:
        state = FleetState(home.folder / "state.json")
        if arguments.pending:
            hosts = tuple(host for host in hosts if (last := state.last(host.id)) is None or last.kind != "done")
        named = [host.channel for host in hosts]
        published, channel = prepare_release(arguments, home, named)
        job = _Job(arguments, home, published, channel, len(hosts))

        def tell(outcome: "Outcome") -> None:
            job.display.outcome(outcome)
            followed = job.wanted(outcome.host).channel
            bundle = f"{followed} {published.index(followed).version}"
            state.note(outcome.host.id, outcome.kind, outcome.text, home.now, bundle)

        try:
            outcomes = run_fleet(hosts, job.work, rules, tell, job.stop, job.hang_up)
        except KeyboardInterrupt:
            print("trailcam: run the same command again: it does what is missing.", file=sys.stderr)
            raise
        finally:
            job.display.close()
    return _summary(outcomes, arguments.dry_run)


class _Job:
    """What is done with each device of one run."""

    def __init__(
        self, arguments: argparse.Namespace, home: "Home", published: "Published", channel: str, count: int
    ) -> None:
        from trailcam.commands.deploy.display import FleetDisplay

        self._arguments, self._published, self._channel = arguments, published, channel
        self._settings = ssh_settings(arguments, count)
        self._software, self._wheels = chosen_software(arguments, home)
        self._roots = home.roots()
        self._builtin = builtin_digests()
        self._single = count == 1
        self.display = FleetDisplay(count)
        self.stop = threading.Event()
        self._open: set[Connection] = set()

    def wanted(self, host: "Host") -> "Wanted":
        """Return what a device should be: the command line goes before the inventory."""
        import hashlib

        from trailcam_deploy.device.provision import Wanted
        from trailcam_deploy.fleet.inventory import is_address

        return Wanted(
            software=self._software,
            roots=self._roots,
            root_sha256s=tuple(hashlib.sha256(root).hexdigest() for root in self._roots),
            device_id="" if is_address(host.id) else host.id,
            channel=self._arguments.channel or host.channel or self._channel,
            source=self._arguments.source or host.source or "picamera2",
            live=self._arguments.live or bool(host.live),
            wheels=self._wheels,
        )

    def hang_up(self) -> None:
        """End what is going on with every device."""
        for connection in tuple(self._open):
            connection.hang_up()

    @contextmanager
    def _known(self, connection: "Connection") -> Iterator[None]:
        self._open.add(connection)
        try:
            yield
        finally:
            self._open.discard(connection)

    def work(self, host: "Host") -> str:
        """Do everything with one device; return what to say of it."""
        from trailcam_deploy.device.bring_up import Patience, bring_up, plan_device
        from trailcam_deploy.ssh.connection import Connection

        wanted = self.wanted(host)
        ask = ask_password(self._settings, host)
        with (
            Connection(host.ssh, self._settings, lock=not self._arguments.dry_run, ask_password=ask) as connection,
            self._known(connection),
        ):
            if self._arguments.dry_run:
                return _describe(host, plan_device(connection, wanted, self._published, self._builtin))
            report = bring_up(
                connection,
                wanted,
                self._published,
                self._builtin,
                self.display.diary(host.id),
                self.stop,
                Patience(self._arguments.wait, self._arguments.max_latency_ms),
            )
        return _praise(host, report, self._single)


def _describe(host: "Host", plan: "DevicePlan") -> str:
    lines = [f"{host.id} ({plan.facts.system}, {plan.facts.machine}), {plan.size_bytes / 1e6:.2f} MB:"]
    lines += [f"    {step.name}{_sized(step.size_bytes)}" for step in plan.steps]
    lines.append(f"    release: {len(plan.uploads)} files{_sized(plan.release_bytes)}")
    lines.append("    update: verify, self-test, activate")
    return "\n".join(lines)


def _sized(size_bytes: int) -> str:
    return f", {size_bytes / 1e6:.2f} MB" if size_bytes else ""


def _praise(host: "Host", report: "DeviceReport", single: bool) -> str:
    words = f"{report.sight.bundle or 'running'}, {report.sent_bytes / 1e6:.2f} MB sent"
    if report.sight.state == "watch":
        words += "; it commits by itself when it has been healthy long enough"
    return f"{words}\n{say_where_to_look(host, report.sight)}" if single else words


def say_where_to_look(host: "Host", sight: "Sight") -> str:
    """Return where the live page of a device is and what was seen there, for a person."""
    lines = []
    if sight.address is None:
        lines.append("The live page is off: [live] is not in /etc/trailcam/trailcam.toml.")
    else:
        name, _, port = sight.address.rpartition(":")
        if name in ("127.0.0.1", "localhost", "[::1]", ""):
            lines.append(f"Live page: ssh -N -L {port}:127.0.0.1:{port} {host.ssh}   then   http://127.0.0.1:{port}/")
        else:
            where = host.ssh.rpartition("@")[2] if name in ("0.0.0.0", "[::]") else name  # noqa: S104 - compared
            link = f"?token={sight.token}" if sight.token else ""
            lines.append(f"Live page: http://{where}:{port}/{link}")
    if sight.labels:
        seen = ", ".join(
            f"{label} {share:.0%}" for label, share in sorted(sight.labels.items(), key=lambda row: -row[1])
        )
        lines.append(f"It sees: {seen}")
    elif sight.address is not None:
        lines.append("It has seen nothing yet.")
    return "\n".join(lines)


def _summary(outcomes: "list[Outcome]", dry_run: bool) -> int:
    kinds = [outcome.kind for outcome in outcomes]
    for outcome in outcomes:
        if outcome.kind == "done" and (dry_run or len(outcomes) == 1):
            print(outcome.text)
    if len(outcomes) > 1:
        counts = [f"{kinds.count(kind)} {kind}" for kind in ("done", "offline", "failed", "left out") if kind in kinds]
        print(f"{len(outcomes)} devices: {', '.join(counts)}")
        if "offline" in kinds or "left out" in kinds:
            print("Run the same command again to pick up the others; --pending asks only those.", file=sys.stderr)
    if "failed" in kinds:
        return 1
    return 0 if set(kinds) <= {"done"} else _NOT_ALL
