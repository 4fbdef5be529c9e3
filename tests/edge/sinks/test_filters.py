"""Filters of messages and actions: labels, confidence, quiet times, days, and clocks that jump."""

from datetime import UTC, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trailcam_core.records import FieldError
from trailcam_edge.sinks.filters import FilterSettings, Memory, is_quiet, read_memory
from trailcam_edge.store.records import EventRecord
from trailcam_edge.store.wall_time import WallTime

from .conftest import START, event


def at(minutes: float, label: str = "lynx", boot: str = "boot-0", dated: bool = True) -> EventRecord:
    time_s = START.timestamp() + minutes * 60
    started = WallTime(time_s, "clock") if dated else WallTime(None, "unknown")
    return event(1, label=label, started=started, boot_id=boot, monotonic_s=minutes * 60)


def test_labels_confidence_and_kind_decide() -> None:
    settings = FilterSettings(labels=("lynx",), min_confidence=0.9)
    assert settings.takes(event(1, label="lynx", confidence=0.9, kind="opened"))
    assert not settings.takes(event(1, label="lynx", confidence=0.89, kind="opened"))
    assert not settings.takes(event(1, label="Lynx", kind="opened"))
    assert not settings.takes(event(1, label="lynx", kind="closed"))
    assert not settings.takes(event(1, label="lynx", kind="updated"))
    assert FilterSettings(only_when="closed").takes(event(1, label="any"))
    with pytest.raises(FieldError, match="each label once"):
        FilterSettings(labels=("lynx", "lynx"))


def test_after_a_message_a_label_is_quiet_and_another_is_not() -> None:
    memory = Memory().add(at(0))
    assert is_quiet(at(29.9), memory, 30, False, UTC)
    assert not is_quiet(at(30), memory, 30, False, UTC)
    assert not is_quiet(at(1, "wolf"), memory, 30, False, UTC)
    assert not is_quiet(at(0), Memory(), 30, True, UTC)


def test_the_first_of_a_day_is_that_of_the_time_zone() -> None:
    memory = Memory().add(at(0))
    assert is_quiet(at(23 * 60), memory, 0, True, UTC)
    assert not is_quiet(at(24 * 60), memory, 0, True, UTC)
    assert not is_quiet(at(23 * 60), memory, 0, True, timezone(timedelta(hours=2)))


def test_a_clock_that_jumps_does_not_open_the_gate() -> None:
    memory = Memory().add(at(0))
    jumped = at(5)._replace(started=WallTime(START.timestamp() + 400 * 86_400, "clock"))
    assert is_quiet(jumped, memory, 30, False, UTC)  # of one boot: its monotonic clock counts
    assert is_quiet(at(5, boot="boot-1"), memory, 30, False, UTC)  # after a restart: the date
    assert not is_quiet(at(5, boot="boot-1", dated=False), memory, 30, False, UTC)


def test_without_a_date_a_day_is_24_hours_of_one_start() -> None:
    memory = Memory().add(at(0, dated=False))
    assert is_quiet(at(23 * 60, dated=False), memory, 0, True, UTC)
    assert not is_quiet(at(24 * 60, dated=False), memory, 0, True, UTC)
    assert not is_quiet(at(1, boot="boot-1", dated=False), memory, 0, True, UTC)


@given(st.lists(st.text(), max_size=5))
def test_a_memory_survives_being_written(labels: list[str]) -> None:
    memory = Memory()
    for label in labels:
        memory = memory.add(at(1, label))
    assert read_memory(memory.to_text()) == memory


@pytest.mark.parametrize("text", ["", "{", "[]", '{"a": 1}', '{"a": ["b", "c", "d"]}', "null"])
def test_a_memory_that_cannot_be_read_is_empty(text: str) -> None:
    assert read_memory(text) == Memory()


def test_a_memory_that_is_nested_too_deeply_is_empty() -> None:
    assert read_memory("[" * 100_000) == Memory()


def test_a_memory_is_bounded() -> None:
    memory = Memory()
    for number in range(1_100):
        memory = memory.add(at(1, f"label {number}"))
    assert len(memory.last) == 1_000
    assert "label 1099" in memory.last
