"""Print the costs of rollouts: ``python -m trailcam_project.rollout_simulation [--cameras N] [--seed N]``."""

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from trailcam_core.release.index import Offer, ReleaseIndex
from trailcam_project.rollout_simulation.contacts import CHANNEL, NEW, OLD, Costs, measure
from trailcam_project.rollout_simulation.fleet import Fleet, RolloutStep, SimulationResult, simulate

_DAYS = 70
_COLUMNS = (
    "rollout",
    "took it",
    "have it in the end",
    "half by day",
    "95 % by day",
    "all by day",
    "all back by day",
    "requests",
    "in the worst hour",
    "MB",
    "in the worst hour",
    "kB per camera",
)
_BEFORE = ReleaseIndex(CHANNEL, 1, (Offer(1, OLD),))


def _offers(number: int, percent: int, stopped: bool = False) -> ReleaseIndex:
    return ReleaseIndex(CHANNEL, number, (Offer(2, NEW, percent, stopped), Offer(1, OLD)))


def _scenarios() -> Iterator[tuple[str, list[RolloutStep], bool]]:
    """Yield a name, what the host offers when, and whether there are deltas."""
    begin = RolloutStep(-1.0, _BEFORE)
    widened = [begin, *(RolloutStep(7.0 * week, _offers(2 + week, share)) for week, share in enumerate((10, 50, 100)))]
    yield "nothing new", [begin], True
    yield "100 % at once", [begin, RolloutStep(0.0, _offers(2, 100))], True
    yield "10, 50, 100 % in weeks 0, 1, 2", widened, True
    yield "the same, whole files", widened, False
    yield (
        "10 %, stopped on day 4",
        [begin, RolloutStep(0.0, _offers(2, 10)), RolloutStep(4.0, _offers(3, 10, stopped=True))],
        True,
    )
    gone = RolloutStep(4.0, replace(_BEFORE, number=3))
    yield "10 %, expired on day 4", [begin, RolloutStep(0.0, _offers(2, 10)), gone], True


def _row(name: str, outcome: SimulationResult, cameras: int) -> str:
    """Return one row of a Markdown table."""
    takers = len({camera for _, camera, version in outcome.changes if version == NEW})
    days = [outcome.days_until(NEW, max(1, round(takers * share))) for share in (0.5, 0.95, 1.0)]
    shown = ["-" if day is None else f"{day:.0f}" for day in days]
    left = Counter(outcome.runs)[NEW]
    back = [day for day, _, version in outcome.changes if version == OLD]
    requests, sent = sum(outcome.requests.values()), sum(outcome.sent_bytes.values())
    columns = (
        name,
        f"{takers:,}",
        f"{left:,}",
        *shown,
        f"{max(back):.0f}" if back else "-",
        f"{requests:,}",
        f"{max(outcome.requests.values()):,}",
        f"{sent / 1e6:,.0f}",
        f"{max(outcome.sent_bytes.values()) / 1e6:,.1f}",
        f"{sent / cameras / 1e3:,.0f}",
    )
    return f"| {' | '.join(columns)} |"


def main(words: list[str]) -> None:
    """Measure contacts, simulate each scenario and print the tables."""
    parser = argparse.ArgumentParser(
        prog="python -m trailcam_project.rollout_simulation",
        description="Simulate rollouts to a fleet of cameras, and print requests and bytes of each as tables.",
    )
    parser.add_argument(
        "--cameras", type=int, default=Fleet.cameras, metavar="N", help="cameras of the fleet (%(default)s)"
    )
    parser.add_argument(
        "--seed", type=int, default=Fleet.seed, metavar="N", help="of the random contacts (%(default)s)"
    )
    arguments = parser.parse_args(words)
    fleet = Fleet(cameras=arguments.cameras, seed=arguments.seed)
    with tempfile.TemporaryDirectory() as base:
        costs = measure(Path(base))
    print("| contact | requests | bytes |\n|---|---|---|")
    for name, sizes in _contacts(costs):
        print(f"| {name} | {len(sizes)} | {sum(sizes):,} |")
    print(f"\n| {' | '.join(_COLUMNS)} |\n|{'---|' * len(_COLUMNS)}")
    for name, steps, with_deltas in _scenarios():
        paid = costs if with_deltas else replace(costs, delta=costs.whole)
        print(_row(name, simulate(fleet, paid, steps, _DAYS, OLD), fleet.cameras))


def _contacts(costs: Costs) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield "nothing was signed since the last one", costs.unchanged
    yield "something was signed, nothing for this camera", costs.changed
    yield "a new head, as a delta", costs.changed + costs.delta
    yield "the same, whole files", costs.changed + costs.whole
    yield "back to the previous bundle", costs.changed + costs.back


if __name__ == "__main__":
    main(sys.argv[1:])
