"""``report.html`` of a benchmark: the table of all rows, charts of the models, and long runs."""

from collections.abc import Callable, Sequence

from trailcam_benchmarks.report.environment_text import describe_environment
from trailcam_benchmarks.report.tables import accuracy_text, describe_soak, describe_verdict, reasons, table_rows
from trailcam_benchmarks.results.budget import known_top1
from trailcam_benchmarks.results.ratios import is_bundle
from trailcam_benchmarks.results.regression_check import Verdict
from trailcam_benchmarks.results.schema import Result, Row, Soak
from trailcam_benchmarks.statistics import pareto_front
from trailcam_benchmarks.worker.soak import Sample
from trailcam_core.files.names import counted
from trailcam_core.report.axes import Axis, fraction, quantity
from trailcam_core.report.charts import bar_chart, charts, line_chart, scatter_chart
from trailcam_core.report.markup import Html, bullets, join, paragraph
from trailcam_core.report.page import render_page
from trailcam_core.report.tables import html_table

# Of a long run: title, unit, and the value of a sample.
_CURVES: tuple[tuple[str, str, Callable[[Sample], float | None]], ...] = (
    ("Rate", "frames/s", lambda sample: sample.rate_hz),
    ("Temperature", "°C", lambda sample: sample.temperature_c),
    ("Frequency", "MHz", lambda sample: sample.frequency_mhz),
    ("Throttled now", "bits", lambda sample: None if sample.throttled is None else sample.throttled & 0xF),
    ("Memory", "MB", lambda sample: sample.memory_mb),
)

_TERMS = (
    ("x float32", "x float32: the latency divided by that of float32 in the same rounds. Below 1 is faster."),
    ("x LiteRT", "x LiteRT: the latency divided by that of the same file on LiteRT."),
    ("x floor", "x floor: the latency divided by that of the interpreter alone; the rows marked (floor) are its own."),
    (
        "p50 ms",
        "p50, p90, p99: half, 90 % and 99 % of the frames took at most this long, from the frame to the answer.",
    ),
    ("frames/s", "frames/s: the whole loop, with the decoding of a JPEG."),
    ("steady MB", "steady, peak: memory of the process after a round, and at most."),
    ("agree", "agree: the fraction of pictures with the answer of float32."),
)


def render_report(result: Result, verdicts: Sequence[Verdict] = (), budget: str = "") -> str:
    """Return the page.

    Args:
        result: what was measured, whole or interrupted.
        verdicts: of a comparison with an earlier run, if there was one.
        budget: a sentence on the bundle that fits a budget, if one was asked for.
    """
    machine = result.machine.processor if result.machine.board == "unknown" else result.machine.board
    models = [row for row in result.rows if row.latency is not None and row.kind == "model"]
    sizes = [(_name(row), row.size_bytes / 1e6) for row in models if row.size_bytes]
    memory = [(_name(row), row.memory.peak_mb) for row in models if row.memory]
    drawn = [_distribution(models), _accuracy(models)] if models else []
    drawn += [bar_chart("Model file", sizes, "MB"), bar_chart("Peak memory", memory, "MB")]
    lead = [paragraph(_fastest(models), "lead"), paragraph(describe_environment(result), "hint")] if models else []
    lead += map(paragraph, [budget] if budget else [])
    head, *rows = table_rows(result)
    sections = [
        ("Measurements", html_table(head, rows) if rows else Html()),
        ("Charts", charts(drawn)),
        ("Compared with the earlier run", bullets(map(describe_verdict, verdicts))),
        ("Terms", bullets(meaning for name, meaning in _TERMS if name in head)),
        ("Long runs", join(paragraph(describe_soak(soak)) + _soak(soak) for soak in result.soaks)),
    ]
    return render_page("Benchmark", machine, [*lead, bullets(reasons(result))], sections)


def _fastest(models: Sequence[Row]) -> str:
    """Return a sentence on the model with the shortest median, bundles before others."""
    timed = [(row.latency.p50_ms, row) for row in models if row.latency is not None]
    _, best = min((pair for pair in timed if is_bundle(pair[1])), default=min(timed, key=_median), key=_median)
    latency, accuracy = best.latency, best.accuracy
    median = "" if latency is None else f": {latency.p50_ms:.2f} ms per frame at the median"
    right = "" if accuracy is None else f", top-1 {accuracy_text(accuracy)}"
    return f"The fastest is {_name(best)}{median}{right}."


def _median(pair: tuple[float, Row]) -> float:
    return pair[0]


def _distribution(rows: Sequence[Row]) -> Html:
    lines = [
        (_name(row), [(ms, percent / 100) for percent, ms in enumerate(row.latency.percentiles_ms[:100])])
        for row in rows
        if row.latency is not None
    ]
    title = "Latency: fraction of frames that took at most this long"
    return line_chart(title, lines, quantity("ms"), fraction("frames", show=(0.0, 1.0)), marks=False)


def _accuracy(rows: Sequence[Row]) -> Html:
    kind, known = known_top1(rows)
    points = [
        [] if row.latency is None or top1 is None else [(row.latency.p90_ms, top1)]
        for row, top1 in zip(rows, known, strict=True)
    ]
    if not any(points):
        return Html()
    # A Keras model is shown, but it is not shipped.
    bundles = [point[0] for row, point in zip(rows, points, strict=True) if point and is_bundle(row)]
    best = [bundles[number] for number in pareto_front(bundles)]
    title = "Accuracy against latency; the line joins the bundles that no other beats"
    named = list(zip(map(_name, rows), points, strict=True))
    return scatter_chart(title, named, quantity("90th percentile, ms"), fraction(kind), best)


def _soak(soak: Soak) -> Html:
    parts = []
    for title, unit, value_of in _CURVES:
        values = [(sample.at_s / 60, value_of(sample)) for sample in soak.samples]
        points = [(minutes, value) for minutes, value in values if value is not None]
        axis = Axis(unit, None if unit == "°C" else 0.0, show=() if unit == "°C" else (0.0,))
        parts.append(line_chart(title, [("", points)], Axis("min", 0.0), axis, marks=False) if points else Html())
    return charts(parts)


def _name(row: Row) -> str:
    runtime = "" if row.runtime.startswith("ai-edge-litert") else f", {row.runtime.split(' ')[0]}"
    return f"{row.name} {row.scheme}{runtime}, {counted(row.threads, 'thread')}"
