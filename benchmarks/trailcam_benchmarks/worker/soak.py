"""Soak: a long run at full load that compares the rate of the last minute with that of the first.

A small board in a closed box slows down when it is hot. The figure to quote is the sustained one, of the last minute.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from trailcam_benchmarks.host.machine import Condition
from trailcam_benchmarks.worker.stages import Clock, Stages, time_frames

_MINUTE_S = 60.0
# Bits of the firmware: 0 undervoltage, 1 frequency capped, 2 throttled, 3 soft temperature limit, all now; 16 to 19 the
# same since the boot. Source: Raspberry Pi documentation, vcgencmd, get_throttled.
_NOW, _STAYS_SHIFT = 0xF, 16
_UNDERVOLTAGE, _SLOWED = 0x1, 0xE


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
    """The first minute and the last; ``ratio`` is None where the soak was shorter than two minutes.

    ``throttled`` is whether the firmware slowed the processor down during the soak (frequency capped, throttled, soft
    temperature limit), ``undervoltage`` whether the supply was too weak; both are None if it reports nothing.
    """

    seconds: float
    first_hz: float
    sustained_hz: float
    ratio: float | None
    hottest_c: float | None
    throttled: bool | None
    memory_growth_mb: float | None
    undervoltage: bool | None = None


def take_samples(
    stages: Stages,
    seconds: float,
    sample_s: float,
    clock: Clock,
    condition: Callable[[], Condition],
    memory_mb: Callable[[], tuple[float | None, float | None]],
) -> Iterator[Sample]:
    """Run for ``seconds`` and yield a sample every ``sample_s``."""
    start_s = before_s = clock()
    while before_s - start_s < seconds:
        frames = len(time_frames(stages, 1, min(sample_s, seconds - (before_s - start_s)), clock))
        now_s = clock()
        now = condition()
        yield Sample(
            at_s=now_s - start_s,
            seconds=now_s - before_s,
            frames=frames,
            rate_hz=frames / (now_s - before_s),
            memory_mb=memory_mb()[0],
            temperature_c=now.temperature_c,
            frequency_mhz=now.frequency_mhz,
            throttled=now.throttled,
        )
        before_s = now_s


def summarise_soak(samples: Sequence[Sample], start: Condition | None = None) -> SoakSummary:
    """Compare the first minute with the last; an interrupted soak is judged by its samples so far.

    Args:
        samples: at least one.
        start: condition of the machine just before, with the firmware's earlier flags.
    """
    end_s = samples[-1].at_s
    first = _rate([sample for sample in samples if sample.at_s <= _MINUTE_S] or samples[:1])
    last = _rate([sample for sample in samples if sample.at_s - sample.seconds >= end_s - _MINUTE_S] or samples[-1:])
    degrees = [sample.temperature_c for sample in samples if sample.temperature_c is not None]
    seen = _firmware_bits(samples, None if start is None else start.throttled)
    held = [sample.memory_mb for sample in samples if sample.memory_mb is not None]
    return SoakSummary(
        seconds=end_s,
        first_hz=first,
        sustained_hz=last,
        ratio=last / first if end_s >= 2 * _MINUTE_S else None,
        hottest_c=max(degrees, default=None),
        throttled=None if seen is None else bool(seen & _SLOWED),
        memory_growth_mb=held[-1] - held[0] if held else None,
        undervoltage=None if seen is None else bool(seen & _UNDERVOLTAGE),
    )


def _firmware_bits(samples: Sequence[Sample], at_start: int | None) -> int | None:
    """Return the firmware's flags during the soak, as the bits for "now"; None if it reports nothing.

    A sample covers one instant, so flags that stay set count as well if they were not set at the start. If the start is
    unknown, those of the first sample count as older than the soak.
    """
    bits = [sample.throttled for sample in samples if sample.throttled is not None]
    if not bits:
        return None
    former = bits[0] if at_start is None else at_start
    found = 0
    for bit in bits:
        found |= bit & _NOW | (bit & ~former) >> _STAYS_SHIFT & _NOW
    return found


def _rate(samples: Sequence[Sample]) -> float:
    return sum(sample.frames for sample in samples) / sum(sample.seconds for sample in samples)
