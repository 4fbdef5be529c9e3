"""Charts of a page, drawn by Matplotlib: lines, points, bars, columns and intervals.

Each is a figure with its title above and, where lines need names, a list of them below, both as HTML, so that long ones
wrap. Charts are as wide as a telephone and grow on a desk. Matplotlib is loaded with the first chart; where it is not
installed, a sentence replaces each chart.
"""

import importlib.util
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from trailcam_core.report.axes import Axis, limits, place_labels, quantity, uses_log
from trailcam_core.report.markup import Html, fill, join
from trailcam_core.report.style import PALETTE, SERIES, VARIABLES
from trailcam_core.report.svg import new_figure, to_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "bar_chart",
    "charts",
    "column_chart",
    "interval_chart",
    "line_chart",
    "reliability_chart",
    "scatter_chart",
    "shorten",
]

_WIDTH, _HEIGHT = 380, 250
_ROW_PX, _BAR_PX, _AXIS_PX = 22, 42, 48  # of an interval, of a bar with its name above, of an axis below them
_LABEL_PX = (16.0, 14.0)  # a number of two digits
_DOT = 8  # across, px
_LONGEST_NAME, _LONGEST_LABEL = 50, 18  # letters that fit above a bar, and beside an interval
_DASHES: tuple[tuple[float, ...], ...] = ((), (6, 3), (2, 2), (8, 2, 2, 2))  # one for each round of the colours
_INK, _FAINT, _PAGE, _GOOD, _BAD = (PALETTE[name][0] for name in ("ink", "faint", "page", "good", "bad"))
_MISSING = 'Not drawn: Matplotlib is not installed. Run pip install "trailcam[report]", then make the report again.'

Point = tuple[float, float]
Lines = Sequence[tuple[str, Sequence[Point]]]
_Key = Callable[[int], Html]  # of the number of a line to its sign in the list of names


def charts(parts: Sequence[Html]) -> Html:
    """Return charts beside each other, as many as fit; nothing for none."""
    return fill('<div class="charts">{}</div>', join(parts)) if any(parts) else Html()


def line_chart(title: str, lines: Lines, x: Axis, y: Axis, marks: bool = True) -> Html:
    """Return named lines; ``marks`` draws their points too."""

    def draw(figure: "Figure") -> None:
        axes = figure.add_subplot()
        _set_axis(axes, "x", [point[0] for _, points in lines for point in points], x)
        _set_axis(axes, "y", [point[1] for _, points in lines for point in points], y)
        _draw_lines(axes, lines, marks)

    return _chart(title, _HEIGHT, draw, [name for name, _ in lines])


def reliability_chart(title: str, lines: Sequence[tuple[str, Sequence[tuple[float, float, int]]]]) -> Html:
    """Return how often a model is right by how confident it is, above the number of pictures behind the last line.

    Args:
        title: above the chart.
        lines: name, and (mean confidence, fraction right, number of pictures) of each bin.
    """

    def draw(figure: "Figure") -> None:
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        upper.plot((0, 1), (0, 1), color=_FAINT, linewidth=1, dashes=(4, 4))
        _draw_lines(upper, [(name, [bin_[:2] for bin_ in bins]) for name, bins in lines], marks=True)
        confidence, _, counts = zip(*lines[-1][1], strict=True)
        lower.bar(confidence, counts, width=0.03, color=SERIES[len(lines) - 1])
        _set_axis(upper, "y", [], Axis("right", 0, 1, percent=True))
        _set_axis(lower, "x", [], Axis("confidence", 0, 1, percent=True))
        _set_axis(lower, "y", counts, Axis("pictures", 0, show=(0,), whole=True), ticks=3)

    return _chart(title, _HEIGHT + 90, draw, [name for name, _ in lines])


