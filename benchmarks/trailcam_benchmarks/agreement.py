"""Does a second run agree with the first within the intervals that both state?

Ratios are compared, which a machine that is busier today does not change. Two runs agree on one where their 95 %
intervals have a place in common; that the second figure itself lies in the first interval is said as well, and so is
the verdict of ``against``, which grants 5 %.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass

from trailcam_benchmarks.against import Verdict, compare
from trailcam_benchmarks.result import Result, Row
from trailcam_benchmarks.statistics import Ratio

__all__ = ["AgreedRatio", "Agreement", "judge_agreement"]


@dataclass(frozen=True)
class AgreedRatio:
    """One ratio in both runs; ``measure`` is "x float32" or "x floor"."""

    row: str
    measure: str
    first: Ratio
    second: Ratio
    agrees: bool
    within: bool


@dataclass(frozen=True)
class Agreement:
    """All ratios that both runs have, and the verdicts of the second against the first."""

    first: str
    second: str
    ratios: tuple[AgreedRatio, ...]
    verdicts: tuple[Verdict, ...]
    schema_version: int = 1

    @property
    def holds(self) -> bool:
        """Whether there is something to compare and all of it agrees."""
        return bool(self.ratios) and all(ratio.agrees for ratio in self.ratios)


def judge_agreement(first: Result, second: Result) -> Agreement:
    """Compare two runs of the same plan; float32 against itself is left out."""
    others = {_key(row): row for row in second.rows if row.kind == "model"}
    ratios = []
    for row in first.rows:
        other = others.get(_key(row))
        if row.kind == "model" and other is not None:
            ratios += list(_ratios(row, other))
    return Agreement(first.started, second.started, tuple(ratios), compare(asdict(first), second))


def _ratios(first: Row, second: Row) -> Iterator[AgreedRatio]:
    pairs = [("x floor", first.over_floor, second.over_floor)]
    if first.scheme != "float32" or first.runtime.split(" ")[0] == "onnxruntime":
        pairs.insert(0, ("x float32", first.over_float32, second.over_float32))
    for measure, one, two in pairs:
        ends = None if one is None or two is None else (*_ends(one), *_ends(two))
        if one is None or two is None or ends is None:
            continue
        low, high, other_low, other_high = ends
        name = f"{first.name} {first.scheme}, {first.runtime}, {first.threads} thread(s)"
        yield AgreedRatio(
            row=name,
            measure=measure,
            first=one,
            second=two,
            agrees=low <= other_high and other_low <= high,
            within=low <= two.value <= high,
        )


def _ends(ratio: Ratio) -> tuple[float, float]:
    """Return the interval; an end that too few rounds leave open is open."""
    low, high = ratio.interval.low, ratio.interval.high
    return (0.0 if low is None else low, float("inf") if high is None else high)


def _key(row: Row) -> tuple[str, str, int]:
    return row.sha256, row.runtime, row.threads
