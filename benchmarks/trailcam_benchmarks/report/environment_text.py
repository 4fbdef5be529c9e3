"""Describe the machine of a run and its condition in one paragraph, with warnings."""

from trailcam_benchmarks.host.idle import is_busy
from trailcam_benchmarks.host.machine import Condition, Machine
from trailcam_benchmarks.results.schema import Result
from trailcam_core.files.names import counted
from trailcam_edge.telemetry.health import Throttling, parse_throttled


def describe_environment(result: Result) -> str:
    """Return the machine, its condition before and after, the time of the run, and the length of its rows."""
    host = f"{result.host}: " if result.host else ""
    return (
        f"{host}{describe_machine_line(result.machine)}; {describe_conditions(result.before, result.after)}; "
        f"{result.started}. Each row: at least {result.frames_wanted:,} frames and {result.min_time_s:g} s, in "
        f"{result.rounds} rounds taken in turns."
    )


def describe_machine_line(machine: Machine) -> str:
    """Return the known facts of a machine: board, processor, cores, system, governor, versions of packages."""
    known = [
        "" if machine.board == "unknown" else machine.board,
        machine.processor + (f" ({machine.instructions})" if machine.instructions else ""),
        counted(machine.cores, "core"),
        machine.system,
        f"Python {machine.python}",
        "" if machine.governor is None else f"governor {machine.governor}",
    ]
    packages = ", ".join(f"{name} {version}" for name, version in machine.packages.items())
    return ", ".join(filter(None, known)) + (f"; {packages}" if packages else "")


def describe_conditions(before: Condition, after: Condition) -> str:
    """Return load, temperature, frequency and throttling bits, before and after; what neither knows is left out."""
    figures = (
        (before.load, after.load, "load {} before and {} after", ".2f"),
        (before.temperature_c, after.temperature_c, "{} to {} degrees C", ".0f"),
        (before.frequency_mhz, after.frequency_mhz, "{} to {} MHz", ".0f"),
        (before.throttled, after.throttled, "throttling bits {} before and {} after", "#x"),
    )
    said = [
        text.format(*("unknown" if value is None else format(value, shape) for value in (first, last)))
        for first, last, text, shape in figures
        if first is not None or last is not None
    ]
    return ", ".join(said) or "load not known"


def warnings(result: Result) -> list[str]:
    """Return a line for each reason not to quote the milliseconds of a run."""
    lines = []
    before, after = _throttling(result.before), _throttling(result.after)
    now = sorted({*(before.now if before else ()), *(after.now if after else ())})
    if now:
        lines.append(f"Warning: the firmware reports {', '.join(now)}: the board does not run at its full rate.")
    if before and after and (new := [name for name in after.since_start if name not in before.since_start]):
        lines.append(f"Warning: {', '.join(new)} occurred during this run, as the firmware remembers.")
    cores = result.machine.cores
    if is_busy(result.before, cores):
        lines.append(
            f"Warning: the load of the minute before was {result.before.load:.2f} on {counted(cores, 'core')}: the "
            "machine was busy. Ratios are still valid, times are not."
        )
    return lines


def _throttling(condition: Condition) -> Throttling | None:
    return None if condition.throttled is None else parse_throttled(f"{condition.throttled:x}")
