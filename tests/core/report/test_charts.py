"""Charts as the browser gets them."""

import re
import subprocess
import sys

import pytest

from trailcam_core.report.axes import Axis, fraction, quantity
from trailcam_core.report.charts import (
    bar_chart,
    charts,
    column_chart,
    interval_chart,
    line_chart,
    reliability_chart,
    scatter_chart,
    shorten,
)
from trailcam_core.report.markup import Html
from trailcam_core.report.page import render_page
from trailcam_core.report.style import PALETTE

from ...html_pages import HtmlPage

HOSTILE = "<script>alert('$x_1$')</script> & \"fox\""
POINTS = [(1.0, 0.2), (2.0, 0.5), (3.0, 0.9)]


def draw_all() -> dict[str, Html]:
    """Draw one chart of each kind, with a hostile text in every place."""
    return {
        "line": line_chart(HOSTILE, [(HOSTILE, POINTS), ("b", POINTS[:1])], Axis(HOSTILE, whole=True), fraction("y")),
        "reliability": reliability_chart(HOSTILE, [("before", [(0.3, 0.2, 5)]), (HOSTILE, [(0.9, 0.8, 1400)])]),
        "scatter": scatter_chart(
            HOSTILE, [(HOSTILE, [(5.0, 0.5)]), ("b", [(5.1, 0.5)])], quantity("ms"), fraction("y")
        ),
        "bars": bar_chart(HOSTILE, [(HOSTILE, 1.0), ("b", 2.0)], "MB"),
        "columns": column_chart(HOSTILE, ["0", HOSTILE, "2"], [3, 2000], "nats"),
        "intervals": interval_chart(HOSTILE, [(HOSTILE, -3.0, -2.0, -1.0)], Axis("points", -100, 100), -1.5),
    }


def svg_texts(chart: str) -> list[str]:
    """Return the texts inside the drawing, not those of its title and names."""
    return HtmlPage(re.sub(r"<figcaption>.*?</figcaption>|<ul.*?</ul>", "", chart)).texts


def ticks(chart: str) -> list[float]:
    """Return the numbers among the texts of a drawing."""
    plain = [text.replace("−", "-").replace(",", "").removesuffix("%") for text in svg_texts(chart)]  # noqa: RUF001
    return [float(text) for text in plain if re.fullmatch(r"-?[\d.]+", text)]


def test_every_chart_is_well_formed_stands_alone_and_escapes_what_it_is_given() -> None:
    drawn = draw_all()
    page = HtmlPage(render_page("Kit", "All", [], [("Charts", charts(list(drawn.values())))]))
    page.assert_stands_alone()
    assert page.tags["script"] == 0
    assert page.tags["figure"] == len(drawn)
    for name, chart in drawn.items():
        assert HOSTILE in HtmlPage(chart).texts, name


def test_a_dollar_in_a_name_is_no_formula() -> None:
    assert "price $x_1$ & $y$" in svg_texts(bar_chart("t", [("price $x_1$ & $y$", 1.0)], "MB"))


def test_the_same_chart_gives_the_same_bytes() -> None:
    assert draw_all() == draw_all()


def test_colours_are_variables_of_the_page_so_that_both_schemes_are_readable() -> None:
    for name, chart in draw_all().items():
        assert not re.search(r"#[0-9a-f]{6}\b|\bblack\b|rgb\(", chart), name
        assert "var(--ink)" in chart
        assert set(re.findall(r"var\(--([\w-]+)\)", chart)) <= set(PALETTE)


def test_letters_stay_text_and_are_not_small() -> None:
    for name, chart in draw_all().items():
        sizes = [float(size) for size in re.findall(r"font(?:-size)?: ([\d.]+)px", chart)]
        assert sizes, name
        assert min(sizes) >= 11, name


def test_equal_charts_on_one_page_share_no_identifier() -> None:
    chart = line_chart("Rate", [("a", POINTS)], Axis("x"), Axis("y"))
    page = HtmlPage(render_page("Kit", "Twice", [chart, chart], []))
    page.assert_stands_alone()
    assert not page.ids


def test_points_are_drawn_where_their_line_is() -> None:
    chart = line_chart("Rate", [("a", POINTS)], Axis("x"), Axis("y"))
    (line,) = re.findall(r'd="([^"]*)" style="fill: none; stroke: var\(--series-0\)', chart)
    corners = re.findall(r"[ML] ([\d.]+) ([\d.]+)", line)
    placed = re.findall(r'translate\(([\d.]+) ([\d.]+)\)" style="[^"]*var\(--series-0\)', chart)
    assert corners == placed
    assert len(placed) == len(POINTS)


