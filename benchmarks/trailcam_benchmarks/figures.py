"""The tables of ``docs/benchmarks.md``, made from the files of ``benchmarks/results``.

    python -m trailcam_benchmarks.figures            write them between the marks of the page
    python -m trailcam_benchmarks.figures --check    say whether the page has them; exit code 3 if not

A table stands between ``<!-- figures: PART -->`` and ``<!-- end -->``. Whatever the files say is shown, also where int8
or ONNX is slower; a part without a file says so.
"""

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from trailcam_benchmarks.agreement import AgreedP90, AgreedRatio, Agreement
from trailcam_benchmarks.contest import Contest
from trailcam_benchmarks.result import Result, Row, build, read_result
from trailcam_benchmarks.statistics import Ratio
from trailcam_benchmarks.tables import describe_row, describe_soak, reasons
from trailcam_edge.disk import write_file
from trailcam_edge.errors import DataError, TrailcamError

__all__ = ["TABLES", "fill_page", "main"]

_MARK = re.compile(r"(<!-- figures: ([a-z_]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_NONE = "Not measured yet."
_HEADER = ("bundle", "runtime", "threads", "x float32", "x floor", "p50 ms", "p90 ms (95 %)", "frames/s", "load ms")
_MORE = ("size MB", "peak MB", "top-1")


def fill_page(page: str, results: Path) -> str:
    """Return ``page`` with every table made anew.

    Raises:
        DataError: a mark names no table, or a result file is damaged.
    """

    def fill(found: re.Match[str]) -> str:
        part = found[2]
        if part not in TABLES:
            raise DataError(f"the page has a mark for {part!r}; there are: {', '.join(TABLES)}")
        path = results / f"{part}.json"
        return f"{found[1]}{TABLES[part](path) if path.is_file() else _NONE}\n{found[3]}"

    return _MARK.sub(fill, page)


def _benchmark(path: Path) -> str:
    result = read_result(path)
    models = [row for row in result.rows if row.kind == "model" and row.latency is not None]
    lines = [_markdown((*_HEADER, *_MORE), [_cells(row) for row in models]), "", *_slower(models)]
    failed = [line for line in reasons(result) if ", floor, " not in line]
    return "\n".join([*lines, *(f"- {line}" for line in failed), "", _place(result)])


def _cells(row: Row) -> tuple[str, ...]:
    latency = row.latency
    if latency is None:
        raise ValueError("a row without figures")
    high = latency.p90_high_ms
    p90 = "" if latency.p90_low_ms is None or high is None else f" ({latency.p90_low_ms:.2f} to {high:.2f})"
    return (
        row.bundle + (" \\*" if row.state == "partial" else ""),
        row.runtime,
        str(row.threads),
        _ratio(row.over_float32),
        _ratio(row.over_floor),
        f"{latency.p50_ms:.2f}",
        f"{latency.p90_ms:.2f}{p90}",
        "-" if row.rate_hz is None else f"{row.rate_hz:.1f}",
        "-" if row.load_ms is None else f"{row.load_ms:.0f}",
        "-" if row.size_bytes is None else f"{row.size_bytes / 1e6:.2f}",
        "-" if row.memory is None else f"{row.memory.peak_mb:.0f}",
        "-" if row.top1 is None else f"{row.top1:.1%}",
    )


def _slower(rows: Iterable[Row]) -> list[str]:
    """Return a line for each that is slower than float32 of its network, beyond the interval."""
    lines = []
    for row in rows:
        ratio = row.over_float32
        if ratio is not None and ratio.interval.low is not None and ratio.interval.low > 1:
            lines.append(f"- {describe_row(row)}: **slower than float32**, {ratio.value:.2f} times its latency.")
    return lines


def _place(result: Result) -> str:
    machine = result.machine
    packages = ", ".join(f"{name} {version}" for name, version in machine.packages.items())
    return (
        f"{machine.processor}, {machine.cores} core(s), {machine.system}, Python {machine.python}; {packages}; "
        f"load {_said(result.before.load)} before; {result.started}. At least {result.frames_wanted:,} frames and "
        f"{result.min_time_s:g} s in {result.rounds} rounds each, floors a quarter of that."
    )


def _agreement(path: Path) -> str:
    found: Agreement = build(Agreement, _read(path))
    ratios = [
        (item.row, item.measure, _ratio(item.first), f"{item.second.value:.3f}", _yes(item.within))
        for item in found.ratios
    ]
    times = [
        (i.row, f"{i.first_ms:.2f}", f"{i.low_ms:.2f} to {i.high_ms:.2f}", f"{i.second_ms:.2f}", _yes(i.within))
        for i in found.p90s
    ]
    parts = [_markdown(("row", "ratio", "first run", "second run", "within"), ratios), ""]
    if times:
        parts += [_markdown(("row", "p90 ms of a round, first run", "expected", "second run", "within"), times), ""]
    counted: dict[str, int] = {}
    for verdict in found.verdicts:
        counted[verdict.verdict] = counted.get(verdict.verdict, 0) + 1
    verdicts = ", ".join(f"{number} {name}" for name, number in sorted(counted.items()))
    held = f"{_held('Ratios', found.ratios)} {_held('p90', found.p90s)}"
    summary = (
        f"{held} `--against`, which grants 5 %: {verdicts or 'nothing to compare'}. "
        f"Runs of {found.first} and {found.second}."
    )
    return "\n".join([*parts, summary])


def _held(name: str, items: Sequence[AgreedRatio | AgreedP90]) -> str:
    """Return how many figures of the second run lie where the first expects them, and how many should."""
    if not items:
        return f"{name}: none compared."
    held, shares = sum(item.within for item in items), [item.share for item in items if item.share is not None]
    expected = f"; at least {sum(shares):.1f} are expected to" if len(shares) == len(items) else ""
    return f"{name}: {held} of {len(items)} lie in the interval of the first run{expected}."


def _yes(within: bool) -> str:
    return "yes" if within else "**no**"


def _versus(path: Path) -> str:
    contest: Contest = build(Contest, _read(path))
    header = ("program", "start-up ms", "x ours", "p50 ms", "p90 ms", "p50 x ours", "peak MB", "x ours ", "same label")
    rows = [
        (
            row.name,
            f"{row.startup_ms:.0f}",
            _ratio(row.startup_over_ours),
            f"{row.p50_ms:.2f}",
            f"{row.p90_ms:.2f}",
            _ratio(row.p50_over_ours),
            _said(row.peak_mb, 0),
            _ratio(row.peak_over_ours),
            "-" if row.same_labels is None else f"{row.same_labels:.0%}",
        )
        for row in contest.programs
        if row.p50_ms is not None
    ]
    notes = [
        f"- {row.name} ({', '.join(f'{name} {version}' for name, version in row.versions.items())}): "
        + "; ".join(filter(None, (row.note, f"{row.state}, {row.reason}" if row.reason else "")))
        for row in contest.programs
    ]
    place = (
        f"{contest.bundle}, {contest.sha256[:12]}; {contest.machine.processor}, {contest.cores} core(s), load "
        f"{_said(contest.before.load)} before; {contest.started}. {contest.pictures} JPEG pictures of 640x480, "
        f"{contest.rounds} rounds in turns."
    )
    return "\n".join([_markdown(header, rows), "", *notes, "", place])


def _lines(path: Path) -> str:
    """Return what a script printed, a table for every kind of line."""
    content = _read(path)
    tables: dict[tuple[str, ...], list[tuple[str, ...]]] = {}
    for line in content["lines"]:
        flat = _flatten(line)
        tables.setdefault(tuple(flat), []).append(tuple(flat.values()))
    parts = [f"{_markdown(header, rows)}\n" for header, rows in tables.items()]
    machine, before = content["machine"], content["before"]
    place = f"{machine['processor']}, {machine['cores']} core(s), load {_said(before['load'])} before"
    return "\n".join([*parts, f"{place}; {content['started']}. `{content['command']}`"])


def _flatten(value: Any, name: str = "") -> dict[str, str]:
    if isinstance(value, dict) and set(value) == {"value", "interval"}:
        low, high = value["interval"]["low"], value["interval"]["high"]
        ends = "" if low is None or high is None else f" ({low:.3f} to {high:.3f})"
        return {name: f"{value['value']:.3f}{ends}"}
    if isinstance(value, dict):
        return {
            key: text for part, item in value.items() for key, text in _flatten(item, f"{name} {part}".strip()).items()
        }
    if isinstance(value, bool) or not isinstance(value, float):
        return {name: str(value).lower() if isinstance(value, bool) else str(value)}
    return {name: f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"}


def _soak(path: Path) -> str:
    result = read_result(path)
    return "\n".join([*(f"- {describe_soak(soak)}" for soak in result.soaks), "", _place(result)])


TABLES: dict[str, Callable[[Path], str]] = {
    "bundles": _benchmark,
    "agreement": _agreement,
    "runtimes": _benchmark,
    "keras": _benchmark,
    "versus": _versus,
    "live_loop": _lines,
    "training_input": _lines,
    "data_tools": _lines,
    "soak": _soak,
}


def _markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [" | ".join(header), " | ".join(["---", *["---:"] * (len(header) - 1)]), *(" | ".join(row) for row in rows)]
    return "\n".join(f"| {line} |" for line in lines)


def _ratio(ratio: Ratio | None) -> str:
    if ratio is None:
        return "-"
    low, high = ratio.interval.low, ratio.interval.high
    return f"{ratio.value:.3f}" if low is None or high is None else f"{ratio.value:.3f} ({low:.3f} to {high:.3f})"


def _said(value: float | None, digits: int = 2) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except ValueError as error:
        raise DataError(f"{path}: not JSON ({error}). Measure that part again.") from error


def main(argv: Sequence[str] | None = None) -> int:
    """Write or check the tables; 3 if a check fails."""
    parser = argparse.ArgumentParser(description="The tables of docs/benchmarks.md from the result files.")
    parser.add_argument("--page", type=Path, default=Path("docs/benchmarks.md"), metavar="FILE")
    parser.add_argument("--results", type=Path, default=Path("benchmarks/results"), metavar="DIR")
    parser.add_argument("--check", action="store_true", help="change nothing")
    given = parser.parse_args(argv)
    try:
        page = given.page.read_text(encoding="utf-8")
        filled = fill_page(page, given.results)
    except (TrailcamError, OSError) as error:
        print(f"figures: {error}", file=sys.stderr)
        return 1
    if given.check:
        print("the tables are those of the result files" if filled == page else "the tables are not those of the files")
        return 0 if filled == page else 3
    write_file(given.page, filled.encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
