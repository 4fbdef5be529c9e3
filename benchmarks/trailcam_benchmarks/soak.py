"""A long run at full load: does the rate of the first minute still hold at the end?

A small board in a closed box slows down when it is hot. The figure to quote is the sustained one, of the last minute.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from trailcam_benchmarks.machine import Condition
from trailcam_benchmarks.stages import Clock, Stages, time_frames

__all__ = ["Sample", "SoakSummary", "summarise_soak", "take_samples"]

_MINUTE_S = 60.0


@dataclass(frozen=True)
class Sample:
    """A stretch of a soak that ended ``at_s`` after its start: frames per second of the whole loop, and the machine."""

    at_s: float
    seconds: float
    frames: int
    rate_hz: float
    memory_mb: float | None
    temperature_c: float | None
    frequency_mhz: float | None
    throttled: int | None


@dataclass(frozen=True)
class SoakSummary:
    """The first minute against the last; ``ratio`` is None where the soak was shorter than two minutes.

    ``throttled`` is whether the firmware reported throttling in any sample, None where it reports nothing.
    """

    seconds: float
    first_hz: float
    sustained_hz: float
    ratio: float | None
    hottest_c: float | None
    throttled: bool | None
    memory_growth_mb: float | None


def take_samples(
    stages: Stages,
    seconds: float,
    sample_s: float,
    clock: Clock,
    condition: Callable[[], Condition],
    memory_mb: Callable[[], tuple[float | None, float | None]],
) -> Iterator[Sample]:
    """Run for ``seconds`` and give a sample every ``sample_s``, as soon as it is there."""
    start_s = before_s = clock()
    while before_s - start_s < seconds:
        frames = len(time_frames(stages, 1, min(sample_s, seconds - (before_s - start_s)), clock))
        now_s = clock()
        looked = condition()
        yield Sample(
            at_s=now_s - start_s,
            seconds=now_s - before_s,
            frames=frames,
            rate_hz=frames / (now_s - before_s),
            memory_mb=memory_mb()[0],
            temperature_c=looked.temperature_c,
            frequency_mhz=looked.frequency_mhz,
            throttled=looked.throttled,
        )
        before_s = now_s


def summarise_soak(samples: Sequence[Sample]) -> SoakSummary:
    """Compare the first minute with the last; a soak that was cut is judged by the samples it has (at least one)."""
    end_s = samples[-1].at_s
    first = _rate([sample for sample in samples if sample.at_s <= _MINUTE_S] or samples[:1])
    last = _rate([sample for sample in samples if sample.at_s - sample.seconds >= end_s - _MINUTE_S] or samples[-1:])
    degrees = [sample.temperature_c for sample in samples if sample.temperature_c is not None]
    bits = [sample.throttled for sample in samples if sample.throttled is not None]
    held = [sample.memory_mb for sample in samples if sample.memory_mb is not None]
    return SoakSummary(
        seconds=end_s,
        first_hz=first,
        sustained_hz=last,
        ratio=last / first if end_s >= 2 * _MINUTE_S else None,
        hottest_c=max(degrees, default=None),
        throttled=any(bit & 0xF for bit in bits) if bits else None,
        memory_growth_mb=held[-1] - held[0] if held else None,
    )


def _rate(samples: Sequence[Sample]) -> float:
    return sum(sample.frames for sample in samples) / sum(sample.seconds for sample in samples)
