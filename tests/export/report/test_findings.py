"""JUnit XML as CI servers read it, and a report that holds nothing but itself."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest

from trailcam_core.datasets.run_directory import SplitRow
from trailcam_export.gate.criteria import Verdict
from trailcam_export.gate.gate import evaluate_gate, with_cause, with_parity
from trailcam_export.gate.presets import PRESETS
from trailcam_export.gate.statistics import measure_drift
from trailcam_export.report.drift_json import drift_to_bytes
from trailcam_export.report.findings import Findings, VariantFindings
from trailcam_export.report.html import render_drift_report
from trailcam_export.report.html_pictures import MOST_PICTURES
from trailcam_export.report.junit import junit_to_bytes
from trailcam_export.report.verdict import describe_findings

from ...html_pages import HtmlPage

# What the schema of Jenkins' xUnit plugin (junit-10.xsd) lets each element have, and what it must have.
_ALLOWED = {
    "testsuites": {"name", "time", "tests", "failures", "errors"},
    "testsuite": {"name", "tests", "failures", "errors", "time", "skipped", "timestamp", "hostname", "id", "package"},
    "testcase": {"name", "time", "classname", "group"},
    "failure": {"type", "message"},
    "skipped": {"type", "message"},
}
_NEEDED = {"testsuite": {"name", "tests", "failures", "errors"}, "testcase": {"name"}}
_CHILDREN = {"testsuites": {"testsuite"}, "testsuite": {"testcase"}, "testcase": {"failure", "skipped"}}


@pytest.fixture
def findings(cases: Any, tmp_path: Path) -> Findings:
    """A float file, a good one, a broken one, and one that cannot be told; every picture is there."""
    answers, class_ids = cases.reference(200)
    rows = []
    for number in range(200):
        file = f"{number}.png"
        cv2.imwrite(str(tmp_path / file), np.full((20, 30, 3), number, np.uint8))
        rows.append(SplitRow(file, "0" * 64, "test", f"{cases.labels[class_ids[number]]}"))
    preset = PRESETS["strict"]

    def variant(name: str, theirs: Any) -> VariantFindings:
        drift = measure_drift(answers, theirs, class_ids)
        return VariantFindings(
            name, f"{name}.bundle", 4_000_000, theirs, drift, evaluate_gate(drift, preset, cases.labels)
        )

    float32 = variant("float32", answers)
    float32 = replace(float32, gate=with_parity(float32.gate, 1e-5, 64, "float32"))
    broken = variant("int8", cases.turned(answers, class_ids, lost=150))
    broken = replace(broken, gate=with_cause(broken.gate, 'layers <"gone"> & away'))
    unclear = variant("float16", cases.turned(answers, class_ids, lost=1))
    return Findings(
        "animals", "1.0.0", cases.labels, preset, tmp_path, tuple(rows), class_ids, answers, (float32, broken, unclear)
    )


def test_the_xml_is_what_the_schema_allows(findings: Findings) -> None:
    root = ElementTree.fromstring(junit_to_bytes(findings))
    assert root.tag == "testsuites"
    for element in root.iter():
        assert set(element.keys()) <= _ALLOWED[element.tag]
        assert set(element.keys()) >= _NEEDED.get(element.tag, set())
        assert {child.tag for child in element} <= _CHILDREN.get(element.tag, set())


def test_there_is_one_case_per_variant_and_bar_and_the_counts_are_right(findings: Findings) -> None:
    root = ElementTree.fromstring(junit_to_bytes(findings))
    for suite, variant in zip(root, findings.variants, strict=True):
        assert [case.get("name") for case in suite] == [bar.name for bar in variant.gate.criteria]
        counted = {verdict: sum(bar.verdict is verdict for bar in variant.gate.criteria) for verdict in Verdict}
        assert suite.get("failures") == str(counted[Verdict.FAIL])
        assert suite.get("skipped") == str(counted[Verdict.INCONCLUSIVE])
        assert suite.get("tests") == str(len(variant.gate.criteria))
    names = [(case.get("classname"), case.get("name")) for case in root.iter("testcase")]
    assert len(set(names)) == len(names)
    failure = root.find("testsuite[@name='animals int8']/testcase/failure")
    assert failure is not None
    assert "Likely cause: layers <" in str(failure.get("message"))


def test_inconclusive_is_skipped_with_its_message_or_a_failure_where_that_is_asked_for(findings: Findings) -> None:
    skipped = [item.get("message", "") for item in ElementTree.fromstring(junit_to_bytes(findings)).iter("skipped")]
    assert skipped
    assert all(message.startswith("inconclusive: ") for message in skipped)
    assert any("test pictures would decide" in message for message in skipped)
    strict = ElementTree.fromstring(junit_to_bytes(findings, inconclusive_fails=True))
    assert list(strict.iter("skipped")) == []
    assert findings.passed() is False
    unclear = replace(findings, variants=findings.variants[2:])
    assert (unclear.passed(), unclear.passed(inconclusive_fails=True)) == (True, False)


def test_the_json_has_its_schema_and_the_same_bytes_each_time(findings: Findings) -> None:
    content = drift_to_bytes(findings)
    assert content == drift_to_bytes(findings)
    record = json.loads(content)
    assert record["schema_version"] == 1
    assert [variant["verdict"] for variant in record["variants"]] == ["pass", "fail", "inconclusive"]
    int8 = record["variants"][1]
    assert int8["top1_delta"]["only_first"] == 150
    assert int8["top1_delta"]["low"] < int8["top1_delta"]["value"] == -0.75 < int8["top1_delta"]["high"]
    assert sum(map(sum, int8["confusion"])) == 200
    assert {bar["name"] for bar in int8["bars"]} >= {"agreement", "top1_delta", "recall_delta", "unknown_shift"}
    assert int8["kl_nats"]["p50"] <= int8["kl_nats"]["p95"] <= int8["kl_nats"]["max"]


def test_every_key_of_the_json_stands_in_the_docs(findings: Findings) -> None:
    text = (Path(__file__).parents[3] / "docs" / "drift.md").read_text(encoding="utf-8")
    keys: set[str] = set()

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            keys.update(value)
            for item in value.values():
                walk(item)
        elif isinstance(value, list):
            for item in value:
                walk(item)

    walk(json.loads(drift_to_bytes(findings)))
    assert {key for key in keys if f"`{key}`" not in text} == set()


def test_the_page_is_whole_needs_no_network_and_escapes_what_it_is_given(findings: Findings) -> None:
    odd = tuple(f'<b>"{label}"&' for label in findings.labels)
    page = HtmlPage(render_drift_report(replace(findings, labels=odd)))
    page.assert_stands_alone()
    assert page.addresses
    assert "<b>&quot;" not in page.source
    assert '<b>"a"' not in page.source


def test_every_row_of_the_overview_is_as_wide_as_its_head(findings: Findings) -> None:
    overview = HtmlPage(re.findall("<table.*?</table>", render_drift_report(findings))[0])
    assert overview.tags["tr"] == 1 + 1 + len(findings.variants)
    assert (overview.tags["th"] + overview.tags["td"]) / overview.tags["tr"] == 9  # no picture of others was tested


def test_a_doubt_about_the_trained_model_stands_in_the_record_and_first_on_the_page(findings: Findings) -> None:
    doubted = replace(findings, reference_warning="it was trained on <BGR> pictures")
    assert json.loads(drift_to_bytes(doubted))["trained"]["doubt"] == doubted.reference_warning
    page = render_drift_report(doubted)
    assert page.index("It was trained on &lt;BGR&gt; pictures.") < page.index(">Variants</h2>")
    assert "Check the trained model first" not in render_drift_report(findings)


def test_the_page_begins_with_the_verdict_that_the_terminal_prints(findings: Findings) -> None:
    page = HtmlPage(render_drift_report(findings))
    assert describe_findings(findings) in page.text
    one = HtmlPage(render_drift_report(replace(findings, variants=findings.variants[:1]))).text
    assert one.index("You may ship") < one.index("1 variant against the trained model on 200 test pictures: 1 pass.")


def test_the_pictures_on_which_answers_differ_are_shown_up_to_a_stated_count(findings: Findings) -> None:
    page = HtmlPage(render_drift_report(findings)).section("Pictures on which the answers differ")
    assert page.tags["figure"] == MOST_PICTURES
    assert "150 of 200 test pictures, 60 of them shown" in page.text
    same = HtmlPage(render_drift_report(replace(findings, variants=findings.variants[:1])))
    assert "None: every variant gives the trained model's answer" in same.text


def test_many_labels_still_make_a_page(cases: Any, findings: Findings) -> None:
    labels = tuple(f"species {number:03}" for number in range(200))
    random = np.random.default_rng(0)
    answers = replace(findings.reference, logits=random.normal(0, 1, (200, 200)).astype(np.float32))
    theirs = replace(answers, logits=answers.logits + random.normal(0, 0.2, (200, 200)).astype(np.float32))
    drift = measure_drift(answers, theirs, findings.class_ids)
    variant = VariantFindings("int8", "int8.bundle", 1, theirs, drift, evaluate_gate(drift, PRESETS["strict"], labels))
    text = render_drift_report(replace(findings, labels=labels, reference=answers, variants=(variant,)))
    assert "Answers that changed most" in text
    assert len(text) < 2_000_000
