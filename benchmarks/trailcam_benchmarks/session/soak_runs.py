"""Run soaks one after the other, each from about the temperature of the machine before the benchmark."""

import contextlib
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from trailcam_benchmarks.host.machine import Condition
from trailcam_benchmarks.host.signals import INTERRUPTED, UNFINISHED
from trailcam_benchmarks.results.rows import BenchmarkVariant
from trailcam_benchmarks.results.schema import Soak
from trailcam_benchmarks.worker.keras_baseline import KERAS_WAYS
from trailcam_benchmarks.worker.soak import Sample, summarise_soak
from trailcam_benchmarks.worker.spawn import LostError, Run, WorkerError
from trailcam_benchmarks.worker.worker import Request
from trailcam_core.jobs.progress import Progress

_NEAR_C = 3.0  # sensors of small boards wander by a degree or two at rest
_POLL_S = 10.0
_KEEP_EVERY = 6  # samples, a minute: a small board needs a second to compute the result


def choose_soaked(variants: Sequence[BenchmarkVariant], bundle: Path) -> BenchmarkVariant | Soak:
    """Choose the variant of a bundle for its soak: the first measured number of threads on the first runtime.

    Returns:
        That variant, or a soak without samples and with the reason.
    """
    mine = [v for v in variants if v.bundle == bundle and not v.baseline and v.runtime not in KERAS_WAYS]
    for variant in mine:
        if variant.rounds:
            return variant
    return Soak(str(bundle), mine[0].threads, False, f"it was not measured: {mine[0].reason}", None, ())


def cool_down(
    probe: Callable[[], Condition],
    to_c: float | None,
    limit_s: float,
    progress: Progress,
    sleep: Callable[[float], None],
) -> Condition:
    """Wait until the machine is near ``to_c`` again, or ``limit_s`` have passed; return its condition then.

    A machine without a thermometer needs no waiting.

    Raises:
        LostError: it is out of reach.
    """
    limit = math.ceil(limit_s / _POLL_S)
    now = probe()
    for waited in range(limit):
        if to_c is None or now.temperature_c is None or now.temperature_c <= to_c + _NEAR_C:
            break
        progress("cooling down", waited, limit, f"{now.temperature_c:.0f} degrees C")
        sleep(_POLL_S)
        now = probe()
    return now


def run_soak(
    variant: BenchmarkVariant,
    seconds: float,
    sample_s: float,
    start: Condition,
    run: Run,
    progress: Progress,
    update: Callable[[Soak], None],
) -> None:
    """Soak one variant for ``seconds``; ``update`` gets its state every minute and at the end.

    Raises:
        LostError: the machine is out of reach; ``update`` has got the samples so far.
        KeyboardInterrupt: likewise.
    """
    request = Request(
        task="soak",
        bundle=str(variant.bundle),
        threads=variant.threads,
        runtime=variant.runtime,
        seconds=seconds,
        sample_s=sample_s,
    )
    samples: list[Sample] = []
    soak = Soak(str(variant.bundle), variant.threads, False, UNFINISHED, None, (), start, variant.rounds[0].runtime)

    def so_far() -> Soak:
        return replace(soak, summary=summarise_soak(samples, start) if samples else None, samples=tuple(samples))

    try:
        with contextlib.closing(run(request)) as found:
            for answer in found:
                samples.append(Sample(**answer))
                rate = f"{samples[-1].rate_hz:.1f} frames/s"
                progress(f"soak {variant.bundle.name}", int(samples[-1].at_s), int(seconds), rate)
                if len(samples) % _KEEP_EVERY == 0:
                    update(so_far())
        soak = replace(soak, complete=True, reason="")
    except WorkerError as error:
        soak = replace(soak, reason=str(error))
    except (KeyboardInterrupt, LostError) as error:
        soak = replace(soak, reason=str(error) if isinstance(error, LostError) else INTERRUPTED)
        raise
    finally:
        update(so_far())
