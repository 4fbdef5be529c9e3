"""The result as text: a table for the terminal, a Markdown table for a README."""

from trailcam_benchmarks.report.environment_text import describe_environment, warnings
from trailcam_benchmarks.results.regression_check import Verdict
from trailcam_benchmarks.results.schema import Accuracy, Latency, Result, Row, Soak
from trailcam_benchmarks.statistics import Ratio
from trailcam_core.files.names import counted
from trailcam_core.report.tables import markdown_table as markdown_rows
from trailcam_core.report.tables import text_table

HEADER = (
    "bundle",
    "runtime",
    "threads",
    "x float32",
    "x LiteRT",
    "x floor",
    "p50 ms",
    "p90 ms (95 %)",
    "p99 ms",
    "worst",
    "frames/s",
    "load ms",
    "first ms",
    "size MB",
    "steady MB",
    "peak MB",
    "top-1",
    "agree",
)


def cells(row: Row) -> tuple[str, ...]:
    """Return one row as text, a cell for each name in ``HEADER``; a dash where nothing is known."""
    latency, accuracy = row.latency, row.accuracy
    name = f"{row.name} {row.scheme}" if row.name else row.bundle
    if row.kind == "floor":
        name += " (floor)"
    return (
        name + (" *" if row.state == "partial" else ""),
        row.runtime or "-",
        str(row.threads),
        float32_text(row),
        ratio_text(row.over_litert),
        ratio_text(row.over_floor),
        "-" if latency is None else f"{latency.p50_ms:.2f}",
        "-" if latency is None else p90_text(latency),
        "-" if latency is None else f"{latency.p99_ms:.2f}",
        "-" if latency is None else f"{latency.worst_ms:.2f}",
        _number(row.rate_hz, 1),
        _number(row.load_ms, 0),
        _number(row.first_ms, 1),
        "-" if row.size_bytes is None else f"{row.size_bytes / 1e6:.2f}",
        "-" if row.memory is None else f"{row.memory.steady_mb:.0f}",
        "-" if row.memory is None else f"{row.memory.peak_mb:.0f}",
        "-" if accuracy is None else accuracy_text(accuracy),
        "-" if accuracy is None or accuracy.agreement is None else f"{accuracy.agreement:.1%}",
    )


def table_rows(result: Result) -> list[tuple[str, ...]]:
    """Return the header and the measured rows as text, without columns in which no row has anything."""
    rows = [HEADER, *(cells(row) for row in result.rows if row.latency is not None)]
    used = [i for i in range(len(HEADER)) if i < 3 or any(row[i] != "-" for row in rows[1:])]
    return [tuple(row[i] for i in used) for row in rows]


def terminal_table(result: Result) -> str:
    """Return rows in columns; below them the stages of each model, where it was measured, and what is not whole."""
    lines = text_table(table_rows(result), kept=3)
    for row in result.rows:
        if row.latency is not None and row.stages_ms is not None:
            stages = ", ".join(f"{name} {ms:.2f}" for name, ms in row.stages_ms.items())
            lines.append(f"stages of {describe_row(row)}, median ms: {stages}")
    return "\n".join([*lines, describe_environment(result), *reasons(result)])


def markdown_table(result: Result) -> str:
    """Return the measured rows as a Markdown table, with where and how they were measured in a line below."""
    head, *rows = table_rows(result)
    lines = [*markdown_rows(head, rows), "", describe_environment(result), *(f"- {line}" for line in reasons(result))]
    return "\n".join(lines)


def reasons(result: Result) -> list[str]:
    """Return a line for everything that is not whole, and for every reason to doubt the rest."""
    lacking = [row for row in result.rows if row.reason]
    lines = [
        ", ".join(filter(None, (row.bundle, row.kind, row.runtime_wanted, counted(row.threads, "thread"))))
        + f": {row.state}, {row.reason}"
        for row in lacking
    ]
    if not result.complete:
        lines.append(f"Cut short ({result.cut}): what is missing was not measured.")
    return lines + warnings(result)


def describe_row(row: Row) -> str:
    """Return bundle, runtime and threads of a measured row, which together identify it."""
    return f"{row.name} {row.scheme}, {row.runtime}, {counted(row.threads, 'thread')}"


def describe_soak(soak: Soak) -> str:
    """Return a soak in one line; the sustained rate comes first."""
    summary, cut = soak.summary, "" if soak.complete else f" Cut short: {soak.reason}."
    if summary is None:
        return f"soak of {soak.bundle}: no sample.{cut}"
    parts = [f"{summary.sustained_hz:.1f} frames/s sustained over {summary.seconds / 60:.1f} min"]
    if summary.ratio is not None:
        parts.append(f"{summary.ratio:.1%} of the first minute")
    if summary.hottest_c is not None:
        began = (
            "" if soak.start is None or soak.start.temperature_c is None else f", from {soak.start.temperature_c:.0f}"
        )
        parts.append(f"hottest {summary.hottest_c:.0f} degrees C{began}")
    if summary.throttled is not None:
        parts.append("throttled" if summary.throttled else "not throttled")
    if summary.undervoltage:
        parts.append("undervoltage: the supply is too weak")
    if summary.memory_growth_mb is not None:
        parts.append(f"memory {summary.memory_growth_mb:+.1f} MB")
    return f"soak of {soak.bundle}: {', '.join(parts)}.{cut}"


def describe_verdict(verdict: Verdict) -> str:
    """Return a verdict in one line."""
    change = "" if verdict.change is None else f", {verdict.change:+.1%}"
    note = f" ({verdict.note})" if verdict.note else ""
    return f"{verdict.verdict:<13}{verdict.row}: {verdict.measure}{change}{note}"


def ratio_text(ratio: Ratio | None) -> str:
    """Return a ratio with its interval, where that has both ends."""
    if ratio is None:
        return "-"
    low, high = ratio.interval.low, ratio.interval.high
    return f"{ratio.value:.3f}" if low is None or high is None else f"{ratio.value:.3f} ({low:.3f} to {high:.3f})"


def float32_text(row: Row) -> str:
    """Return the ratio to float32 on the same runtime; "1" for the row that the others are divided by."""
    return "1" if row.float32_reference == row.reference else ratio_text(row.over_float32)


def p90_text(latency: Latency) -> str:
    """Return the 90th percentile with its interval; a dash for an end that too few frames leave open."""
    return f"{latency.p90_ms:.2f} ({_number(latency.p90_low_ms, 2)} to {_number(latency.p90_high_ms, 2)})"


def accuracy_text(accuracy: Accuracy) -> str:
    """Return measured accuracy with its interval and the number of pictures."""
    return f"{accuracy.top1:.1%} ({accuracy.top1_low:.1%} to {accuracy.top1_high:.1%}), n {accuracy.n:,}"


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
