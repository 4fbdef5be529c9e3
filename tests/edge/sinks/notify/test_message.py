"""Texts of messages, also of labels that steer, quote or write from right to left."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trailcam_core.records import FieldError
from trailcam_edge.sinks.notify.message import check_template, fill, fill_json, values_of
from trailcam_edge.store.records import EventRecord
from trailcam_edge.store.wall_time import WallTime


def event(label: str = "lynx", known: bool = True) -> EventRecord:
    start = WallTime(1_780_300_800.0, "clock") if known else WallTime(None, "unknown")
    return EventRecord(4, "v4", label, start, start, "b", 1.0, 2.5, 0.876, 3, 9, "b 1", 9.0, None, "none")


def test_a_template_is_filled_in() -> None:
    values = values_of(event(), "the oak")
    assert fill("{label} at {camera}: {percent}", values) == "lynx at the oak: 88%"
    assert values_of(event(known=False), "oak")["time"] == "time unknown"


@given(st.text())
def test_a_json_template_stays_json_whatever_the_label_is(label: str) -> None:
    template = '{"a": "{label}", "b": ["x {label}", 3, null], "c": "{confidence}", "d": "{start}"}'
    found = json.loads(fill_json(template, values_of(event(label), "oak")))
    assert found["a"] == label
    assert found["b"] == [f"x {label}", 3, None]
    assert found["c"] == 0.876
    assert found["d"].startswith("2026-06-01T")


def test_a_label_with_the_name_of_a_value_in_braces_is_filled_in_once() -> None:
    assert fill("{label}", values_of(event("{camera}{visit_id}"), "oak")) == "{camera}{visit_id}"


def test_an_unknown_name_is_refused() -> None:
    check_template("text", "{label} {sort of}")
    with pytest.raises(FieldError, match=r"text has \{lable\}, expected one of camera"):
        check_template("text", "{lable}")
    with pytest.raises(FieldError, match="picture_base64"):
        check_template("text", "{picture_base64}")
    check_template("template", '{"p": "{picture_base64}"}', is_json=True)
