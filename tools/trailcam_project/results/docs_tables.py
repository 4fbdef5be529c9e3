"""Fill the tables of ``docs/benchmarks.md`` from the files of ``benchmarks/results``.

    python -m trailcam_project.results.docs_tables            write them between the marks of the page
    python -m trailcam_project.results.docs_tables --check    check that the page has them; exit code 3 if not

A table is between ``<!-- figures: PART -->`` and ``<!-- end -->``. It shows all figures, also where int8 or ONNX is
slower; a part without a file is marked as not measured.
"""

import argparse
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from trailcam_benchmarks.report.environment_text import describe_conditions, describe_environment, describe_machine_line
from trailcam_benchmarks.report.tables import (
    accuracy_text,
    describe_row,
    describe_soak,
    float32_text,
    p90_text,
    ratio_text,
    reasons,
)
from trailcam_benchmarks.results.ratios import with_ratios
from trailcam_benchmarks.results.schema import Row, build, read_record, read_result
from trailcam_core.errors import DataError, TrailcamError
from trailcam_core.files.atomic import write_file
from trailcam_project.program_comparison.compare_programs import ProgramComparison
from trailcam_project.results.repeatability import AgreedP90, AgreedRatio, Agreement

_MARK = re.compile(r"(<!-- figures: ([a-z_]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_NONE = "Not measured yet."
_ROW = ("bundle", "runtime", "threads")
_SPEED = (*_ROW, "x float32", "x LiteRT", "x floor", "p50 ms", "p90 ms (95 %)", "p99 ms", "first ms")
_NEEDS = (*_ROW, "size MB", "steady MB", "peak MB")


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
    """Return a table of what rows take, one of what they need and answer, and in lines what is slower or missing."""
    result = read_result(path)
    if not any(row.float32_reference for row in result.rows):  # a file from before references were written
        result = replace(result, rows=with_ratios(result.rows))
    models = [row for row in result.rows if row.kind == "model" and row.latency is not None]
    failed = [line for line in reasons(result) if ", floor, " not in line]
    parts = [
        _filled(_SPEED, [_speed(row) for row in models]),
        "",
        _needs(models),
        "",
        *(f"- {line}" for line in (*_slower(models), *failed)),
        "",
        f"{describe_environment(result)} Floors: a quarter of that.",
    ]
    return "\n".join(parts)


def _speed(row: Row) -> tuple[str, ...]:
    latency = row.latency
    if latency is None:
        raise ValueError("a row without figures")
    return (
        *_known(row),
        float32_text(row),
        ratio_text(row.over_litert),
        ratio_text(row.over_floor),
        f"{latency.p50_ms:.2f}",
        p90_text(latency),
        f"{latency.p99_ms:.2f}",
        _number(row.first_ms, 1),
    )


def _needs(rows: Sequence[Row]) -> str:
    measured = any(row.accuracy is not None for row in rows)
    header = (*_NEEDS, *(("top-1", "agree") if measured else ("stated top-1",)))
    cells = []
    for row in rows:
        accuracy, memory = row.accuracy, row.memory
        if not measured:
            answers: tuple[str, ...] = ("-" if row.stated_here is None else f"{row.stated_here:.1%}",)
        elif accuracy is None:
            answers = ("-", "-")
        else:
            answers = (accuracy_text(accuracy), "-" if accuracy.agreement is None else f"{accuracy.agreement:.1%}")
        steady, peak = (None, None) if memory is None else (memory.steady_mb, memory.peak_mb)
        size = None if row.size_bytes is None else row.size_bytes / 1e6
        cells.append((*_known(row), _number(size), _number(steady, 0), _number(peak, 0), *answers))
    return _filled(header, cells)


def _known(row: Row) -> tuple[str, ...]:
    return row.bundle + (" \\*" if row.state == "partial" else ""), row.runtime, str(row.threads)


def _slower(rows: Iterable[Row]) -> list[str]:
    """Return a line for each that is slower than what it is compared with, beyond the interval."""
    lines = []
    for row in rows:
        compared = ((row.over_float32, "float32"), (row.over_litert, f"LiteRT with {row.scheme}"))
        for ratio, other in compared:
            if ratio is not None and ratio.interval.low is not None and ratio.interval.low > 1:
                lines.append(f"{describe_row(row)}: **slower than {other}**, {ratio.value:.2f} times its latency.")
    return lines


def _agreement(path: Path) -> str:
    found: Agreement = build(Agreement, read_record(path))
    ratios = [
        (item.row, item.measure, ratio_text(item.first), f"{item.second.value:.3f}", _yes(item.within))
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
    comparison: ProgramComparison = build(ProgramComparison, read_record(path))
    start_up, picture, memory = ("start-up ms", "x ours"), ("p50 ms", "p90 ms", "p50 x ours"), ("peak MB", "x ours ")
    header = ("program", "cores", "busy cores", *start_up, *picture, *memory, "same label")
    rows = [
        (
            row.name,
            str(comparison.cores if row.cores is None else row.cores),
            _number(row.busy_cores, 1),
            _number(row.startup_ms, 0),
            ratio_text(row.startup_over_ours),
            _number(row.p50_ms),
            _number(row.p90_ms),
            ratio_text(row.p50_over_ours),
            _number(row.peak_mb, 0),
            ratio_text(row.peak_over_ours),
            "-" if row.same_labels is None else f"{row.same_labels:.0%}",
        )
        for row in comparison.programs
        if row.p50_ms is not None
    ]
    environment = (
        f"{comparison.bundle}, {comparison.sha256[:12]}; {describe_machine_line(comparison.machine)}; "
        f"{describe_conditions(comparison.before, comparison.after)}; {comparison.started}. "
        f"{comparison.pictures} JPEG pictures of 640x480, {comparison.rounds} rounds in turns."
    )
    return "\n".join([_filled(header, rows), "", *_notes(comparison), "", environment])


def _notes(comparison: ProgramComparison) -> list[str]:
    """Return a line for each program, with its versions, and one for each of its rows that is not whole."""
    lines = []
    for name in dict.fromkeys(row.name for row in comparison.programs):
        own = [row for row in comparison.programs if row.name == name]
        versions = ", ".join(f"{package} {version}" for package, version in own[0].versions.items())
        reasons = [f"{row.state}, {row.reason}" for row in own if row.reason]
        notes = "; ".join(filter(None, (own[0].note, *dict.fromkeys(reasons))))
        lines.append(f"- {name}{f' ({versions})' if versions else ''}{f': {notes}' if notes else ''}")
    return lines


def _lines(path: Path) -> str:
    """Return the output of a script, a table for every kind of line."""
    content = read_record(path)
    tables: dict[tuple[str, ...], list[tuple[str, ...]]] = {}
    for line in content["lines"]:
        flat = _flatten(line)
        tables.setdefault(tuple(flat), []).append(tuple(flat.values()))
    parts = [f"{_markdown(header, rows)}\n" for header, rows in tables.items()]
    machine, before = content["machine"], content["before"]
    known = f" ({machine['instructions']})" if machine.get("instructions") else ""
    environment = f"{machine['processor']}{known}, {machine['cores']} core(s), load {_number(before['load'])} before"
    return "\n".join([*parts, f"{environment}; {content['started']}. `{content['command']}`"])


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
    return "\n".join([*(f"- {describe_soak(soak)}" for soak in result.soaks), "", describe_environment(result)])


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


def _filled(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table without the columns in which no row has anything."""
    kept = [column for column in range(len(header)) if not rows or any(row[column] != "-" for row in rows)]
    return _markdown([header[column] for column in kept], [[row[column] for column in kept] for row in rows])


def _markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [" | ".join(header), " | ".join(["---", *["---:"] * (len(header) - 1)]), *(" | ".join(row) for row in rows)]
    return "\n".join(f"| {line} |" for line in lines)


def _number(value: float | None, digits: int = 2) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def main(argv: Sequence[str] | None = None) -> int:
    """Write or check the tables; 3 if a check fails."""
    parser = argparse.ArgumentParser(
        prog="python -m trailcam_project.results.docs_tables",
        description="The tables of docs/benchmarks.md from the result files.",
    )
    page, results = Path("docs/benchmarks.md"), Path("benchmarks/results")
    parser.add_argument("--page", type=Path, default=page, metavar="FILE", help="page to change (%(default)s)")
    parser.add_argument("--results", type=Path, default=results, metavar="DIR", help="result files (%(default)s)")
    parser.add_argument("--check", action="store_true", help="change nothing; fail if the page is not up to date")
    given = parser.parse_args(argv)
    try:
        text = given.page.read_text(encoding="utf-8")
        filled = fill_page(text, given.results)
    except (TrailcamError, OSError) as error:
        print(f"docs_tables: {error}", file=sys.stderr)
        return 1
    if given.check:
        print("the tables are those of the result files" if filled == text else "the tables are not those of the files")
        return 0 if filled == text else 3
    write_file(given.page, filled.encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
