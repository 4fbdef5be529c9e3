"""The section of a page about the field: visits and pictures named right and wrong, each with n and its interval."""

from trailcam_core.report.axes import fraction
from trailcam_core.report.charts import charts, range_chart
from trailcam_core.report.markup import Html, fill, join, paragraph
from trailcam_core.report.tables import html_table
from trailcam_core.spec import FieldFigures, FieldRow, Rate

HEADING = "In the field"
BEGIN, END = "<!-- field figures -->", "<!-- end of field figures -->"  # between them a later measurement is put
_HEAD = ("", "n", "groups", "right", "95 % interval", "wrong", "95 % interval", "wrong per 1,000")
_CAUTION = (
    "These are pasted animals and generated clips, not a week in a forest: size, light and movement are varied, living "
    "animals, rain and insects are not. The intervals resample the groups (scenes, kinds): pictures of one group are "
    "alike. In a row of empties or other animals every name is wrong."
)


def field_part(figures: FieldFigures | None) -> Html:
    """Return the section between marks, so that ``put_field_part`` finds it; nothing for None."""
    return Html() if figures is None else fill("{}{}{}", Html(BEGIN), field_section(figures), Html(END))


def put_field_part(page: str, figures: FieldFigures) -> str:
    """Return a page with these figures in place of those it had, or as its last section."""
    part = field_part(figures)
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if begin and end:
        return before + part + after
    before, end, after = page.rpartition("</body>")
    return before + fill("<h2>{}</h2>{}", HEADING, part) + end + after


def field_section(figures: FieldFigures) -> Html:
    """Return tables, a chart and how to read them."""
    parts = []
    for unit, text in (
        ("clips", "Clips of animals in scenes, watched by the camera's own loop. Right: every animal has a visit with "
         "its label. Wrong: a visit has another label."),
        ("pictures", "Single pictures, without votes and without averaging."),
    ):  # fmt: skip
        rows = [row for row in figures.rows if row.unit == unit]
        if rows:
            parts += [paragraph(text), html_table(_HEAD, [_cells(row) for row in rows])]
    false = figures.false_visits_per_hour
    if false is not None and false.value is not None:
        between = "" if false.low is None else f" ({false.low:.2g} to {false.high:.2g})"
        hours = f"{false.n:.2g} hours of empty scenes"
        parts.append(fill("<p>False visits: <b>{:.2g}</b> an hour{}, in {}.</p>", false.value, between, hours))
    return join([*parts, _chart(figures), paragraph(_CAUTION, "hint")])


def _chart(figures: FieldFigures) -> Html:
    bars = []
    for row in figures.rows:
        rate = row.wrong if row.right is None else row.right
        if rate.value is not None:
            low, high = (rate.value if end is None else end for end in (rate.low, rate.high))
            bars.append((row.name, low, rate.value, high, row.right is not None))
    return charts([range_chart("Right (blue), and named where nothing should be (red)", bars, fraction("fraction"))])


def _cells(row: FieldRow) -> tuple[str, ...]:
    per_1000 = "" if row.wrong.value is None else f"{1000 * row.wrong.value:.0f}"
    right = ("", "") if row.right is None else _percent(row.right)
    return (row.name, f"{row.n:,}", f"{row.groups:,}", *right, *_percent(row.wrong), per_1000)


def _percent(rate: Rate) -> tuple[str, str]:
    value = "-" if rate.value is None else f"{rate.value:.1%}"
    return value, "-" if rate.low is None or rate.high is None else f"{rate.low:.1%} to {rate.high:.1%}"
