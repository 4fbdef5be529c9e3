"""Actions: for the events of their filter, in time or not at all, and never twice."""

import json
from pathlib import Path
from typing import Any

import pytest

from trailcam_edge.sinks.actions.settings import ActionSettings
from trailcam_edge.sinks.actions.sink import ActionSink
from trailcam_edge.sinks.worker import SinkRejectedError
from trailcam_edge.store.records import EventRecord
from trailcam_edge.store.wall_time import WallTime


def event(kind: str = "opened", boot: str = "boot-0", **changes: Any) -> EventRecord:
    never = WallTime(None, "unknown")
    made = EventRecord(0, "v1", "boar", never, never, boot, 100.0, 0.8, 0.9, 3, 3, "b 1", 9.0, None, "none")
    return made._replace(kind=kind, **changes)


def sink(path: Path, now_s: float = 101.0, **settings: Any) -> ActionSink:
    command = ("/bin/sh", "-c", f"cat >> {path}; echo >> {path}")
    return ActionSink("lamp", ActionSettings(command=command, **settings), 30.0, lambda: now_s, "boot-0")


def test_the_program_gets_the_event(tmp_path: Path) -> None:
    path = tmp_path / "got"
    lamp = sink(path, labels=("boar",))
    lamp.deliver(event(label="deer"))
    lamp.deliver(event(kind="closed"))
    lamp.deliver(event(label='boar "🐗" \u202e'))
    assert not path.exists()
    lamp.deliver(event())
    (line,) = path.read_text().splitlines()
    assert (json.loads(line)["event"], json.loads(line)["label"]) == ("opened", "boar")
    assert lamp.name == "action lamp"


@pytest.mark.parametrize(
    ("now_s", "made", "late"),
    [
        (110.7, event(), False),
        (110.9, event(), True),
        (140.7, event("closed"), False),
        (140.9, event("closed"), True),
        (101.0, event(boot="boot-before"), True),
        (9e9, event(boot="recording-1"), False),
    ],
)
def test_an_event_that_waited_too_long_is_dropped(tmp_path: Path, now_s: float, made: EventRecord, late: bool) -> None:
    path = tmp_path / "got"
    lamp = sink(path, now_s, only_when=made.kind)
    if late:
        with pytest.raises(SinkRejectedError, match="s late, at most 10 s"):
            lamp.deliver(made)
    else:
        lamp.deliver(made)
    assert path.exists() is not late


def test_a_program_that_fails_is_counted_and_not_repeated(tmp_path: Path) -> None:
    lamp = ActionSink("lamp", ActionSettings(command=("/bin/false",)), 30.0, lambda: 101.0, "boot-0")
    with pytest.raises(SinkRejectedError, match=r"/bin/false ended with 1\."):
        lamp.deliver(event())
