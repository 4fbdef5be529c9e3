"""Check whether a run is slower than an earlier one by more than the noise of both.

Rows are paired by network, scheme, runtime (of any version), threads and kind. The measures, best first:

    ratio to float32 on the same runtime    the machine cancels out
    ratio to float32 on LiteRT              the same, but includes a new version of LiteRT
    milliseconds                            only if both runs are of the same machine
    none                                    inconclusive

and for every row of a model its ratio to the baseline, which is the overhead of Trailcam.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from trailcam_benchmarks.results.schema import Result
from trailcam_benchmarks.statistics import judge
from trailcam_core.files.names import counted

MARGIN = 0.05  # a change that makes no difference to a camera
_LITERT = "ai-edge-litert"

Fields = Mapping[str, Any]
_Key = tuple[str, str, str, int, str]


@dataclass(frozen=True)
class Verdict:
    """``verdict`` is slower, faster, same, inconclusive or missing; ``change`` is new / old, minus 1."""

    row: str
    measure: str
    verdict: str
    change: float | None
    note: str = ""

    @property
    def failed(self) -> bool:
        """Return True if this should stop a release."""
        return self.verdict in ("slower", "missing")


def compare(old: Fields, new: Result, margin: float = MARGIN) -> tuple[Verdict, ...]:
    """Compare an earlier result with a new one.

    Args:
        old: returned by ``schema.read_earlier``.
        new: the present result.
        margin: relative change that does not matter.

    Returns:
        Verdicts on every model row of the earlier result; a row without present figures is ``missing``.
    """
    same_machine = _identity(old["machine"]) == _identity(asdict(new.machine))
    before, after = _by_key(old["rows"]), _by_key([asdict(row) for row in new.rows])
    verdicts: list[Verdict] = []
    for key, rounds in before.items():
        name, scheme, runtime, threads, kind = key
        if kind != "model":
            continue
        row = f"{name} {scheme}, {runtime}, {counted(threads, 'thread')}"
        if key not in after:
            verdicts.append(Verdict(row, "latency", "missing", None, "measured then, no figures now"))
            continue
        reference = _float32(key, before, after)
        if reference is not None:
            measure = "over float32" if reference[2] == runtime else f"over float32 on {reference[2]}"
            verdicts.append(_judge(row, measure, rounds, after[key], before[reference], after[reference], margin))
        elif same_machine:
            verdicts.append(_judge(row, "latency", rounds, after[key], None, None, margin))
        else:
            note = "made on another machine, and no float32 bundle in both runs to compare with"
            verdicts.append(Verdict(row, "latency", "inconclusive", None, note))
        floor: _Key = (name, scheme, runtime, threads, "floor")
        if floor in before and floor in after:
            verdicts.append(_judge(row, "over the floor", rounds, after[key], before[floor], after[floor], margin))
    return tuple(verdicts)


def _judge(
    row: str,
    measure: str,
    old: Sequence[float],
    new: Sequence[float],
    old_base: Sequence[float] | None,
    new_base: Sequence[float] | None,
    margin: float,
) -> Verdict:
    before = list(old) if old_base is None else [a / b for a, b in zip(old, old_base, strict=False)]
    after = list(new) if new_base is None else [a / b for a, b in zip(new, new_base, strict=False)]
    verdict = judge(before, after, margin)
    note = "" if verdict != "inconclusive" else f"the noise of {len(before)} and {len(after)} rounds hides {margin:.0%}"
    change = median(after) / median(before) - 1 if before and after else None
    return Verdict(row, measure, verdict, change, note)


def _by_key(rows: Sequence[Fields]) -> dict[_Key, Sequence[float]]:
    found: dict[_Key, Sequence[float]] = {}
    for row in rows:
        if row["latency"] is not None and row["latency"]["round_p50_ms"]:
            network = str(row["name"]).split(" ")[0]  # the bundle's version may have changed
            runtime = str(row["runtime"]).split(" ")[0]
            key = (network, str(row["scheme"]), runtime, int(row["threads"]), str(row["kind"]))
            found.setdefault(key, row["latency"]["round_p50_ms"])
    return found


def _float32(key: _Key, before: Mapping[_Key, Any], after: Mapping[_Key, Any]) -> _Key | None:
    """Return the row to divide by that both runs have: float32 on the same runtime, or else on LiteRT."""
    found = [
        other
        for other in before
        if other in after
        and other[1] == "float32"
        and other[4] == "model"
        and other != key
        and other[2] in (key[2], _LITERT)
        and (other[0], other[3]) == (key[0], key[3])
    ]
    return min(found, key=lambda other: other[2] != key[2], default=None)


def _identity(machine: Fields) -> tuple[Any, ...]:
    names = ("board", "processor", "instructions", "cores", "architecture", "governor")
    return tuple(machine.get(name) for name in names)