def scatter_chart(title: str, points: Lines, x: Axis, y: Axis, joined: Sequence[Point] = ()) -> Html:
    """Return numbered points with their names below; a dashed line joins those of ``joined``."""

    def draw(figure: "Figure") -> None:
        axes = figure.add_subplot()
        every = [place for _, places in points for place in places]
        _set_axis(axes, "x", [place[0] for place in every], x)
        _set_axis(axes, "y", [place[1] for place in every], y)
        if joined:
            axes.plot(*zip(*joined, strict=True), color=_FAINT, linewidth=1, dashes=(4, 3))
        for number, (across, up) in enumerate(every):
            axes.plot(across, up, "o", markersize=_DOT, color=_colour(number), markeredgecolor=_PAGE, clip_on=False)
        figure.draw_without_rendering()  # lays the axes out: only now are pixels known
        inverse, corners = axes.transData.inverted(), axes.bbox.get_points()
        pixels = [(float(a), float(b)) for a, b in axes.transData.transform(every)]
        bounds = ((corners[0][0], corners[0][1]), (corners[1][0], corners[1][1]))
        for number, centre in enumerate(place_labels(pixels, _LABEL_PX, _DOT / 2 + 1, bounds)):
            across, up = inverse.transform(centre)
            _write(axes, f"{number + 1}", (across, up), (0, 0), "center")

    return _chart(title, _HEIGHT, draw, [name for name, _ in points], _dot)


def bar_chart(title: str, bars: Sequence[tuple[str, float]], name: str) -> Html:
    """Return values as bars from zero, or where they differ tenfold as points on a logarithmic axis; nothing for none.

    Args:
        title: above the chart.
        bars: name and value, at least 0.
        name: of the axis, with the unit.
    """
    values = [value for _, value in bars]
    axis = quantity(name)
    log = uses_log(values, axis)

    def draw(figure: "Figure") -> None:
        axes = figure.add_subplot()
        low, high = limits(values, axis if log else Axis(name, 0.0, show=(0,)))
        for number, (text, value) in enumerate(bars):
            if log:
                axes.plot((low, value), (number, number), color=_colour(number), linewidth=1.5)
                axes.plot(value, number, "o", markersize=_DOT, color=_colour(number))
            else:
                axes.barh(number, value, height=0.34, color=_colour(number))
            _write(axes, f"{value:.3g}", (value, number), (7, 0))
            _write(axes, shorten(text), (low, number), (2, 16))
        _set_axis(axes, "x", values, axis if log else Axis(name, 0.0, show=(0,)))
        axes.set_xlim(low, high * (high / low) ** 0.12 if log else 1.14 * high)  # room for the value of the longest
        axes.set_ylim(len(bars) - 0.6, -0.75)
        axes.tick_params(axis="y", left=False, labelleft=False)
        axes.grid(visible=False, axis="y")

    return _chart(title, _BAR_PX * len(bars) + _AXIS_PX, draw) if bars else Html()


def column_chart(title: str, edges: Sequence[str], counts: Sequence[int], name: str) -> Html:
    """Return a histogram: one column between each two edges, equally wide, with its count above.

    Args:
        title: above the chart.
        edges: as text, one more than counts.
        counts: of each column.
        name: of the axis, with the unit.
    """

    def draw(figure: "Figure") -> None:
        axes, tallest = figure.add_subplot(), max(1, *counts)
        for number, count in enumerate(counts):
            height = max(count, tallest / 100) if count else 0  # one picture must not vanish beside two thousand
            axes.bar(number + 0.5, height, width=0.88, color=SERIES[0])
            text = f"{count}" if count < 10_000 else f"{count / 1000:.0f}k"
            _write(axes, text, (number + 0.5, height), (0, 8), "center")
        axes.set_xticks(range(len(edges)), edges, fontsize=11)
        axes.set(xlim=(0, len(counts)), ylim=(0, 1.12 * tallest), xlabel=name)
        axes.yaxis.set_visible(False)
        axes.spines["left"].set_visible(False)
        axes.grid(visible=False)

    return _chart(title, _HEIGHT, draw)