def test_accuracy_up_to_1_has_no_tick_above_100_percent() -> None:
    chart = line_chart("Accuracy", [("a", [(1, 0.4), (2, 1.0)])], Axis("epoch", whole=True), fraction("right"))
    assert "100%" in svg_texts(chart)
    assert max(ticks(chart)) == 100


def test_latencies_near_zero_have_no_tick_below_it() -> None:
    chart = line_chart("Latency", [("a", [(0.2, 0.0), (1.5, 1.0)])], quantity("ms"), fraction("frames"))
    assert min(ticks(chart)) == 0


def test_bars_that_differ_tenfold_get_a_logarithmic_axis() -> None:
    near, far = (bar_chart("Size", [("a", 1.0), ("b", size)], "MB") for size in (9.9, 10.0))
    assert "0" in svg_texts(near)
    assert "0" not in svg_texts(far)
    assert {"1", "2", "5", "10"} <= set(svg_texts(far))


def test_a_reliability_chart_counts_the_pictures_behind_it() -> None:
    chart = reliability_chart("Right", [("as trained", [(0.5, 0.4, 7)]), ("with temperature", [(0.6, 0.6, 1400)])])
    assert "pictures" in svg_texts(chart)
    assert max(ticks(chart)) >= 1000


def test_columns_carry_their_counts() -> None:
    assert {"1234", "12k", "0"} <= set(svg_texts(column_chart("KL", ["0", "1", "2", "3"], [1234, 12_345, 0], "nats")))


def test_ten_lines_with_long_names_have_ten_looks_and_whole_names() -> None:
    names = [f"{'long-' * 12}{number}" for number in range(10)]
    chart = line_chart("Latency", [(name, POINTS) for name in names], Axis("ms"), fraction("frames"), marks=False)
    keys = re.findall(r'<li><svg [^>]*><path d="M0 4h28" (style="[^"]*")', chart)
    assert len(set(keys)) == len(keys) == 10
    lines = set(re.findall(r'style="(fill: none; stroke[^"]*var\(--series[^"]*)"', chart))
    assert len(lines) == 10
    assert set(names) <= set(HtmlPage(chart).texts)


def test_a_point_keeps_its_look_where_another_name_has_none_and_no_two_are_alike() -> None:
    points = [(f"bundle {number}", [(5.0 + number, 0.9)]) for number in range(12)]
    chart, fewer = (
        scatter_chart("Accuracy", shown, quantity("ms"), fraction("top-1"), [(5.0, 0.9), (8.0, 0.9)])
        for shown in (points, [("bundle 0", []), *points[1:]])
    )
    keys = re.findall("<li>(.*?)bundle ([0-9]+)</li>", chart)
    assert len({look for look, _ in keys}) == len(keys) == 12
    assert re.findall("<li>(.*?)bundle ([0-9]+)</li>", fewer) == keys[1:]
    looks = re.findall(r'd="([^"]*)" transform="[^"]*" style="[^"]*fill: var\(--(series-\d)\)', chart)
    assert len(set(looks)) == len(looks) == 12


def test_nothing_to_draw_is_nothing() -> None:
    assert bar_chart("Size", [], "MB") == ""
    assert charts([Html(), Html()]) == ""


def test_a_line_without_points_is_drawn_as_an_empty_chart() -> None:
    assert HtmlPage(line_chart("Loss", [("a", [])], Axis("epoch"), Axis("loss"))).tags["svg"] == 2


@pytest.mark.parametrize(("length", "kept"), [(18, True), (19, False)])
def test_a_long_name_loses_its_middle(length: int, kept: bool) -> None:
    name = "begin" + "x" * (length - 8) + "end"
    short = shorten(name, 18)
    assert (short == name) is kept
    assert len(short) == 18
    assert short.startswith("begin")
    assert short.endswith("end")


def test_matplotlib_is_loaded_by_the_first_chart_and_leaves_its_settings_alone() -> None:
    program = (
        "import sys; from trailcam_core.report.charts import column_chart; assert 'matplotlib' not in sys.modules\n"
        "import matplotlib; matplotlib.rcParams['font.size'] = 31\n"
        "chart = column_chart('t', ['0', '1'], [1], 'x'); assert '31px' not in chart\n"
        "assert matplotlib.rcParams['font.size'] == 31; assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_without_matplotlib_a_chart_is_a_sentence_that_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    page = HtmlPage(line_chart("Loss & more", [("a", POINTS)], Axis("x"), Axis("y")))
    assert "Loss & more" in page.texts
    assert 'pip install "matplotlib>=3.9"' in page.text
    assert page.tags["svg"] == 1  # the key of the line alone
