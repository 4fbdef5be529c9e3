"""Run soaks one after the other, each from about the temperature that the machine had before anything was measured."""

import contextlib
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from trailcam_benchmarks.host.machine import Condition
from trailcam_benchmarks.host.signals import INTERRUPTED, UNFINISHED
from trailcam_benchmarks.results.rows import Variant
from trailcam_benchmarks.results.schema import Soak
from trailcam_benchmarks.worker.keras_baseline import KERAS_WAYS
from trailcam_benchmarks.worker.soak import Sample, summarise_soak
from trailcam_benchmarks.worker.spawn import ChildError, LostError, Run
from trailcam_benchmarks.worker.worker import Request
from trailcam_core.progress import Progress

__all__ = ["choose_soaked", "cool_down", "run_soak"]

_NEAR_C = 3.0  # sensors of small boards wander by a degree or two at rest
_LOOK_EVERY_S = 10.0
_KEEP_EVERY = 6  # samples, a minute: to work the whole result out takes a small board a second


def choose_soaked(variants: Sequence[Variant], bundle: Path) -> Variant | Soak:
    """Return what of ``bundle`` is soaked: the first number of threads, on the first runtime, that was measured.

    Returns:
        That variant, or a soak without samples that says why there is none.
    """
    mine = [v for v in variants if v.bundle == bundle and not v.floor and v.runtime not in KERAS_WAYS]
    for variant in mine:
        if variant.rounds:
            return variant
    return Soak(str(bundle), mine[0].threads, False, f"it was not measured: {mine[0].reason}", None, ())


def cool_down(
    look: Callable[[], Condition],
    to_c: float | None,
    limit_s: float,
    progress: Progress,
    rest: Callable[[float], None],
) -> Condition:
    """Wait until the machine is near ``to_c`` again, or ``limit_s`` have passed; return how it is then.

    A machine that has no thermometer is not waited for.

    Raises:
        LostError: it is out of reach.
    """
    limit = math.ceil(limit_s / _LOOK_EVERY_S)
    now = look()
    for waited in range(limit):
        if to_c is None or now.temperature_c is None or now.temperature_c <= to_c + _NEAR_C:
            break
        progress("cooling down", waited, limit, f"{now.temperature_c:.0f} degrees C")
        rest(_LOOK_EVERY_S)
        now = look()
    return now


def run_soak(
    variant: Variant,
    seconds: float,
    sample_s: float,
    start: Condition,
    run: Run,
    progress: Progress,
    hold: Callable[[Soak], None],
) -> None:
    """Soak one variant for ``seconds``; ``hold`` gets it every minute as far as it is, and at the end whole.

    Raises:
        LostError: the machine is out of reach; what was sampled is held.
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
                    hold(so_far())
        soak = replace(soak, complete=True, reason="")
    except ChildError as error:
        soak = replace(soak, reason=str(error))
    except (KeyboardInterrupt, LostError) as error:
        soak = replace(soak, reason=str(error) if isinstance(error, LostError) else INTERRUPTED)
        raise
    finally:
        hold(so_far())