def interval_chart(
    title: str, rows: Sequence[tuple[str, float, float, float]], axis: Axis, limit: float | None = None
) -> Html:
    """Return changes with their intervals, one row each; one that excludes zero is green above it and red below.

    Args:
        title: above the chart.
        rows: name, lower end, value, upper end; at least one.
        axis: of the values; zero and the limit are shown in any case.
        limit: drawn as a dashed line, in the unit of the values.
    """

    def draw(figure: "Figure") -> None:
        axes = figure.add_subplot()
        for number, (_, low, value, high) in enumerate(rows):
            colour = _BAD if high < 0 else _GOOD if low > 0 else SERIES[0]
            axes.plot((low, high), (number, number), color=colour, clip_on=False)
            axes.plot(value, number, "o", markersize=_DOT - 1, color=colour, clip_on=False)
        ends = [end for row in rows for end in row[1:]]
        _set_axis(axes, "x", [0, *ends, *([] if limit is None else [limit])], axis)
        axes.axvline(0, color=_FAINT, linewidth=1)
        if limit is not None:
            axes.axvline(limit, color=_BAD, linewidth=1.5, dashes=(5, 4))
        axes.set_yticks(range(len(rows)), [shorten(row[0], _LONGEST_LABEL) for row in rows])
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.tick_params(axis="y", length=0)
        axes.grid(visible=False, axis="y")

    return _chart(title, _ROW_PX * len(rows) + _AXIS_PX, draw)


def shorten(name: str, longest: int = _LONGEST_NAME) -> str:
    """Leave out the middle of a name that is too long for its place: names differ at their ends."""
    if len(name) <= longest:
        return name
    first = longest // 3
    return f"{name[:first]}…{name[first + 1 - longest :]}"


def _chart(
    title: str, height: float, draw: Callable[["Figure"], None], keys: Sequence[str] = (), key: _Key | None = None
) -> Html:
    if importlib.util.find_spec("matplotlib") is None:
        picture = fill('<p class="hint">{}</p>', _MISSING)
    else:
        with new_figure(_WIDTH, height) as figure:
            draw(figure)
            picture = to_svg(figure, title)
    named = join(fill("<li>{}{}</li>", (key or _key)(number), name) for number, name in enumerate(keys) if name)
    below = fill('<ul class="keys">{}</ul>', named) if named else named
    return fill('<figure class="chart"><figcaption>{}</figcaption>{}{}</figure>', title, picture, below)


def _draw_lines(axes: "Axes", lines: Lines, marks: bool) -> None:
    for number, (_, points) in enumerate(lines):
        (line,) = axes.plot(*zip(*points, strict=True), color=_colour(number)) if points else [None]
        if line is not None and (marks or len(points) == 1):
            line.set(marker="o", markersize=_DOT - 3, clip_on=False)
        if line is not None and _dashes(number):
            line.set_dashes(_dashes(number))


def _write(axes: "Axes", text: str, place: Point, shift: Point, side: str = "left") -> None:
    note = axes.annotate(text, place, shift, textcoords="offset points", ha=side, va="center_baseline", fontsize=11)
    note.set_annotation_clip(False)


def _set_axis(axes: "Axes", way: str, values: Sequence[float], axis: Axis, ticks: int = 5) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

    low, high = limits(values, axis)
    drawn = axes.xaxis if way == "x" else axes.yaxis
    scale, span = (axes.set_xscale, axes.set_xlim) if way == "x" else (axes.set_yscale, axes.set_ylim)
    if uses_log(values, axis):
        scale("log")
        drawn.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low < 200 else (1,)))
        drawn.set_minor_locator(NullLocator())
    else:
        drawn.set_major_locator(MaxNLocator(ticks, steps=[1, 2, 5, 10], integer=axis.whole))
    drawn.set_major_formatter(FuncFormatter(lambda value, _: axis.text(value)))
    span(low, high)
    drawn.set_label_text(axis.name)


def _key(number: int) -> Html:
    dashes = " ".join(f"{length:g}" for length in _dashes(number))
    return fill(
        '<svg viewBox="0 0 28 8" aria-hidden="true"><path d="M0 4h28" fill="none" stroke-width="3" '
        'stroke-dasharray="{}" style="stroke:{}"/></svg>',
        dashes or "none",
        VARIABLES[_colour(number)],
    )


def _dot(number: int) -> Html:
    return fill(
        '<svg viewBox="0 0 28 8" aria-hidden="true"><circle cx="24" cy="4" r="4" style="fill:{}"/></svg>{}  ',
        VARIABLES[_colour(number)],
        number + 1,
    )


def _colour(number: int) -> str:
    return SERIES[number % len(SERIES)]


def _dashes(number: int) -> tuple[float, ...]:
    return _DASHES[number // len(SERIES) % len(_DASHES)]
