"""``report.html``: one file that opens without a network, by day and by night, with charts as inline SVG.

Everything that comes from data is escaped by the function that puts it into the page.
"""

import html
from collections.abc import Sequence

from trailcam_benchmarks.report.environment_text import describe_place
from trailcam_benchmarks.report.tables import HEADER, cells, describe_soak, describe_verdict, reasons
from trailcam_benchmarks.results.budget import known_top1
from trailcam_benchmarks.results.ratios import is_bundle
from trailcam_benchmarks.results.regression import Verdict
from trailcam_benchmarks.results.schema import Result, Row, Soak
from trailcam_benchmarks.statistics import pareto_front

__all__ = ["render_report"]

_WIDTH, _HEIGHT = 460, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 14, 30, 40
_BAR_PX, _FIGURE_PX = 34, 50  # a bar with its name above, and room for the figure behind the longest
_LEGEND_PX = 15
_LONGEST_NAME = 60  # letters that fit into a line; the table has all of them
# Apart for the colour-blind, on white and on black. Source: M. Okabe and K. Ito, "Color Universal Design", 2008.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8a6d00", "#56b4e9")
# When the colours are used up the next round of them has other dashes.
_DASHES = ("", "6 3", "2 3", "8 3 2 3")
_STYLE = """
:root{--page:#fff;--text:#222;--faint:#666;--line:#d8d8d4;--stripe:#f5f5f2}
@media(prefers-color-scheme:dark){:root{--page:#16181a;--text:#e4e4e0;--faint:#9aa0a4;--line:#3a3e41;--stripe:#1f2224}}
body{font:16px/1.5 system-ui,sans-serif;max-width:1040px;margin:0 auto;padding:1em;color:var(--text);
background:var(--page);overflow-wrap:anywhere}
.scroll{overflow-x:auto}table{border-collapse:collapse;font-size:14px;overflow-wrap:normal}
th,td{padding:4px 9px;text-align:right;white-space:nowrap}th:first-child,td:first-child{text-align:left}
thead th{color:var(--faint);border-bottom:1px solid var(--line)}tbody tr:nth-child(odd){background:var(--stripe)}
.charts{display:flex;flex-wrap:wrap;gap:20px;align-items:flex-start}
svg{width:460px;max-width:100%;font:11px system-ui,sans-serif;fill:var(--text)}
svg .title{font-weight:600;font-size:13px}svg line{stroke:var(--line)}.faint{color:var(--faint)}
"""

Point = tuple[float, float]


def render_report(result: Result, verdicts: Sequence[Verdict] = (), budget: str = "") -> str:
    """Return the page.

    Args:
        result: what was measured, whole or interrupted.
        verdicts: of a comparison with an earlier run, if there was one.
        budget: a sentence on the bundle that fits a budget, if one was asked for.
    """
    models = [row for row in result.rows if row.latency is not None and row.kind == "model"]
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width"><title>Trailcam benchmark</title>',
        f"<style>{_STYLE}</style></head><body><h1>Trailcam benchmark</h1>",
        _paragraph(describe_place(result), "faint"),
        *(_paragraph(line) for line in ([budget] if budget else []) + reasons(result)),
        _table([row for row in result.rows if row.latency is not None]),
    ]
    if models:
        parts += ['<div class="charts">', _distribution(models), _accuracy(models)]
        parts.append(_bars("Model file, MB", [(_name(r), r.size_bytes / 1e6) for r in models if r.size_bytes]))
        parts.append(_bars("Peak memory, MB", [(_name(r), r.memory.peak_mb) for r in models if r.memory]))
        parts.append("</div>")
    if verdicts:
        parts += ["<h2>Against the earlier run</h2>", *(_paragraph(describe_verdict(verdict)) for verdict in verdicts)]
    for soak in result.soaks:
        parts += ["<h2>Long run</h2>", _paragraph(describe_soak(soak)), '<div class="charts">', *_soak(soak), "</div>"]
    return "".join([*parts, "</body></html>\n"])


def _distribution(rows: Sequence[Row]) -> str:
    series = [
        (_name(row), [(ms, float(share)) for share, ms in enumerate(row.latency.percentiles_ms[:100])])
        for row in rows
        if row.latency is not None
    ]
    return _chart("Latency: share of frames that took at most so long", "ms", "%", series, y_range=(0, 100))


def _accuracy(rows: Sequence[Row]) -> str:
    kind, known = known_top1(rows)
    points = [
        (row.latency.p90_ms, 100 * top1, row)
        for row, top1 in zip(rows, known, strict=True)
        if row.latency is not None and top1 is not None
    ]
    if not points:
        return ""
    bundles = [point[:2] for point in points if is_bundle(point[2])]  # a Keras model is shown, but nobody ships it
    line = [bundles[number] for number in pareto_front(bundles)]
    series = [(_name(row), [(ms, share)]) for ms, share, row in points]
    title = "Accuracy against latency; the line joins what no other bundle beats"
    return _chart(title, "p90, ms", f"{kind}, %", series, line)


def _soak(soak: Soak) -> list[str]:
    def curve(title: str, unit: str, values: list[float | None]) -> str:
        pairs = zip(soak.samples, values, strict=True)
        points = [(sample.at_s / 60, value) for sample, value in pairs if value is not None]
        return _chart(title, "min", unit, [("", points)]) if points else ""

    samples, firmware = soak.samples, [sample.throttled for sample in soak.samples]
    return [
        curve("Rate", "frames/s", [sample.rate_hz for sample in samples]),
        curve("Temperature", "degrees C", [sample.temperature_c for sample in samples]),
        curve("Frequency", "MHz", [sample.frequency_mhz for sample in samples]),
        curve("Throttled now", "bits", [None if bits is None else float(bits & 0xF) for bits in firmware]),
        curve("Memory", "MB", [sample.memory_mb for sample in samples]),
    ]


