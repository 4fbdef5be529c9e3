"""The frame, tables and pictures of a page."""

import re

import numpy as np
import pytest

from trailcam_core.report.markup import Html, badge, bullets, fill, join, paragraph
from trailcam_core.report.page import box, render_page
from trailcam_core.report.pictures import picture, pictures
from trailcam_core.report.style import PALETTE
from trailcam_core.report.tables import html_table, markdown_table, text_table

from ...html_pages import HtmlPage

HOSTILE = "<b>\"fox\" & 'hare'</b>"
IMAGE = np.zeros((4, 6, 3), np.uint8)


def contrast(first: str, second: str) -> float:
    """Return the contrast of two colours, 1 to 21. Source: WCAG 2.2."""

    def luminance(colour: str) -> float:
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


def test_a_page_has_its_title_its_sections_and_both_schemes() -> None:
    text = render_page("Benchmark", HOSTILE, [paragraph("lead", "lead")], [("One", paragraph("1")), ("Two", Html())])
    page = HtmlPage(text)
    page.assert_stands_alone()
    assert text.startswith("<!doctype html>")
    assert page.headings == ["One"]  # the empty one is left out
    assert f"{HOSTILE}: Benchmark" in page.texts
    assert 'name="viewport"' in text
    assert "prefers-color-scheme:dark" in text
    assert page.tags["nav"] == 0


def test_a_long_page_begins_with_links_to_its_sections() -> None:
    page = HtmlPage(render_page("Kit", "Long", [], [(f"Part {number}", paragraph("x")) for number in range(4)]))
    page.assert_stands_alone()
    assert page.tags["a"] == page.tags["h2"] == 4


def test_everything_that_is_given_as_text_is_escaped() -> None:
    parts = [
        fill("<p>{} {:,} {name}</p>", HOSTILE, 1234, name=HOSTILE),
        paragraph(HOSTILE),
        bullets([HOSTILE]),
        badge(HOSTILE),
        box(HOSTILE, [HOSTILE], "pass", mark=True),
        html_table([HOSTILE, HOSTILE], [[HOSTILE, HOSTILE]]),
        picture(IMAGE, [("file", HOSTILE)]),
        picture([(IMAGE, HOSTILE), (IMAGE, "b")], [("", HOSTILE)]),
        paragraph("x") + HOSTILE,
        join([HOSTILE]),
    ]
    for part in parts:
        assert isinstance(part, Html)
        assert "<b>" not in part
        assert '"fox"' not in re.sub("&quot;", "", part)
        HtmlPage(part)


def test_html_is_not_escaped_twice() -> None:
    assert fill("<p>{}</p>", fill("<b>{}</b>", "a & b")) == "<p><b>a &amp; b</b></p>"
    assert html_table(["", ""], [["a", badge("pass")]]).count('<span class="badge pass">') == 1


@pytest.mark.parametrize("kind", ["numbers", "texts", "matrix"])
def test_a_table_scrolls_in_its_own_box_and_names_its_rows(kind: str) -> None:
    page = HtmlPage(html_table(["name", "x"], [["a", "1"], ["b", "2"]], kind=kind))
    assert page.source.startswith('<div class="scroll"><table class="' + kind)
    assert (page.tags["tr"], page.tags["th"], page.tags["td"]) == (3, 4, 2)


def test_a_table_without_column_names_has_no_head() -> None:
    assert HtmlPage(html_table(["", ""], [["a", "1"]])).tags["thead"] == 0


def test_shades_are_behind_their_cells_and_strong_ones_have_light_letters() -> None:
    text = html_table(["", "x", "y", "z"], [["a", "1", "2", "3"]], [[0.55, 0.56, 0.0]])
    assert text.count("background") == 2
    assert text.count('class="strong"') == 1


def test_columns_of_a_terminal_are_lined_up() -> None:
    assert text_table([("class", "n"), ("fox", "1,234"), ("hare", "")]) == ["class      n", "fox    1,234", "hare"]


def test_a_pipe_in_a_cell_does_not_end_it() -> None:
    assert markdown_table(["a", "b"], [["x|y", "1"]]) == ["| a | b |", "|---|---:|", r"| x\|y | 1 |"]


def test_a_picture_has_words_in_its_place_and_lies_in_the_page() -> None:
    page = HtmlPage(pictures([picture(IMAGE, [("truth", "fox"), ("file", "fox/night_1.jpg")])], "small"))
    page.assert_stands_alone()
    assert page.alts == ["fox; fox/night_1.jpg"]
    assert 'width="6" height="4"' in page.source
    assert page.tags["wbr"] == 2  # where the name may be broken


def test_pictures_side_by_side_are_one_figure_with_a_text_each() -> None:
    page = HtmlPage(picture([(IMAGE, "picture"), (IMAGE, "for fox")], [("truth", "hare")]))
    assert page.tags["figure"] == 1
    assert page.alts == ["hare: picture", "hare: for fox"]


@pytest.mark.parametrize("scheme", [0, 1])
def test_texts_and_marks_have_contrast_by_day_and_by_night(scheme: int) -> None:
    colours = {name: pair[scheme] for name, pair in PALETTE.items()}
    for name in ("ink", "faint", "good", "bad", "unsure"):
        for paper in ("page", "stripe"):
            assert contrast(colours[name], colours[paper]) >= 4.5, (name, paper)
    for name in (name for name in colours if name.startswith("series")):
        assert contrast(colours[name], colours["page"]) >= 3, name


def test_a_wide_table_goes_on_below_with_the_names_of_its_rows() -> None:
    rows = [("name", "first", "second", "third"), ("fox", "1", "2", "3")]
    assert text_table(rows, max_columns=20) == [
        "name  first  second",
        "fox       1       2",
        "",
        "name  third",
        "fox       3",
    ]
