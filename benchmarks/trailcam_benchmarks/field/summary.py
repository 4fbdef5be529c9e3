"""Rows of a field report: rates of clips and frames, with intervals clustered by scene."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from trailcam_benchmarks.field.measure import ClipResult
from trailcam_core.spec import Rate
from trailcam_core.statistics.clustered import cluster_rate

Count = Callable[[ClipResult], float]


@dataclass(frozen=True)
class FieldRow:
    """One condition: fractions of clips and of frames, false visits per hour, cost in invokes."""

    condition: str
    clips: int
    scenes: int
    clips_right: Rate
    clips_wrong: Rate
    frames_covered: Rate
    frames_named_right: Rate
    frames_named_wrong: Rate
    empty_proposed: Rate
    empty_named: Rate
    false_visits_per_hour: Rate
    invokes_per_frame: Rate
    cost_in_invokes: Rate


def summarise(results: Sequence[ClipResult], seed: int = 0) -> tuple[FieldRow, ...]:
    """Return a row for each condition, in the order of the results."""
    conditions = dict.fromkeys(result.condition for result in results)
    return tuple(_row(name, [result for result in results if result.condition == name], seed) for name in conditions)


def rows_json(rows: Sequence[FieldRow]) -> list[dict[str, Any]]:
    """Return the JSON form of rows."""
    return [asdict(row) for row in rows]


def _row(condition: str, results: list[ClipResult], seed: int) -> FieldRow:
    def rate(count: Count, of: Count) -> Rate:
        return cluster_rate([(result.scene, count(result), of(result)) for result in results], seed)

    return FieldRow(
        condition=condition,
        clips=len(results),
        scenes=len({result.scene for result in results}),
        clips_right=rate(lambda clip: clip.is_right, lambda clip: bool(clip.labels)),
        clips_wrong=rate(lambda clip: clip.is_wrong, lambda _: 1),
        frames_covered=rate(lambda clip: clip.covered, lambda clip: clip.frames),
        frames_named_right=rate(lambda clip: clip.named_right, lambda clip: clip.frames),
        frames_named_wrong=rate(lambda clip: clip.named_wrong, lambda clip: clip.frames),
        empty_proposed=rate(lambda clip: clip.empty_proposed, lambda clip: clip.empty_frames),
        empty_named=rate(lambda clip: clip.empty_named, lambda clip: clip.empty_frames),
        false_visits_per_hour=rate(
            lambda clip: len(clip.visits) if not clip.labels else 0,
            lambda clip: clip.seconds / 3600 if not clip.labels else 0,
        ),
        invokes_per_frame=rate(lambda clip: clip.invokes, lambda clip: clip.all_frames),
        cost_in_invokes=rate(
            lambda clip: (clip.loop_ms + clip.invoke_ms) * clip.invokes, lambda clip: clip.invoke_ms * clip.all_frames
        ),
    )


def text_table(rows: Sequence[FieldRow]) -> str:
    """Return rows as a table for a terminal; mistakes have a decimal, so that one clip of 200 is not "0%"."""
    header = f"{'condition':<27} {'clips right':>20} {'wrong':>7} {'covered':>8} {'named':>6} {'empty: proposed':>16}"
    header += f" {'named':>9} {'false visits/h':>15} {'invokes':>8}"
    return "\n".join([header, *map(_line, rows)])


def _line(row: FieldRow) -> str:
    right = row.clips_right
    words = "-" if right.value is None else f"{right.value:.0%}"
    if right.low is not None and right.high is not None:
        words += f" [{right.low:.0%}-{right.high:.0%}] n {right.n:.0f}"
    return (
        f"{row.condition:<27} {words:>20} {_percent(row.clips_wrong, 1):>7} {_percent(row.frames_covered):>8} "
        f"{_percent(row.frames_named_right):>6} {_permille(row.empty_proposed):>16} {_permille(row.empty_named, 1):>9} "
        f"{_number(row.false_visits_per_hour):>15} {_number(row.cost_in_invokes):>8}"
    )


def _percent(rate: Rate, decimals: int = 0) -> str:
    return "-" if rate.value is None else f"{rate.value:.{decimals}%}"


def _permille(rate: Rate, decimals: int = 0) -> str:
    return "-" if rate.value is None else f"{1000 * rate.value:.{decimals}f}/1000"


def _number(rate: Rate) -> str:
    return "-" if rate.value is None else f"{rate.value:.2f}"
