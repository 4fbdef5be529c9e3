"""Damage that SQLite does not see: it is found at opening and on reading, and the camera goes on."""

import json
import random
import sqlite3
from pathlib import Path

import pytest

from trailcam_core.errors import DeviceError
from trailcam_edge.live.settings import LiveSettings
from trailcam_edge.store import open_database as open_database_module
from trailcam_edge.store.disk.checksums import sealed_tables
from trailcam_edge.store.open_database import open_database
from trailcam_edge.store.reader import open_reader
from trailcam_edge.store.schema import MIGRATIONS
from trailcam_edge.store.store_errors import StoreCorruptError

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
        "UPDATE boots SET last_monotonic_s = 61",
        "UPDATE sqlite_sequence SET seq = 9223372036854775807 WHERE name = 'visits'",
        "PRAGMA user_version = -5",
        "PRAGMA user_version = 0",
        f"PRAGMA user_version = {len(MIGRATIONS) ^ 1 << 20}",
        "PRAGMA application_id = 12345",
        SCHEMA,
        "DROP INDEX visits_by_label",
    ],
)
def test_a_database_that_is_damaged_as_a_whole_is_set_aside(
    folder: Path, open_store: OpenStore, make_visit: MakeVisit, statement: str
) -> None:
    _execute(folder, statement)
    store = open_store()
    assert store.add_visit(make_visit(7, best_frame=None)) == 1
    assert len(list((folder / "set-aside").glob("*/events.db"))) == 1


@pytest.mark.parametrize(
    "change",
    [
        "label = CAST(x'6361ff' AS TEXT)",
        "label = 'squirrem'",
        "bundle = CAST(x'6361ff' AS TEXT)",
        "started_monotonic_s = 1e300",
        "started_monotonic_s = 1.0000000000000002",
        "ended_monotonic_s = 9e999",
        "started_wall_s = 1e300",
        "ended_wall_s = NULL",
        "confidence = 4.5",
        "confidence = 0.8",
        "votes = 2",
        "picture_bytes = 7",
        "box_x = 0.1",
        "picture_state = 'kepu'",
        "ended_boot_id = 'boot-9'",
        "visit_id = 'other'",
        "event_id = 9",
        "checksum = checksum + 1",
        "checksum = NULL",
    ],
)
def test_a_damaged_row_is_set_aside_and_the_others_stay(
    folder: Path, open_store: OpenStore, caplog: pytest.LogCaptureFixture, change: str
) -> None:
    _execute(folder, f"UPDATE visits SET {change} WHERE event_id = 2")
    store = open_store()
    assert [event.event_id for event in store.events_after(0, 9)] == [1, 3]
    assert "1 damaged rows were set aside" in caplog.text
    (row,) = (folder / "set-aside").glob("*/rows.jsonl")
    assert json.loads(row.read_text())["table"] == "visits"
    store.close()
    open_store().close()
    assert len(list((folder / "set-aside").iterdir())) == 1


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("clock_readings", "wall_s = wall_s + 1"),
        ("watches", "frames = 11"),
        ("watches", "bundle = CAST(x'ff' AS TEXT)"),
        ("sinks", "event_id = 2"),
        ("sinks", "name = CAST(x'ff' AS TEXT)"),
    ],
)
def test_every_table_has_checksums(folder: Path, open_store: OpenStore, table: str, change: str) -> None:
    _execute(folder, f"UPDATE {table} SET {change}")
    assert open_store().last_event_id() == 3
    (row,) = (folder / "set-aside").glob("*/rows.jsonl")
    assert json.loads(row.read_text())["table"] == table


def test_a_damaged_index_is_made_anew(folder: Path, open_store: OpenStore) -> None:
    content = (folder / "events.db").read_bytes()
    label = content.index(b"squirrel\x02")  # in the table a text follows the label, in the index its number
    (folder / "events.db").write_bytes(content[:label] + b"squirrem" + content[label + 8 :])
    store = open_store()
    assert store.counts() == {"squirrel": 3}
    assert not (folder / "set-aside").exists()


def test_the_pictures_of_a_damaged_row_are_kept_beside_it(
    open_store: OpenStore, make_visit: MakeVisit, tmp_path: Path
) -> None:
    store = open_store()
    for number in range(3):
        store.add_visit(make_visit(number))
    store.close()
    folder = tmp_path / "store"
    _execute(folder, "UPDATE visits SET visit_id = 'no-such-file' WHERE event_id = 2")
    open_store()
    assert [path.name for path in (folder / "set-aside").glob("*/pictures/*")] == ["boot-0-00001.jpg"]
    assert len(list((folder / "pictures").iterdir())) == 2


