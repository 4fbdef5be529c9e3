"""Damage that SQLite does not see: it is found at opening, and the camera starts on a new database."""

import random
import sqlite3
from pathlib import Path

import pytest

from trailcam_core.errors import DeviceError
from trailcam_edge.live.settings import LiveSettings
from trailcam_edge.store.open_database import open_database
from trailcam_edge.store.reader import open_reader
from trailcam_edge.store.schema import MIGRATIONS

from ..conftest import MakeVisit, OpenStore, moment_at
from . import flip_run

SCHEMA = "UPDATE sqlite_master SET sql = replace(sql, 'latency_ms REAL', 'latency_mr REAL')"


@pytest.fixture
def folder(open_store: OpenStore, make_visit: MakeVisit, tmp_path: Path) -> Path:
    """A closed store with three visits."""
    store = open_store()
    for number in range(3):
        store.add_visit(make_visit(number, best_frame=None))
    store.extend_watch(store.begin_watch(moment_at(0), "tiny-1.0.0"), moment_at(60), 10)
    store.acknowledge("mqtt", 3)
    store.close()
    return tmp_path / "store"


def _execute(folder: Path, statement: str) -> None:
    connection = sqlite3.connect(folder / "events.db", isolation_level=None)
    connection.execute("PRAGMA foreign_keys = OFF")
    connection.execute("PRAGMA writable_schema = ON")
    connection.execute(statement)
    connection.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE visits SET label = CAST(x'6361ff' AS TEXT) WHERE event_id = 3",
        "UPDATE visits SET bundle = CAST(x'6361ff' AS TEXT) WHERE event_id = 1",
        "UPDATE visits SET started_monotonic_s = 1e300",
        "UPDATE visits SET ended_monotonic_s = 9e999",
        "UPDATE visits SET started_wall_s = 1e300",
        "UPDATE visits SET confidence = 4.5",
        "UPDATE visits SET picture_bytes = 7",
        "UPDATE visits SET picture_state = 'kepu'",
        "UPDATE visits SET ended_boot_id = 'boot-9'",
        "UPDATE clock_readings SET wall_s = 1e300",
        "UPDATE clock_readings SET wall_s = 4.2e9",
        "UPDATE watches SET bundle = CAST(x'ff' AS TEXT)",
        "UPDATE watches SET frames = -1",
        "UPDATE sinks SET event_id = 4",
        "UPDATE sinks SET name = CAST(x'ff' AS TEXT)",
        "UPDATE sqlite_sequence SET seq = 9223372036854775807 WHERE name = 'visits'",
        "PRAGMA user_version = -5",
        "PRAGMA user_version = 0",
        f"PRAGMA user_version = {len(MIGRATIONS) ^ 1 << 20}",
        "PRAGMA application_id = 12345",
        SCHEMA,
        "DROP INDEX visits_by_label",
    ],
)
def test_a_damaged_value_is_found_at_opening_and_the_database_set_aside(
    folder: Path, open_store: OpenStore, make_visit: MakeVisit, statement: str
) -> None:
    _execute(folder, statement)
    store = open_store()
    assert store.add_visit(make_visit(7, best_frame=None)) == 1
    assert len(list((folder / "set-aside").glob("*/events.db"))) == 1


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE INDEX mine ON visits (bundle)",  # a curious user's
        "UPDATE sqlite_master SET sql = replace(sql, '0 where there is none', 'no more')",  # a comment
        "ANALYZE",
    ],
)
def test_a_sound_database_stays(folder: Path, open_store: OpenStore, statement: str) -> None:
    _execute(folder, statement)
    assert open_store().last_event_id() == 3
    assert not (folder / "set-aside").exists()


@pytest.mark.parametrize("place", [18, 19])
def test_a_damaged_file_format_is_not_taken_for_a_read_only_disk(
    folder: Path, open_store: OpenStore, make_visit: MakeVisit, place: int
) -> None:
    content = bytearray((folder / "events.db").read_bytes())
    content[place] ^= 64
    (folder / "events.db").write_bytes(content)
    assert open_store().add_visit(make_visit(7, best_frame=None)) == 1


def test_a_newer_schema_that_differs_by_one_bit_is_left_alone(tmp_path: Path) -> None:
    newer = len(MIGRATIONS) ^ 1 << 4
    open_database(tmp_path).close()
    _execute(tmp_path, "CREATE TABLE extra (id INTEGER) STRICT")
    _execute(tmp_path, f"PRAGMA user_version = {newer}")
    with pytest.raises(DeviceError, match=f"version {newer}.*Update Trailcam"):
        open_database(tmp_path)


def test_a_reader_reports_damage_in_one_error(folder: Path) -> None:
    _execute(folder, "UPDATE clock_readings SET monotonic_s = 1e300")
    _execute(folder, "UPDATE visits SET started_monotonic_s = -1e300")
    with pytest.raises(DeviceError, match=r"events.db: the database is damaged"), open_reader(folder):
        raise OverflowError  # as ``datetime`` raises for such a time


def test_an_error_of_the_caller_is_not_taken_for_damage(folder: Path) -> None:
    with pytest.raises(OverflowError), open_reader(folder):
        raise OverflowError


def test_the_camera_starts_and_stores_whichever_bit_is_flipped(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    content = flip_run.make_store(folder)
    expected = flip_run.listed(folder)
    bits = random.Random(0).sample(range(8 * len(content)), 60)
    verdicts = {
        flip_run.start(
            folder, flip_run.flipped(content, bit), expected, LiveSettings("127.0.0.1:0") if sample else None
        )
        for sample, bit in ((number % 20 == 0, bit) for number, bit in enumerate(bits))
    }
    assert {"right", "set aside"} <= verdicts
