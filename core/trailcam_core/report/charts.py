"""Charts of a page, drawn by Matplotlib: lines, points, bars, columns and intervals.

Each is a figure with its title above and, where it has several, a list of names below, both as HTML, so that long ones
wrap. Charts are as wide as a telephone and grow on a desk. Matplotlib is loaded with the first chart; where it is not
installed, a sentence replaces each chart.
"""

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from trailcam_core.report.axes import Axis, limits, quantity, uses_log
from trailcam_core.report.markup import Html, fill, join
from trailcam_core.report.style import PALETTE, SERIES, VARIABLES
from trailcam_core.report.svg import new_figure, to_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH, _HEIGHT = 380, 250
_ROW_PX, _BAR_PX, _AXIS_PX = 22, 42, 48  # of an interval, of a bar with its name above, of an axis below them
_LONGEST_ROW = 28  # letters beside an interval whose name is a sentence rather than a label
_LONGEST_NAME, _LONGEST_LABEL = 50, 18  # letters that fit above a bar, and beside an interval
# One for each round of the colours: dashes of lines, and shapes of points for Matplotlib and as text.
_DASHES: tuple[tuple[float, ...], ...] = ((), (6, 3), (2, 2), (8, 2, 2, 2))
_SHAPES = (("o", "●"), ("s", "■"), ("^", "▲"), ("D", "◆"))
_FAINT, _PAGE, _GOOD, _BAD = (PALETTE[name][0] for name in ("faint", "page", "good", "bad"))
_MISSING = 'Not drawn: Matplotlib is not installed. Run pip install "matplotlib>=3.9", then make the report again.'

_Look = TypeVar("_Look")
Point = tuple[float, float]
Lines = Sequence[tuple[str, Sequence[Point]]]


def charts(parts: Sequence[Html]) -> Html:
    """Return charts beside each other, as many as fit; nothing for none."""
    return fill('<div class="charts">{}</div>', join(parts)) if any(parts) else Html()


def line_chart(title: str, lines: Lines, x: Axis, y: Axis, marks: bool = True) -> Html:
    """Return named lines; ``marks`` draws their points too."""

    def draw(figure: "Figure") -> None:
        axes = figure.add_subplot()
        _set_axes(axes, [point for _, points in lines for point in points], x, y)
        _draw_lines(axes, lines, marks)

    return _chart(title, _HEIGHT, draw, _line_keys(lines))


def reliability_chart(title: str, lines: Sequence[tuple[str, Sequence[tuple[float, float, int]]]]) -> Html:
    """Return the fraction that is right over the confidence, above the number of pictures behind the last line.

    Each of ``lines`` is a name and (mean confidence, fraction right, number of pictures) of its bins.
    """

    def draw(figure: "Figure") -> None:
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        upper.plot((0, 1), (0, 1), color=_FAINT, linewidth=1, dashes=(4, 4))
        _draw_lines(upper, [(name, [bin_[:2] for bin_ in bins]) for name, bins in lines], marks=True)
        counts = [(confidence, n) for confidence, _, n in lines[-1][1]]
        lower.bar(*zip(*counts, strict=True), width=0.03, color=_colour(len(lines) - 1))
        every = Axis("", 0.0, 1.0, show=(0.0, 1.0), percent=True)
        _set_axes(upper, [], every, replace(every, name="right"))
        pictures = Axis("pictures", 0.0, show=(0.0,), whole=True, ticks=3)
        _set_axes(lower, counts, replace(every, name="confidence"), pictures)

    return _chart(title, _HEIGHT + 90, draw, _line_keys(lines))


def scatter_chart(title: str, points: Lines, x: Axis, y: Axis, joined: Sequence[Point] = ()) -> Html:
    """Return points, each name with a look that it keeps where others have no point; a line connects ``joined``."""

    def draw(figure: "Figure") -> None:
        axes = figure.add_subplot()
        _set_axes(axes, [place for _, places in points for place in places], x, y)
        if joined:
            axes.plot(*zip(*joined, strict=True), color=_FAINT, linewidth=1, dashes=(4, 3))
        for number, (_, places) in enumerate(points):
            marker, _ = _round(_SHAPES, number)
            for x_value, y_value in places:
                axes.plot(x_value, y_value, marker, markersize=9, color=_colour(number), mec=_PAGE, clip_on=False)

    shown = [(number, name) for number, (name, places) in enumerate(points) if places]
    look = '<span style="color:{}">{}</span> '
    keys = [(name, fill(look, VARIABLES[_colour(n)], _round(_SHAPES, n)[1])) for n, name in shown]
    return _chart(title, _HEIGHT, draw, keys)


