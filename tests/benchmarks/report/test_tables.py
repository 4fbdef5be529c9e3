"""What a person reads: tables, the bundle for a budget, the page."""

import html
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from trailcam_benchmarks.host.machine import Condition, Machine
from trailcam_benchmarks.report.html import render_report
from trailcam_benchmarks.report.tables import describe_soak, markdown_table, terminal_table
from trailcam_benchmarks.results.regression_check import Verdict
from trailcam_benchmarks.results.rows import Picture
from trailcam_benchmarks.results.schema import Result, Row
from trailcam_benchmarks.session.session import BenchmarkPlan, measure
from trailcam_benchmarks.worker.soak import Sample

from ...html_pages import HtmlPage

FLOAT, INT8, BROKEN = "float32.bundle", "int8.bundle", "<broken>.bundle"


@pytest.fixture
def result(fake_runs: Any) -> Result:
    runs = fake_runs({FLOAT: ("float32", 40.0), INT8: ("int8", 20.0), BROKEN: ("int8", 1.0)})
    runs.fail_after[BROKEN] = 0
    runs.answers = {FLOAT: [0, 0], INT8: [0, 1]}
    runs.samples = [vars(Sample(10.0 * n, 10.0, 100, 10.0, 50.0, None, None, 0)) for n in range(1, 4)]
    pictures = (Picture(Path("a.jpg"), "fox"), Picture(Path("b.jpg"), "fox"))
    plan = BenchmarkPlan(tuple(map(Path, (FLOAT, INT8, BROKEN))), frames=300, rounds=3, pictures=pictures, soak_s=30)
    return measure(plan, runs)


def test_the_terminal_table_has_every_measured_row_and_the_reason_of_the_others(result: Result) -> None:
    lines = terminal_table(result).splitlines()
    first = lines[: lines.index("")]  # of the blocks into which a wide table is divided
    assert sum(line.startswith("tiny 1.0.0 int8 ") for line in first) == 2  # the model and its floor
    assert max(map(len, lines[: 3 * len(first)])) <= 100
    assert any("0.5" in line and line.startswith("tiny 1.0.0 int8  ") for line in lines)
    assert any(line.startswith("stages of tiny 1.0.0 float32") and "decode 2.00" in line for line in lines)
    assert any(BROKEN in line and "SIGABRT" in line for line in lines)


def test_every_line_of_the_markdown_table_has_the_same_columns(result: Result) -> None:
    table = [line for line in markdown_table(result).splitlines() if line.startswith("|")]
    assert len(table) == 2 + 4
    assert len({line.count("|") for line in table}) == 1


def test_every_form_says_where_it_was_measured_and_warns_of_what_spoils_it(result: Result) -> None:
    hot = replace(
        result,
        host="pi@camera",
        machine=Machine("Raspberry Pi 5", "Cortex-A76", 4, "Debian", "aarch64", "3.13.0", "ondemand", {"numpy": "2.1"}),
        before=Condition(50.0, 2400.0, 0x20000, 0.5),
        after=Condition(81.0, None, 0x60001, 1.5),
    )
    for text in (terminal_table(hot), markdown_table(hot), html.unescape(render_report(hot))):
        assert "pi@camera: Raspberry Pi 5, Cortex-A76, 4 cores, Debian, Python 3.13.0, governor ondemand" in text
        assert "numpy 2.1; load 0.50 before and 1.50 after, 50 to 81 degrees C, 2400 to unknown MHz" in text
        assert "throttling bits 0x20000 before and 0x60001 after" in text
        assert "Warning: the firmware reports under-voltage" in text
        assert "Warning: throttled occurred during this run" in text  # bit 17 was set before
        assert "was busy" not in text
    cold = replace(hot, before=Condition(None, None, None, 1.3), after=Condition(None, None, None, None))
    text = terminal_table(cold)
    assert "load 1.30 before and unknown after;" in text
    assert text.count("Warning") == 1
    assert "1.30 on 4 cores: the machine was busy" in text


def test_a_soak_says_the_sustained_rate_first_and_that_it_was_cut(result: Result) -> None:
    soak = result.soaks[0]
    assert "10.0 frames/s sustained" in describe_soak(soak)
    assert "not throttled" in describe_soak(soak)
    cut = replace(soak, complete=False, reason="interrupted", samples=(), summary=None)
    assert describe_soak(cut).endswith("no sample. Cut short: interrupted.")


def test_the_page_stands_alone_and_shows_everything(result: Result) -> None:
    verdict = Verdict("tiny int8", "over float32", "slower", 0.3)
    page = HtmlPage(render_report(result, [verdict], "budget 66 ms: none & nothing"))
    page.assert_stands_alone()
    assert {"Measurements", "Charts", "Terms", "Compared with the earlier run", "Long runs"} == set(page.headings)
    for title in ("Latency: fraction", "Accuracy against latency", "Model file", "Peak memory", "Rate", "Memory"):
        assert title in page.text
    assert "Temperature" not in page.texts  # nothing reported it
    assert BROKEN in page.text  # escaped, so it is text and no tag
    assert "none & nothing" in page.text
    assert "+30.0%" in page.text


def test_a_hostile_name_stays_text(result: Result) -> None:
    hostile = tuple(replace(row, name="<script>alert(1)</script>") for row in result.rows)
    page = HtmlPage(render_report(replace(result, rows=hostile)))
    assert page.tags["script"] == 0
    assert "<script>" in page.text


def test_a_page_without_any_measured_row_says_why(result: Result) -> None:
    failed = tuple(Row(row.bundle, row.kind, row.threads, "failed", "interrupted") for row in result.rows)
    page = HtmlPage(render_report(replace(result, rows=failed, soaks=(), complete=False)))
    assert page.tags["svg"] == page.tags["table"] == 0
    assert "Cut short" in page.text


def test_many_rows_with_long_names_are_named_in_full_beside_their_lines(result: Result) -> None:
    model = next(row for row in result.rows if row.latency is not None and row.kind == "model")
    rows = tuple(replace(model, name=f"{'long-' * 12}{number} 1.0.0", sha256=f"{number:064}") for number in range(10))
    page = HtmlPage(render_report(replace(result, rows=rows, soaks=())))
    below = [text for text in page.texts if not text.startswith("The fastest is")]
    for number in range(10):
        assert sum(f"{'long-' * 12}{number} 1.0.0 " in text for text in below) == 3  # table, latency, accuracy


def test_a_rate_is_drawn_from_zero(result: Result) -> None:
    rate = re.findall(r"<figcaption>Rate</figcaption>(<svg.*?</svg>)", render_report(result))[0]
    numbers = [float(text) for text in HtmlPage(rate).texts if re.fullmatch(r"[\d.]+", text)]
    assert min(numbers) == 0


def test_the_page_begins_with_the_fastest_and_explains_its_columns(result: Result) -> None:
    page = HtmlPage(render_report(result)).text
    lead = page[: page.index("Measurements")]
    assert re.search(
        r"The fastest is tiny 1\.0\.0 int8, 1 thread: \d+\.\d\d ms per frame at the median, top-1 50\.0% ", lead
    )
    assert "Below 1 is faster." in page
    assert "x LiteRT:" not in page  # a column that this table has not
