"""Work on many devices: canaries first and alone, then several at once, until too many have failed.

Offline devices are no failures: a camera may sleep, and the next run includes it.
"""

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Literal

from trailcam_core.errors import TrailcamError
from trailcam_core.files.names import printable
from trailcam_core.network.secrets import mask_text
from trailcam_core.network.ssh.errors import HostError, OfflineError
from trailcam_deploy.device.host import Host

Kind = Literal["done", "offline", "failed", "left out"]
DONE: Kind = "done"
OFFLINE: Kind = "offline"
FAILED: Kind = "failed"
SKIPPED: Kind = "left out"


@dataclass(frozen=True)
class FleetRules:
    """``canary`` devices first and alone, ``parallel`` at once, no further one after ``max_failures``."""

    canary: int = 0
    parallel: int = 8
    max_failures: int = 1

    def __post_init__(self) -> None:
        for name, low in (("canary", 0), ("parallel", 1), ("max_failures", 1)):
            if not low <= getattr(self, name) <= 10_000:
                raise ValueError(f"{name} is {getattr(self, name)}, expected {low} or more")


@dataclass(frozen=True)
class HostOutcome:
    """Outcome for one device, and its description, without secrets and what would steer a terminal."""

    host: Host
    kind: Kind
    text: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", printable(mask_text(self.text), keep="\n\t"))


def run_fleet(
    hosts: Iterable[Host],
    work: Callable[[Host], str],
    rules: FleetRules,
    on_outcome: Callable[[HostOutcome], None],
    stop: threading.Event,
    disconnect: Callable[[], None] = lambda: None,
) -> list[HostOutcome]:
    """Work on every device and return the outcomes, in the order in which they came.

    Args:
        hosts: in the order in which they are started; the first that answer are the canaries.
        work: does everything with one device and returns a description; called by several threads.
        rules: for canaries, parallelism and failures.
        on_outcome: called with each outcome as it comes, by this thread.
        stop: set to finish the devices that were started and skip the rest.
        disconnect: ends the connections, after Ctrl-C.
    """
    outcomes: list[HostOutcome] = []
    waiting = list(hosts)

    def finish(outcome: HostOutcome) -> None:
        outcomes.append(outcome)
        on_outcome(outcome)

    with ThreadPoolExecutor(rules.parallel, "device") as pool:
        running: dict[Future[HostOutcome], Host] = {}
        try:
            while True:
                for host in waiting[: 0 if stop.is_set() else _free_places(outcomes, rules, len(running))]:
                    waiting.remove(host)
                    running[pool.submit(_attempt, host, work)] = host
                if not running:
                    break
                ready, _ = wait(running, timeout=0.2, return_when=FIRST_COMPLETED)
                for future in ready:
                    del running[future]
                    finish(future.result())
        except BaseException:
            stop.set()
            disconnect()
            raise
    for host in waiting:
        finish(HostOutcome(host, SKIPPED, "it was interrupted" if stop.is_set() else _skip_reason(outcomes, rules)))
    return outcomes


def _free_places(outcomes: list[HostOutcome], rules: FleetRules, running: int) -> int:
    """Return how many devices to start now."""
    done, failed = _count(outcomes, DONE), _count(outcomes, FAILED)
    canaries_passed = done >= rules.canary
    # A canary that fails ends the run, however many failures the other devices may have.
    if failed >= (rules.max_failures if canaries_passed else 1):
        return 0
    limit = rules.parallel if canaries_passed else min(rules.parallel, rules.canary - done)
    return max(0, limit - running)


def _attempt(host: Host, work: Callable[[Host], str]) -> HostOutcome:
    try:
        return HostOutcome(host, DONE, work(host))
    except OfflineError as error:
        return HostOutcome(host, OFFLINE, str(error))
    except InterruptedError:
        return HostOutcome(host, SKIPPED, "it was interrupted")
    except HostError as error:
        return HostOutcome(host, FAILED, str(error))
    except TrailcamError as error:
        return HostOutcome(host, FAILED, f"{type(error).__name__}: {error}")


def _skip_reason(outcomes: list[HostOutcome], rules: FleetRules) -> str:
    failed = _count(outcomes, FAILED)
    if _count(outcomes, DONE) < rules.canary:
        return f"not started: {'a canary failed' if failed else 'no canary answered'}"
    return f"not started: {failed} failed, expected fewer than {rules.max_failures} (--max-failures)"


def _count(outcomes: list[HostOutcome], kind: Kind) -> int:
    return sum(outcome.kind == kind for outcome in outcomes)
