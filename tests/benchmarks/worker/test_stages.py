"""Timing with a clock that obeys: every stage gets its own time, and a run lasts as long as it was asked to."""

import numpy as np
import pytest

from trailcam_benchmarks.host.machine import Condition
from trailcam_benchmarks.worker.soak import Sample, summarise_soak, take_samples
from trailcam_benchmarks.worker.stages import Stages, latencies, time_frames


class FakeClock:
    def __init__(self) -> None:
        self.now_s = 100.0
        self.factor = 1.0

    def __call__(self) -> float:
        return self.now_s

    def spend(self, ms: float) -> None:
        self.now_s += self.factor * ms / 1e3


def stages_on(clock: FakeClock) -> Stages:
    """Stages that take 3, 2, 20 and 1 ms and hand on what they got."""

    def step(ms: float, name: str):  # type: ignore[no-untyped-def]
        def run(*given: str) -> str:
            clock.spend(ms)
            return "".join(given) + name

        return run

    def post(given: str) -> None:
        assert given == "dri"
        clock.spend(1)

    return Stages(step(3, "d"), step(2, "r"), step(20, "i"), post)


def test_every_stage_gets_its_own_time_and_latency_leaves_decoding_out() -> None:
    times = time_frames(stages_on(clock := FakeClock()), 5, 0, clock)
    assert times.shape == (5, 4)
    np.testing.assert_allclose(times, np.tile([3, 2, 20, 1], (5, 1)))
    np.testing.assert_allclose(latencies(times), 23)


def test_both_the_frames_and_the_time_must_be_reached() -> None:
    assert len(time_frames(stages_on(clock := FakeClock()), 5, 0.01, clock)) == 5
    assert len(time_frames(stages_on(clock := FakeClock()), 5, 1.0, clock)) == 39  # 26 ms each


def samples_of(seconds: float, slow_after_s: float) -> list[Sample]:
    clock = FakeClock()
    start_s = clock.now_s

    def probe() -> Condition:
        hot = clock.now_s - start_s >= slow_after_s
        clock.factor = 2.0 if hot else 1.0
        return Condition(80.0 if hot else 50.0, 1500.0, 0x50005 if hot else 0, 1.0)

    return list(take_samples(stages_on(clock), seconds, 10.0, clock, probe, lambda: (50.0, 60.0)))


def test_a_soak_compares_the_first_minute_with_the_last() -> None:
    samples = samples_of(300, 150)
    assert len(samples) == pytest.approx(30, abs=1)
    found = summarise_soak(samples)
    assert found.first_hz == pytest.approx(1000 / 26, rel=0.01)
    assert found.sustained_hz == pytest.approx(500 / 26, rel=0.01)
    assert found.ratio == pytest.approx(0.5, rel=0.02)
    assert (found.hottest_c, found.throttled, found.memory_growth_mb) == (80.0, True, 0.0)
    assert 300 <= found.seconds < 301


def test_a_short_soak_gives_no_ratio_and_throttling_of_the_past_does_not_count() -> None:
    found = summarise_soak(samples_of(60, 1000))
    assert found.ratio is None
    assert found.throttled is False
    past = Sample(10.0, 10.0, 100, 10.0, None, None, None, 0x50000)
    unknown = Sample(10.0, 10.0, 100, 10.0, None, None, None, None)
    assert summarise_soak([past]).throttled is False
    assert summarise_soak([unknown]).throttled is None
    assert summarise_soak([unknown]).undervoltage is None
    assert summarise_soak([unknown]).memory_growth_mb is None


@pytest.mark.parametrize(
    ("start", "bits", "throttled", "undervoltage"),
    [
        (0x0, [0x60000, 0x60000], True, False),  # between two samples: only the bits that stay set saw it
        (0x0, [0x10000], False, True),
        (0x0, [0x1], False, True),  # a weak supply alone slows nothing down
        (0x0, [0x2, 0x0], True, False),
        (0x0, [0x8], True, False),
        (0x50000, [0x50000], False, False),  # long before
        (0x50000, [0x70000], True, False),
        (None, [0x50000, 0x50000], False, False),
        (None, [0x0, 0x50005], True, True),
    ],
)
def test_throttling_of_the_soak_is_told_from_undervoltage_and_from_the_past(
    start: int | None, bits: list[int], throttled: bool, undervoltage: bool
) -> None:
    samples = [Sample(10.0 * n, 10.0, 100, 10.0, None, None, None, bit) for n, bit in enumerate(bits, start=1)]
    found = summarise_soak(samples, Condition(None, None, start, None))
    assert (found.throttled, found.undervoltage) == (throttled, undervoltage)
