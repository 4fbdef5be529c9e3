"""JSON lines: whole lines, rotated, whatever happened in between."""

import errno
import json
import os
from pathlib import Path

import pytest

from trailcam_edge.sinks import json_lines
from trailcam_edge.sinks.json_lines import JsonLinesSink
from trailcam_edge.sinks.settings import JsonLinesSettings
from trailcam_edge.sinks.worker import SinkError

from .conftest import event


def _visits(path: Path) -> list[str]:
    return [json.loads(line)["visit_id"] for line in path.read_text(encoding="utf-8").splitlines()]


def test_each_event_is_one_line(tmp_path: Path) -> None:
    sink = JsonLinesSink(JsonLinesSettings(tmp_path / "logs" / "events.jsonl"))
    sink.deliver(event(1, label="Eichhörnchen\n"))
    sink.deliver(event(2))
    sink.close()
    assert _visits(tmp_path / "logs" / "events.jsonl") == ["visit-1", "visit-2"]
    assert "Eichhörnchen" in (tmp_path / "logs" / "events.jsonl").read_text(encoding="utf-8")


def test_half_a_line_of_a_power_cut_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    JsonLinesSink(JsonLinesSettings(path)).deliver(event(1))
    whole = path.read_bytes()
    for length in (1, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole + whole[:length])
        JsonLinesSink(JsonLinesSettings(path)).deliver(event(2))
        assert _visits(path) == ["visit-1", "visit-2"]
        path.write_bytes(whole[:length])
        JsonLinesSink(JsonLinesSettings(path)).deliver(event(2))
        assert _visits(path) == ["visit-2"]


def test_the_file_is_rotated_by_size_and_old_ones_go(tmp_path: Path) -> None:
    sink = JsonLinesSink(JsonLinesSettings(tmp_path / "events.jsonl", max_bytes=70_000, keep=2))
    for number in range(100):
        sink.deliver(event(number, label="x" * 3000))
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["events.jsonl", "events.jsonl.1", "events.jsonl.2"]
    assert all(path.stat().st_size <= 70_000 for path in tmp_path.iterdir())
    visits = [name for path in reversed(names) for name in _visits(tmp_path / path)]
    assert visits == [f"visit-{number}" for number in range(100 - len(visits), 100)]


def test_keeping_none_is_possible(tmp_path: Path) -> None:
    sink = JsonLinesSink(JsonLinesSettings(tmp_path / "events.jsonl", max_bytes=70_000, keep=0))
    for number in range(40):
        sink.deliver(event(number, label="x" * 3000))
    assert [path.name for path in tmp_path.iterdir()] == ["events.jsonl"]


def test_a_full_disk_is_an_outage_and_leaves_no_half_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = JsonLinesSink(JsonLinesSettings(tmp_path / "events.jsonl"))
    sink.deliver(event(1))

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(json_lines.os, "fsync", full)
        with pytest.raises(SinkError, match="No space left"):
            sink.deliver(event(2))
    with open(tmp_path / "events.jsonl", "ab") as file:
        file.write(b'{"half')
    sink.deliver(event(3))
    assert _visits(tmp_path / "events.jsonl") == ["visit-1", "visit-2", "visit-3"]


def test_impossible_limits_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="max_bytes"):
        JsonLinesSettings(tmp_path / "x", max_bytes=10)
