"""What a person reads: tables, the bundle for a budget, the page."""

import html
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from trailcam_benchmarks.host.machine import Condition, Machine
from trailcam_benchmarks.report.html import render_report
from trailcam_benchmarks.report.tables import describe_soak, markdown_table, terminal_table
from trailcam_benchmarks.results.regression import Verdict
from trailcam_benchmarks.results.rows import Picture
from trailcam_benchmarks.results.schema import Result, Row
from trailcam_benchmarks.session.session import Plan, measure
from trailcam_benchmarks.worker.soak import Sample

FLOAT, INT8, BROKEN = "float32.bundle", "int8.bundle", "<broken>.bundle"


@pytest.fixture
def result(fake_runs: Any) -> Result:
    runs = fake_runs({FLOAT: ("float32", 40.0), INT8: ("int8", 20.0), BROKEN: ("int8", 1.0)})
    runs.fail_after[BROKEN] = 0
    runs.answers = {FLOAT: [0, 0], INT8: [0, 1]}
    runs.samples = [vars(Sample(10.0 * n, 10.0, 100, 10.0, 50.0, None, None, 0)) for n in range(1, 4)]
    pictures = (Picture(Path("a.jpg"), "fox"), Picture(Path("b.jpg"), "fox"))
    plan = Plan(tuple(map(Path, (FLOAT, INT8, BROKEN))), frames=300, rounds=3, pictures=pictures, soak_s=30)
    return measure(plan, runs)


def test_the_terminal_table_has_every_measured_row_and_the_reason_of_the_others(result: Result) -> None:
    lines = terminal_table(result).splitlines()
    assert sum(line.startswith("tiny 1.0.0 int8 ") for line in lines) == 2  # the model and its floor
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
        assert "pi@camera: Raspberry Pi 5, Cortex-A76, 4 core(s), Debian, Python 3.13.0, governor ondemand" in text
        assert "numpy 2.1; load 0.50 before and 1.50 after, 50 to 81 degrees C, 2400 to unknown MHz" in text
        assert "throttling bits 0x20000 before and 0x60001 after" in text
        assert "Warning: the firmware reports under-voltage" in text
        assert "Warning: throttled occurred during this run" in text  # bit 17 was set before
        assert "not at rest" not in text
    cold = replace(hot, before=Condition(None, None, None, 1.3), after=Condition(None, None, None, None))
    text = terminal_table(cold)
    assert "load 1.30 before and unknown after;" in text
    assert text.count("Warning") == 1
    assert "1.30 on 4 core(s): the machine was not at rest" in text


def test_a_soak_says_the_sustained_rate_first_and_that_it_was_cut(result: Result) -> None:
    soak = result.soaks[0]
    assert "10.0 frames/s sustained" in describe_soak(soak)
    assert "not throttled" in describe_soak(soak)
    cut = replace(soak, complete=False, reason="interrupted", samples=(), summary=None)
    assert describe_soak(cut).endswith("no sample. Cut short: interrupted.")


class Page(HTMLParser):
    """Collects tags, addresses and text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str | None] = []
        self.said: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.said.append(data)


def test_the_page_stands_alone_and_shows_everything(result: Result) -> None:
    verdict = Verdict("tiny int8", "over float32", "slower", 0.3)
    page = Page(render_report(result, [verdict], "budget 66 ms: none & nothing"))
    assert page.addresses == []
    assert "script" not in page.tags
    text = "\n".join(page.said)
    for title in ("Latency: share", "Accuracy against latency", "Model file, MB", "Peak memory, MB", "Rate", "Memory"):
        assert title in text
    assert "Temperature" not in page.said  # nothing reported it
    assert BROKEN in text  # escaped, so it is text and no tag
    assert "none & nothing" in text
    assert "+30.0%" in text


def test_a_hostile_name_stays_text(result: Result) -> None:
    hostile = tuple(replace(row, name="<script>alert(1)</script>") for row in result.rows)
    page = Page(render_report(replace(result, rows=hostile)))
    assert "script" not in page.tags
    assert any("<script>" in said for said in page.said)


def test_a_page_without_any_measured_row_says_why(result: Result) -> None:
    failed = tuple(Row(row.bundle, row.kind, row.threads, "failed", "interrupted") for row in result.rows)
    page = Page(render_report(replace(result, rows=failed, soaks=(), complete=False)))
    assert "svg" not in page.tags
    assert any("Cut short" in said for said in page.said)


def test_many_rows_with_long_names_can_be_told_apart_and_stay_in_the_picture(result: Result) -> None:
    model = next(row for row in result.rows if row.latency is not None and row.kind == "model")
    rows = tuple(replace(model, name=f"{'long-' * 12}{number} 1.0.0", sha256=f"{number:064}") for number in range(10))
    page = render_report(replace(result, rows=rows, soaks=()))
    strokes = re.findall(r'points="[^"]+" fill="none" (stroke="[^/]+)/', page)
    lines = [stroke for stroke in strokes if "stroke-width" in stroke]
    assert len(lines) == len(set(lines)) == 10
    svgs = page.split("<svg")[1:]
    for svg in svgs:
        assert 'text-anchor="end">long' not in svg
        names = re.findall(r'<text x="([0-9.]+)" y="[0-9.]+" text-anchor="start">([^<]*long-[^<]*)<', svg)
        assert len(names) == len({name for _, name in names}) == 10
        assert all(float(x) + 6 * len(name) <= 460 for x, name in names)  # letters of 11 px are 6 px wide on average
    assert {f">{number}<" for number in range(1, 11)} <= set(re.findall(r">[0-9]+<", svgs[1]))
