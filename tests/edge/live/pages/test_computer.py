"""A store on a computer: opened for reviews only while no camera writes to it."""

from dataclasses import replace
from pathlib import Path

import pytest

from trailcam_core.errors import DeviceError
from trailcam_edge.live.pages.computer import StoreReports
from trailcam_edge.store.event_store import EventStore

from .conftest import LIMITS, make_visit


def test_reviews_change_nothing_in_the_store_of_a_running_camera(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    camera = EventStore(replace(LIMITS, folder=tmp_path))
    camera.add_visit(make_visit(1))

    def opened(folder: Path) -> None:
        pytest.fail("the database was opened for writing")

    monkeypatch.setattr("trailcam_edge.live.pages.computer.open_database", opened)
    with pytest.raises(DeviceError, match=r"another process stores its events here\..* has the pages for reviews"):
        StoreReports(tmp_path, "Jo")
    camera.close()


def test_after_a_damaged_database_the_lock_is_free(tmp_path: Path) -> None:
    (tmp_path / "events.db").write_bytes(b"no database" * 1000)
    with pytest.raises(DeviceError, match="damaged"):
        StoreReports(tmp_path, "Jo")
    EventStore(replace(LIMITS, folder=tmp_path)).close()
