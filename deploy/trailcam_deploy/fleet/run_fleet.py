"""Many devices at once: a few first as canaries, then the others side by side, and an end when too many have failed.

Offline is not failed: a camera in a forest sleeps, and the next run picks it up.
"""

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Literal

from trailcam_core.errors import TrailcamError
from trailcam_deploy.fleet.inventory import Host
from trailcam_deploy.ssh.errors import HostError, OfflineError

__all__ = ["DONE", "FAILED", "LEFT_OUT", "OFFLINE", "FleetRules", "Outcome", "run_fleet"]

Kind = Literal["done", "offline", "failed", "left out"]
DONE: Kind = "done"
OFFLINE: Kind = "offline"
FAILED: Kind = "failed"
LEFT_OUT: Kind = "left out"


@dataclass(frozen=True)
class FleetRules:
    """How carefully: ``canary`` devices alone first, ``parallel`` at once, none begun after ``max_failures``."""

    canary: int = 0
    parallel: int = 8
    max_failures: int = 1

    def __post_init__(self) -> None:
        for name, low in (("canary", 0), ("parallel", 1), ("max_failures", 1)):
            if not low <= getattr(self, name) <= 10_000:
                raise ValueError(f"{name} is {getattr(self, name)}, expected {low} or more")


@dataclass(frozen=True)
class Outcome:
    """How it went with one device, and the words for a person."""

    host: Host
    kind: Kind
    text: str


def run_fleet(
    hosts: Iterable[Host],
    work: Callable[[Host], str],
    rules: FleetRules,
    tell: Callable[[Outcome], None],
    stop: threading.Event,
    hang_up: Callable[[], None] = lambda: None,
) -> list[Outcome]:
    """Work on every device and return the outcomes, in the order in which they came.

    Args:
        hosts: in the order in which they should be begun; the first that answer are the canaries.
        work: does everything with one device and returns what to say of it; called by several threads.
        rules: how carefully.
        tell: gets each outcome at once; called by this thread.
        stop: set by whoever wants the end; what runs is waited for, the rest is left out.
        hang_up: ends what runs, after Ctrl-C.
    """
    outcomes: list[Outcome] = []
    waiting = list(hosts)

    def finish(outcome: Outcome) -> None:
        outcomes.append(outcome)
        tell(outcome)

    def count(kind: Kind) -> int:
        return sum(outcome.kind == kind for outcome in outcomes)

    with ThreadPoolExecutor(rules.parallel, "device") as pool:
        running: dict[Future[Outcome], Host] = {}
        try:
            while True:
                proven = count(DONE) >= rules.canary
                # A canary that fails ends it, however many failures the others may have.
                ended = stop.is_set() or count(FAILED) >= (rules.max_failures if proven else 1)
                most = rules.parallel if proven else min(rules.parallel, rules.canary - count(DONE))
                while waiting and not ended and len(running) < most:
                    host = waiting.pop(0)
                    running[pool.submit(_attempt, host, work)] = host
                if not running:
                    break
                ready, _ = wait(running, timeout=0.2, return_when=FIRST_COMPLETED)
                for future in ready:
                    del running[future]
                    finish(future.result())
        except BaseException:
            stop.set()
            hang_up()
            raise
    for host in waiting:
        why = "it was interrupted" if stop.is_set() else _why(outcomes, rules)
        finish(Outcome(host, LEFT_OUT, why))
    return outcomes


def _attempt(host: Host, work: Callable[[Host], str]) -> Outcome:
    try:
        return Outcome(host, DONE, work(host))
    except OfflineError as error:
        return Outcome(host, OFFLINE, str(error))
    except InterruptedError:
        return Outcome(host, LEFT_OUT, "it was interrupted")
    except HostError as error:
        return Outcome(host, FAILED, str(error))
    except TrailcamError as error:
        return Outcome(host, FAILED, f"{type(error).__name__}: {error}")


def _why(outcomes: list[Outcome], rules: FleetRules) -> str:
    done = sum(outcome.kind == DONE for outcome in outcomes)
    failed = sum(outcome.kind == FAILED for outcome in outcomes)
    if done < rules.canary:
        return f"not begun: {'a canary failed' if failed else 'no canary answered'}"
    return f"not begun: {failed} failed, expected fewer than {rules.max_failures} (--max-failures)"