def test_a_row_with_bytes_has_a_checksum(folder: Path, open_store: OpenStore) -> None:
    connection = open_store()._database.connection
    connection.execute("INSERT INTO stations (deployment_id) VALUES ('gate')")
    connection.execute(
        "INSERT INTO card_files (fingerprint, station, path, clock, bundle) VALUES (x'00ff', 'gate', 'a', 'UTC', 'b')"
    )
    query = f"SELECT count(*) FROM card_files WHERE {connection.condition('card_files')}"
    assert connection.execute(query).fetchone() == (1,)
    connection.execute("UPDATE card_files SET checksum = checksum, fingerprint = x'01ff'")
    assert connection.execute(query).fetchone() == (1,)
    connection.execute("UPDATE card_files SET checksum = checksum + 1")
    assert connection.execute(query).fetchone() == (0,)


def test_an_update_does_not_cover_up_damage(folder: Path, open_store: OpenStore) -> None:
    store = open_store()
    connection = store._database.connection
    connection.execute("UPDATE visits SET frames = 6")
    assert len(store.events_after(0, 9)) == 3
    _execute(folder, "UPDATE visits SET label = 'lynx' WHERE event_id = 2")
    connection.execute("UPDATE visits SET frames = 7")
    with pytest.raises(StoreCorruptError, match="checksums of 1 rows"):
        store.events_after(0, 9)


def test_a_reader_leaves_damaged_rows_out_and_says_so(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    _execute(folder, "UPDATE visits SET bundle = CAST(x'ff' AS TEXT) WHERE event_id = 2")
    _execute(folder, "UPDATE watches SET frames = 99")
    with open_reader(folder) as reader:
        assert [event.event_id for event in reader.events()] == [1, 3]
        assert len(list(reader.lines())) == 2
        assert list(reader.watches()) == []
        assert reader.damaged_rows == 2
    assert "2 damaged rows are left out" in caplog.text


def test_a_large_database_is_checked_in_part_until_damage_is_found(
    folder: Path, open_store: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_database_module, "_SMALL_BYTES", 0)
    monkeypatch.setattr(open_database_module, "_NEWEST_ROWS", 2)
    _execute(folder, "UPDATE visits SET votes = 2 WHERE event_id = 1")
    store = open_store()
    assert not (folder / "set-aside").exists()
    with pytest.raises(StoreCorruptError):
        store.events_after(0, 9)
    store.close()
    store = open_store()
    assert [event.event_id for event in store.events_after(0, 9)] == [2, 3]
    store.close()
    assert not (folder / "check").exists()
    _execute(folder, "UPDATE visits SET votes = 2 WHERE event_id = 2")
    assert [event.event_id for event in open_store().events_after(0, 9)] == [3]


def test_the_rows_of_an_older_database_get_checksums(
    tmp_path: Path, open_store: OpenStore, make_visit: MakeVisit
) -> None:
    folder = tmp_path / "store"
    folder.mkdir()
    connection = open_database(folder, MIGRATIONS[:2])
    connection.execute("INSERT INTO boots VALUES (NULL, 'a', 9.0)")
    columns = "NULL, 'v', 'cow', 'a', 1, NULL, 'a', 2, NULL, 0.9, 3, 5, 'b', 9.0, 0, 'none', NULL, NULL, NULL, NULL"
    connection.execute(f"INSERT INTO visits VALUES ({columns})")
    connection.close()
    store = open_store()
    assert [event.visit_id for event in store.events_after(0, 9)] == ["v"]
    store.close()
    connection = open_database(folder)
    tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT GLOB 'sqlite_*'")
    assert set(sealed_tables(connection)) == {name for (name,) in tables}
    connection.close()


def test_a_damaged_value_of_an_older_database_is_found_by_its_range(
    tmp_path: Path, open_store: OpenStore, make_visit: MakeVisit
) -> None:
    folder = tmp_path / "store"
    folder.mkdir()
    connection = open_database(folder, MIGRATIONS[:2])
    connection.execute("INSERT INTO boots VALUES (NULL, 'a', 9e9)")
    connection.close()
    assert open_store().add_visit(make_visit(1, best_frame=None)) == 1
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
    _execute(folder, "UPDATE sqlite_sequence SET seq = -1")
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
    assert {"right", "database set aside", "rows set aside"} >= verdicts
    assert "right" in verdicts
    assert len(verdicts) > 1
