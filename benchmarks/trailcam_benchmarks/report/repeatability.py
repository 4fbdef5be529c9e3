"""Does a second run of the same plan give what the first one states?

Every figure compared is a median over rounds. Its interval are two rounds of the first run (beside a ratio the one that
is stated), and how often the median of another run's rounds lies between them is counted exactly, whatever the
distribution: at least 92 % with 8 rounds and 8. That holds if nothing made the two runs differ but what also differs
from round to round.

    ratios   do not depend on how busy the machine is that day
    p90      of every round, in milliseconds, so they do. The 95 % interval beside the p90 of all frames is no measure
             for this: where rounds differ by 5 %, another run's p90 lay in it, even made wider by the square root of
             2, in 83 % of simulated runs

How many lie within is counted beside how many are expected to, and the verdicts of ``against``, which grants 5 %.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from statistics import median

import numpy as np

from trailcam_benchmarks.report.tables import describe_row
from trailcam_benchmarks.results.regression_check import Verdict, compare
from trailcam_benchmarks.results.schema import Result, Row
from trailcam_benchmarks.statistics import Ratio, median_again_share, quantile_interval

__all__ = ["AgreedP90", "AgreedRatio", "Agreement", "judge_agreement"]


@dataclass(frozen=True)
class AgreedRatio:
    """One ratio in both runs; ``measure`` is "x float32", "x floor" or what else a row has.

    ``within`` is whether the second lies in the first's interval, and ``share`` how often it is expected to; None in
    files of an earlier version.
    """

    row: str
    measure: str
    first: Ratio
    second: Ratio
    within: bool
    share: float | None = None


@dataclass(frozen=True)
class AgreedP90:
    """The median of the rounds' 90th percentiles in both runs, and the interval that the second is expected in."""

    row: str
    first_ms: float
    second_ms: float
    low_ms: float
    high_ms: float
    within: bool
    share: float


@dataclass(frozen=True)
class Agreement:
    """All figures that both runs have, and the verdicts of the second against the first."""

    first: str
    second: str
    ratios: tuple[AgreedRatio, ...]
    verdicts: tuple[Verdict, ...]
    p90s: tuple[AgreedP90, ...] = ()
    schema_version: int = 1


def judge_agreement(first: Result, second: Result) -> Agreement:
    """Compare two runs of the same plan; a row against itself, and what has no interval, is left out."""
    others = {_key(row): row for row in second.rows if _whole(row)}
    pairs = [(row, others[_key(row)]) for row in first.rows if _whole(row) and _key(row) in others]
    return Agreement(
        first.started,
        second.started,
        tuple(found for pair in pairs for found in _ratios(*pair)),
        compare(asdict(first), second),
        tuple(found for pair in pairs for found in _p90s(*pair)),
    )


def _ratios(first: Row, second: Row) -> Iterator[AgreedRatio]:
    if first.latency is None or second.latency is None:
        return
    share = median_again_share(len(first.latency.round_p50_ms), len(second.latency.round_p50_ms))
    for field in fields(Row):
        one, two = getattr(first, field.name), getattr(second, field.name)
        if not isinstance(one, Ratio) or not isinstance(two, Ratio):
            continue
        low, high = one.interval.low, one.interval.high
        if low is None or high is None or low == one.value == high == 1:
            continue
        yield AgreedRatio(
            row=describe_row(first),
            measure=f"x {field.name.removeprefix('over_')}",
            first=one,
            second=two,
            within=low <= two.value <= high,
            share=share,
        )


def _p90s(first: Row, second: Row) -> Iterator[AgreedP90]:
    if first.latency is None or second.latency is None:
        return
    one, two = first.latency.round_p90_ms, second.latency.round_p90_ms
    if not one or not two:
        return
    interval = quantile_interval(np.array(one), 0.5)
    if interval.low is None or interval.high is None:
        return
    again_ms = median(two)
    yield AgreedP90(
        row=describe_row(first),
        first_ms=median(one),
        second_ms=again_ms,
        low_ms=interval.low,
        high_ms=interval.high,
        within=interval.low <= again_ms <= interval.high,
        share=median_again_share(len(one), len(two)),
    )


def _whole(row: Row) -> bool:
    return row.kind == "model" and row.state == "measured"


def _key(row: Row) -> tuple[str, str, str, int]:
    return row.sha256, row.scheme, row.runtime, row.threads