def bar_chart(title: str, bars: Sequence[tuple[str, float]], name: str) -> Html:
    """Return named values, at least 0, as bars from zero, or as points on a logarithmic axis where they differ tenfold.

    ``name`` is that of the axis, with the unit. No bars give an empty text.
    """
    values, rows, colours = [value for _, value in bars], range(len(bars)), [*map(_colour, range(len(bars)))]
    log = uses_log(values, quantity(name))
    axis = quantity(name) if log else Axis(name, 0.0, show=(0.0,))

    def draw(figure: "Figure") -> None:
        axes = figure.add_subplot()
        low, high = limits(values, axis)
        _set_axes(axes, [(value, 0.0) for value in values], axis, Axis(""))
        if log:
            axes.scatter(values, rows, s=64, color=colours)
        lengths = [value - low for value in values]
        drawn = axes.barh(rows, lengths, left=low, height=0.04 if log else 0.34, color=colours)
        axes.bar_label(drawn, [f"{value:.3g}" for value in values], padding=7, fontsize=11)
        for row, (text, _) in enumerate(bars):
            axes.annotate(shorten(text), (low, row), (2, 11), textcoords="offset points", fontsize=11)
        axes.set_xlim(low, high * (high / low) ** 0.12 if log else 1.14 * high)  # room for the value of the longest
        axes.set_ylim(len(bars) - 0.6, -0.75)
        axes.set_yticks([])

    return _chart(title, _BAR_PX * len(bars) + _AXIS_PX, draw) if bars else Html()


def column_chart(title: str, edges: Sequence[str], counts: Sequence[int], name: str) -> Html:
    """Return a histogram: a column between each two ``edges``, equally wide, with its count above.

    There is one edge more than counts; ``name`` is that of the axis, with the unit.
    """

    def draw(figure: "Figure") -> None:
        axes, tallest = figure.add_subplot(), max(1, *counts)
        heights = [max(n, tallest / 100) if n else 0 for n in counts]  # one must not vanish beside two thousand
        drawn = axes.bar([number + 0.5 for number in range(len(counts))], heights, width=0.88, color=SERIES[0])
        axes.bar_label(drawn, [f"{n}" if n < 10_000 else f"{n / 1000:.0f}k" for n in counts], padding=2, fontsize=11)
        axes.set_xticks(range(len(edges)), edges, fontsize=11)
        axes.set(xlim=(0, len(counts)), ylim=(0, 1.12 * tallest), xlabel=name, yticks=[])
        axes.spines["left"].set_visible(False)
        axes.grid(visible=False)

    return _chart(title, _HEIGHT, draw)


def interval_chart(
    title: str, rows: Sequence[tuple[str, float, float, float]], axis: Axis, limit: float | None = None
) -> Html:
    """Return changes with their intervals, one row each; one that excludes zero is green above it and red below.

    A row is a name, lower end, value and upper end; there is at least one. ``limit`` is drawn as a dashed line. Zero
    and the limit are shown in any case.
    """

    def draw(figure: "Figure") -> None:
        axes, (names, lows, values, highs) = figure.add_subplot(), zip(*rows, strict=True)
        colours = [_BAD if row[3] < 0 else _GOOD if row[1] > 0 else SERIES[0] for row in rows]
        shown = [0.0, *lows, *highs, *([] if limit is None else [limit])]
        _set_axes(axes, [(value, 0.0) for value in shown], axis, Axis(""))
        axes.hlines(range(len(rows)), lows, highs, colours, linewidth=2)
        axes.scatter(values, range(len(rows)), s=48, color=colours, clip_on=False)
        axes.axvline(0, color=_FAINT, linewidth=1)
        if limit is not None:
            axes.axvline(limit, color=_BAD, linewidth=1.5, dashes=(5, 4))
        axes.set_yticks(range(len(rows)), [shorten(name, _LONGEST_LABEL) for name in names])
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.tick_params(axis="y", length=0)
        axes.grid(visible=False, axis="y")

    return _chart(title, _ROW_PX * len(rows) + _AXIS_PX, draw)


