"""Where an axis begins and ends, and whether it is logarithmic: rules as pure functions."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

_AIR = 0.05  # of the range, beside the outermost values
_TENFOLD = 10.0

Point = tuple[float, float]


@dataclass(frozen=True)
class Axis:
    """One axis: its name with the unit, and what it may show.

    The axis never goes below ``low`` nor above ``high``; ``show`` are values that it reaches in any case. ``percent``
    writes fractions as percentages, ``whole`` has ticks at whole numbers alone, ``log`` allows a logarithmic scale, and
    ``ticks`` is the largest number of intervals between ticks.
    """

    name: str
    low: float | None = None
    high: float | None = None
    show: tuple[float, ...] = ()
    percent: bool = False
    whole: bool = False
    log: bool = False
    ticks: int = 5

    def text(self, value: float) -> str:
        """Return a tick as text."""
        return (f"{100 * value:.4g}%" if self.percent else f"{value:,.6g}").replace("-", "−")  # noqa: RUF001 - a minus


def fraction(name: str, show: tuple[float, ...] = ()) -> Axis:
    """Return an axis of fractions: within 0 and 100 %."""
    return Axis(name, 0.0, 1.0, show, percent=True)


def quantity(name: str, show: tuple[float, ...] = ()) -> Axis:
    """Return an axis of times, sizes or counts: nothing below zero, logarithmic where values differ tenfold."""
    return Axis(name, 0.0, show=show, log=True)


def uses_log(values: Iterable[float], axis: Axis) -> bool:
    """Return whether the largest value is at least ten times the smallest, all are above 0, and the axis allows it."""
    every = [*values, *axis.show]
    return axis.log and bool(every) and min(every) > 0 and max(every) >= _TENFOLD * min(every)


def limits(values: Iterable[float], axis: Axis) -> Point:
    """Return both ends of an axis: around the values with some air, within what the axis may show; low below high."""
    least, most = -math.inf if axis.low is None else axis.low, math.inf if axis.high is None else axis.high
    every = [min(most, max(least, value)) for value in (*values, *axis.show) if math.isfinite(value)]
    if not every:
        low = 0.0 if axis.low is None else axis.low
        return low, low + 1.0 if axis.high is None else axis.high
    low, high = min(every), max(every)
    if uses_log(every, axis):
        air = (high / low) ** _AIR
        return low / air, high * air
    air = _AIR * (high - low) or _AIR * abs(high) or 1.0
    return max(least, low - air), min(most, high + air)
