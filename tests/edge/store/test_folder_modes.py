"""Modes of the folders that the store and the sinks make."""

import os
from pathlib import Path

from trailcam_edge.sinks.json_lines import JsonLinesSink
from trailcam_edge.sinks.settings import JsonLinesSettings
from trailcam_edge.store.event_store import EventStore
from trailcam_edge.store.settings import StoreSettings

from ..sinks.conftest import event


def test_folders_are_not_open_to_others_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        EventStore(StoreSettings(tmp_path / "a" / "b", min_free_bytes=0)).close()
        JsonLinesSink(JsonLinesSettings(tmp_path / "c" / "d" / "events.jsonl")).deliver(event(1))
    finally:
        os.umask(before)
    made = [path for path in tmp_path.rglob("*") if path.is_dir()]
    assert {path.name for path in made} >= {"a", "b", "c", "d"}
    assert not [path for path in made if path.stat().st_mode & 0o022]