def range_chart(title: str, rows: Sequence[tuple[str, float, float, float, bool]], axis: Axis) -> Html:
    """Return values with their intervals, one row each, blue where more is better and red where less is.

    A row is a name, lower end, value, upper end, and whether more is better; nothing for no row.
    """

    def draw(figure: "Figure") -> None:
        axes, (names, lows, values, highs, better) = figure.add_subplot(), zip(*rows, strict=True)
        colours = [SERIES[0] if good else _BAD for good in better]
        _set_axes(axes, [(value, 0.0) for value in (0.0, *lows, *highs)], axis, Axis(""))
        axes.hlines(range(len(rows)), lows, highs, colours, linewidth=2)
        axes.scatter(values, range(len(rows)), s=48, color=colours, clip_on=False)
        axes.set_yticks(range(len(rows)), [shorten(name, _LONGEST_ROW) for name in names])
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.tick_params(axis="y", length=0)
        axes.grid(visible=False, axis="y")

    return _chart(title, _ROW_PX * len(rows) + _AXIS_PX, draw) if rows else Html()


def shorten(name: str, longest: int = _LONGEST_NAME) -> str:
    """Leave out the middle of a name that is too long for its place: names differ at their ends."""
    first = longest // 3
    return name if len(name) <= longest else f"{name[:first]}…{name[first + 1 - longest :]}"


def _chart(title: str, height: float, draw: Callable[["Figure"], None], keys: Sequence[tuple[str, Html]] = ()) -> Html:
    if importlib.util.find_spec("matplotlib") is None:
        picture = fill('<p class="hint">{}</p>', _MISSING)
    else:
        with new_figure(_WIDTH, height) as figure:
            draw(figure)
            picture = to_svg(figure, title)
    names = join(fill("<li>{}{}</li>", key, name) for name, key in keys if name)
    below = fill('<ul class="keys">{}</ul>', names) if names else names
    return fill('<figure class="chart"><figcaption>{}</figcaption>{}{}</figure>', title, picture, below)


def _draw_lines(axes: "Axes", lines: Lines, marks: bool) -> None:
    for number, (_, points) in enumerate(lines):
        marker = "o" if marks or len(points) == 1 else ""
        (line,) = axes.plot(*(zip(*points, strict=True) if points else ((), ())), color=_colour(number), linewidth=2)
        line.set(marker=marker, markersize=5, clip_on=False)
        if dashes := _round(_DASHES, number):
            line.set_dashes(dashes)


def _set_axes(axes: "Axes", points: Sequence[Point], x: Axis, y: Axis) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

    for place, (axis, drawn) in enumerate(((x, axes.xaxis), (y, axes.yaxis))):
        values = [point[place] for point in points]
        low, high = limits(values, axis)
        axes.set(**{f"{'xy'[place]}label": axis.name})
        if uses_log(values, axis):
            axes.set(**{f"{'xy'[place]}scale": "log"})
            drawn.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low < 200 else (1,)))
            drawn.set_minor_locator(NullLocator())
        else:
            drawn.set_major_locator(MaxNLocator(axis.ticks, steps=[1, 2, 5, 10], integer=axis.whole))
        drawn.set_major_formatter(FuncFormatter(lambda value, _, axis=axis: axis.text(value)))
        axes.set(**{f"{'xy'[place]}lim": (low, high)})


def _line_keys(lines: Sequence[tuple[str, object]]) -> list[tuple[str, Html]]:
    look = '<svg viewBox="0 0 28 8" aria-hidden="true"><path d="M0 4h28" style="stroke:{};stroke-dasharray:{}"/></svg>'
    dashes = [" ".join(map(str, _round(_DASHES, number))) or "none" for number in range(len(lines))]
    return [(name, fill(look, VARIABLES[_colour(n)], dashes[n])) for n, (name, _) in enumerate(lines)]


def _colour(number: int) -> str:
    return SERIES[number % len(SERIES)]


def _round(looks: Sequence[_Look], number: int) -> _Look:
    return looks[number // len(SERIES) % len(looks)]