def _chart(
    title: str,
    x_unit: str,
    y_unit: str,
    series: Sequence[tuple[str, Sequence[Point]]],
    line: Sequence[Point] = (),
    y_range: Point | None = None,
) -> str:
    """Return points joined by lines, each series with a look of its own; one of a single point is a numbered dot."""
    every = [point for _, points in series for point in points]
    x_low, x_high = _range([x for x, _ in every])
    y_low, y_high = y_range or _range([y for _, y in every])
    names = [name for name, _ in series if name]
    height = _HEIGHT + _LEGEND_PX * len(names)
    floor = _HEIGHT - _BOTTOM

    def place(point: Point) -> str:
        x = _LEFT + (point[0] - x_low) / (x_high - x_low) * (_WIDTH - _LEFT - _RIGHT)
        y = floor - (point[1] - y_low) / (y_high - y_low) * (floor - _TOP)
        return f"{x:.1f},{y:.1f}"

    parts = [
        _open(title, height),
        f'<line x1="{_LEFT}" y1="{floor}" x2="{_WIDTH - _RIGHT}" y2="{floor}"/>',
        f'<line x1="{_LEFT}" y1="{_TOP}" x2="{_LEFT}" y2="{floor}"/>',
        _text(_LEFT, floor + 14, f"{x_low:.3g}"),
        _text(_WIDTH - _RIGHT, floor + 14, f"{x_high:.3g} {x_unit}", "end"),
        _text(_LEFT - 5, floor, f"{y_low:.3g}", "end"),
        _text(_LEFT - 5, _TOP + 8, f"{y_high:.3g}", "end"),
        _text(_LEFT + 5, _TOP + 8, y_unit),
    ]
    if len(line) > 1:
        joined = " ".join(map(place, line))
        parts.append(f'<polyline points="{joined}" fill="none" stroke="#888" stroke-dasharray="4 3"/>')
    for number, (name, points) in enumerate(series):
        stroke = _stroke(number)
        y = _HEIGHT + _LEGEND_PX * number
        shown = _shorten(name)
        if len(points) == 1:
            across, up = place(points[0]).split(",")
            parts.append(f'<circle cx="{across}" cy="{up}" r="5" fill="{_colour(number)}"/>')
            shown = f"{number + 1}  {shown}"
            parts.append(_text(float(across) + 7, float(up) - 5, str(number + 1)) if name else "")
        else:
            joined = " ".join(map(place, points))
            parts.append(f'<polyline points="{joined}" fill="none" {stroke}/>')
        if name:
            parts.append(f'<path d="M{_LEFT - 20} {y - 4}h28" {stroke}/>')
            parts.append(_text(_LEFT + 14, y, shown))
    return "".join(parts) + "</svg>"


def _bars(title: str, bars: Sequence[tuple[str, float]]) -> str:
    if not bars:
        return ""
    largest = max(value for _, value in bars)
    parts = [_open(title, _TOP + _BAR_PX * len(bars) + 8)]
    for number, (name, value) in enumerate(bars):
        y, width = _TOP + _BAR_PX * number, value / largest * (_WIDTH - _FIGURE_PX)
        parts.append(_text(4, y + 9, _shorten(name)))
        parts.append(f'<rect x="4" y="{y + 13}" width="{width:.1f}" height="14" fill="{_colour(number)}"/>')
        parts.append(_text(width + 9, y + 24, f"{value:.3g}"))
    return "".join(parts) + "</svg>"


def _table(rows: Sequence[Row]) -> str:
    head = "".join(f"<th>{html.escape(name)}</th>" for name in HEADER)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells(row)) + "</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _range(values: Sequence[float]) -> Point:
    low, high = min(values), max(values)
    air = 0.05 * (high - low) or 0.05 * abs(high) or 1.0
    return low - air, high + air


def _name(row: Row) -> str:
    runtime = "" if row.runtime.startswith("ai-edge-litert") else f", {row.runtime.split(' ')[0]}"
    return f"{row.name} {row.scheme}{runtime}, {row.threads} thr"


def _shorten(name: str) -> str:
    """Leave out the middle of a name that is too long for a line: names differ at their ends."""
    if len(name) <= _LONGEST_NAME:
        return name
    return f"{name[: _LONGEST_NAME // 3]}…{name[1 - (_LONGEST_NAME - _LONGEST_NAME // 3) :]}"


def _colour(number: int) -> str:
    return _COLOURS[number % len(_COLOURS)]


def _stroke(number: int) -> str:
    dashes = _DASHES[number // len(_COLOURS) % len(_DASHES)]
    return f'stroke="{_colour(number)}" stroke-width="2"' + (f' stroke-dasharray="{dashes}"' if dashes else "")


def _open(title: str, height: float) -> str:
    shown = html.escape(title)
    return f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{shown}">' + (
        f'<text x="4" y="16" class="title">{shown}</text>'
    )


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{html.escape(text)}</text>'


def _paragraph(text: str, kind: str = "") -> str:
    return f'<p class="{kind}">{html.escape(text)}</p>' if kind else f"<p>{html.escape(text)}</p>"
