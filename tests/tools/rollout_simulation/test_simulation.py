"""A simulated fleet: what must come out where it can be counted by hand, and costs that the real client had."""

from pathlib import Path

from trailcam_core.classifier import BUILTIN_BUNDLE
from trailcam_core.release.index import Offer, ReleaseIndex
from trailcam_core.release.rollout import takes
from trailcam_project.rollout_simulation.contacts import CHANNEL, NEW, OLD, Costs, measure
from trailcam_project.rollout_simulation.fleet import Fleet, RolloutStep, simulate

COSTS = Costs(
    unchanged=(0, 400), changed=(0, 400, 400, 2000, 300), delta=(1000, 9000), whole=(1000, 5000000), back=(1000,)
)
PERFECT = Fleet(no_contact=0.0, cut=0.0)
BEFORE = RolloutStep(-1.0, ReleaseIndex(CHANNEL, 1, (Offer(1, OLD),)))


def offered(day: float, number: int, percent: int, stopped: bool = False) -> RolloutStep:
    return RolloutStep(day, ReleaseIndex(CHANNEL, number, (Offer(2, NEW, percent, stopped), Offer(1, OLD))))


def ring(percent: int) -> int:
    return sum(takes(Offer(2, NEW, percent), f"cam-{number:04}", CHANNEL) for number in range(1000))


def test_without_trouble_every_camera_has_it_after_a_week_and_the_bytes_are_counted_by_hand() -> None:
    outcome = simulate(PERFECT, COSTS, [BEFORE, offered(0, 2, 100)], 14.0, OLD)
    assert outcome.runs == [NEW] * 1000
    assert outcome.changes[-1][0] < 7
    assert sum(outcome.sent_bytes.values()) == 1000 * (3100 + 10_000 + 400)
    assert sum(outcome.requests.values()) == 1000 * (7 + 2)


def test_nobody_outside_of_the_ring_takes_it() -> None:
    outcome = simulate(Fleet(), COSTS, [BEFORE, offered(0, 2, 10)], 60.0, OLD)
    takers = {number for _, number, _ in outcome.changes}
    assert len(takers) == ring(10)
    assert all(takes(Offer(2, NEW, 10), f"cam-{number:04}", CHANNEL) for number in takers)


def test_after_a_stop_nobody_takes_it_and_nobody_gives_it_back() -> None:
    steps = [BEFORE, offered(0, 2, 50), offered(3, 3, 50, stopped=True)]
    outcome = simulate(Fleet(), COSTS, steps, 60.0, OLD)
    assert 0 < len(outcome.changes) < ring(50)
    assert max(day for day, _, _ in outcome.changes) < 3
    assert outcome.runs.count(NEW) == len(outcome.changes)


def test_after_it_expired_everybody_gives_it_back() -> None:
    gone = RolloutStep(3.0, ReleaseIndex(CHANNEL, 3, (Offer(1, OLD),)))
    outcome = simulate(Fleet(), COSTS, [BEFORE, offered(0, 2, 50), gone], 60.0, OLD)
    assert outcome.runs == [OLD] * 1000
    assert {version for _, _, version in outcome.changes} == {OLD, NEW}


def test_links_that_break_cost_bytes_and_time_but_no_camera() -> None:
    steps = [BEFORE, offered(0, 2, 100)]
    calm, rough = (simulate(fleet, COSTS, steps, 200.0, OLD) for fleet in (PERFECT, Fleet(no_contact=0.3, cut=0.6)))
    assert rough.runs == [NEW] * 1000
    late = [outcome.days_until(NEW, 1000) for outcome in (calm, rough)]
    assert late[0] is not None
    assert late[1] is not None
    assert late[0] < late[1]


def test_the_same_seed_is_the_same_fleet_and_another_is_another() -> None:
    steps = [BEFORE, offered(0, 2, 50)]
    once, again, other = (simulate(Fleet(seed=seed), COSTS, steps, 30.0, OLD) for seed in (1, 1, 2))
    assert once == again
    assert once != other


def test_the_real_client_asks_for_little(tmp_path: Path) -> None:
    costs = measure(tmp_path)
    assert len(costs.unchanged) == 2
    assert sum(costs.unchanged) < 1000
    assert sum(costs.changed) < 10_000
    assert sum(costs.delta) < 0.15 * sum(costs.whole)
    assert len(costs.back) == 1
    files = sum(path.stat().st_size for path in BUILTIN_BUNDLE.iterdir())
    assert files <= sum(costs.whole) < files + 10_000
