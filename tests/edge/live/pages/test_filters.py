"""The filter of a list, from an address and back."""

from datetime import date, datetime, timedelta
from urllib.parse import parse_qsl

import pytest

from trailcam_edge.live.pages.filters import VisitFilter, day_span, parse_filter
from trailcam_edge.store.wall_time import Boot, ClockReading, Timeline


@pytest.mark.parametrize(
    "chosen",
    [
        VisitFilter(),
        VisitFilter("lynx"),
        VisitFilter('a&b="c" é🦊 שועל', date(2026, 5, 1), 90, "no"),
        VisitFilter(review="disputed"),
    ],
)
def test_an_address_keeps_the_filter(chosen: VisitFilter) -> None:
    assert parse_filter(dict(parse_qsl(chosen.query().removeprefix("?")))) == chosen


@pytest.mark.parametrize(
    "query",
    [
        {"label": ""},
        {"label": "x" * 201},
        {"day": "2026-02-30"},
        {"day": "0001-01-01"},
        {"day": "9999-12-31"},
        {"confidence": "-1"},
        {"confidence": "9" * 400},
        {"confidence": "٣"},
        {"review": "1 OR 1"},
    ],
)
def test_a_field_that_makes_no_sense_is_left_out(query: dict[str, str]) -> None:
    assert parse_filter(query).is_empty


def test_a_day_has_its_whole_length_in_local_time() -> None:
    start_s, end_s = day_span(date(2026, 6, 1))
    assert datetime.fromtimestamp(start_s) == datetime(2026, 6, 1)
    assert datetime.fromtimestamp(end_s) == datetime(2026, 6, 1) + timedelta(days=1)


def test_a_time_is_found_in_every_boot_that_touches_it_and_in_no_other() -> None:
    boots = [Boot("a", 1_000.0), Boot("b", 500.0), Boot("never", 10.0), Boot("recording-x", 60.0)]
    base_s = 1_780_000_000.0
    readings = [
        ClockReading("a", 0.0, base_s),
        ClockReading("a", 900.0, base_s + 900.4),  # drifts
        ClockReading("b", 100.0, base_s + 5_100.0),
        ClockReading("recording-x", 0.0, base_s + 9_000.0),
    ]
    timeline = Timeline(boots, readings)
    spans = {boot: (since, until) for boot, since, until in timeline.spans(base_s + 950.4, base_s + 5_200.0)}
    assert set(spans) == {"a", "b"}
    assert spans["a"][0] == pytest.approx(950.0)
    assert spans["b"][1] == pytest.approx(200.0)
    for boot, (since, until) in spans.items():
        assert timeline.resolve(boot, since).unix_s == pytest.approx(base_s + 950.4)
        assert timeline.resolve(boot, until).unix_s == pytest.approx(base_s + 5_200.0, abs=0.5)
    assert [boot for boot, *_ in timeline.spans(base_s + 9_010.0, base_s + 9_020.0)] == ["recording-x"]
    assert timeline.spans(base_s - 100.0, base_s) == []
