"""Check whether a second run of a plan repeats the figures of the first one.

Every compared figure is a median over rounds. Its interval are two rounds of the first run (for a ratio the stated
interval), and the probability that the median of another run's rounds is between them is counted exactly, for any
distribution: at least 92 % with 8 rounds and 8, if the two runs differ only as rounds do.

    ratios   independent of the load of the day
    p90      of every round, in milliseconds, so not independent. The 95 % interval beside the p90 of all frames is no
             measure for this: where rounds differ by 5 %, another run's p90 was in it, even widened by the square root
             of 2, in 83 % of simulated runs

The number inside is reported beside the expected number, and the verdicts of ``regression_check`` with its 5 %.
"""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from statistics import median

import numpy as np

from trailcam_benchmarks.report.tables import describe_row
from trailcam_benchmarks.results.regression_check import Verdict, compare
from trailcam_benchmarks.results.schema import Result, Row
from trailcam_benchmarks.statistics import Ratio, quantile_interval


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


def median_again_share(rounds: int, again: int) -> float:
    """Return how often, at least, the median of ``again`` more rounds lies in ``quantile_interval`` of ``rounds``.

    Of ``rounds`` + ``again`` alike rounds every order is equally likely, so it is counted and not estimated. "At least"
    since the median of an even number lies somewhere between two rounds. 1.0 where the interval is open at both ends.

    Args:
        rounds: of which the 95 % interval of the median is stated; at least 1.
        again: of the later median; at least 1.

    Source: H. A. David and H. N. Nagaraja, "Order Statistics", 3rd edition, 2003, chapter 7: distribution-free
    prediction intervals.
    """
    low = quantile_interval(np.arange(1.0, rounds + 1), 0.5).low
    if low is None:
        return 1.0
    rank = int(low)
    # P(at least k of the new rounds lie below the one of this rank), k the rank of the lower median of the new ones
    below = sum(
        math.comb(rank - 1 + number, number) * math.comb(rounds - rank + again - number, again - number)
        for number in range((again + 1) // 2, again + 1)
    )
    return 1 - 2 * below / math.comb(rounds + again, again)  # above it by symmetry as often
