"""Opening a store: new, older, newer, foreign, damaged, lost, or in use."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from trailcam_core.errors import DeviceError
from trailcam_core.images.boxes import Box
from trailcam_edge.store import open_database as opening
from trailcam_edge.store.open_database import open_database, open_read_only, set_aside
from trailcam_edge.store.reader import open_reader
from trailcam_edge.store.schema import MIGRATIONS, migrate

from ..conftest import MakeVisit, OpenStore


def _write(store: Path, pragma: str) -> None:
    connection = sqlite3.connect(store / "events.db")
    connection.execute(pragma)
    connection.close()


def _damage(path: Path) -> None:
    """Overwrite the tables, not the header: what a dying card does."""
    content = bytearray(path.read_bytes())
    content[4096:12288] = b"\xa5" * 8192
    path.write_bytes(content)


def test_a_commit_is_flushed_in_full_and_the_log_is_a_write_ahead_log(tmp_path: Path) -> None:
    connection = open_database(tmp_path)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
    connection.close()


def test_an_older_database_is_brought_up_to_date_and_keeps_its_rows(tmp_path: Path) -> None:
    open_database(tmp_path).close()
    connection = sqlite3.connect(tmp_path / "events.db", isolation_level=None)
    connection.execute("INSERT INTO boots (boot_id, last_monotonic_s) VALUES ('a', 1.0)")
    migrate(
        connection, [*MIGRATIONS, "ALTER TABLE boots ADD COLUMN note TEXT;\nCREATE TABLE extra (id INTEGER) STRICT;"]
    )
    assert connection.execute("SELECT boot_id, note FROM boots").fetchall() == [("a", None)]
    assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS) + 1,)
    connection.close()


def test_a_store_of_version_1_keeps_its_visits_and_takes_boxes(
    tmp_path: Path, open_store: OpenStore, make_visit: MakeVisit
) -> None:
    folder = tmp_path / "store"
    folder.mkdir()
    connection = open_database(folder, MIGRATIONS[:1])
    connection.execute("INSERT INTO boots VALUES (NULL, 'a', 9.0)")
    connection.execute(
        "INSERT INTO visits VALUES (NULL, 'v', 'cow', 'a', 1, NULL, 'a', 2, NULL, 0.9, 3, 5, 'b', 9.0, 0, 'none')"
    )
    connection.close()
    with pytest.raises(DeviceError, match="its schema is version 1, expected 4"):
        open_read_only(folder)
    store = open_store()
    store.add_visit(make_visit(5, box=Box(0.1, 0.2, 0.3, 0.4)))
    old, new = store.events_after(0, 10)
    assert (old.visit_id, old.label, old.votes, old.picture_state, old.box) == ("v", "cow", 3, "none", None)
    assert new.box == Box(0.1, 0.2, 0.3, 0.4)


def test_an_empty_scene_of_version_3_is_called_nothing(tmp_path: Path, open_store: OpenStore) -> None:
    folder = tmp_path / "store"
    folder.mkdir()
    connection = open_database(folder, MIGRATIONS[:3])
    connection.execute("INSERT INTO boots (boot_id, last_monotonic_s) VALUES ('a', 9.0)")
    for name, label in (("v", "blank"), ("w", "cow")):
        connection.execute(
            "INSERT INTO visits (visit_id, label, started_boot_id, started_monotonic_s, ended_boot_id, "
            "ended_monotonic_s, confidence, votes, frames, bundle, latency_ms, picture_bytes, picture_state) "
            "VALUES (?, ?, 'a', 1, 'a', 2, 0.9, 3, 5, 'b', 9.0, 0, 'none')",
            (name, label),
        )
    connection.close()
    store = open_store()
    assert [event.label for event in store.events_after(0, 10)] == ["nothing", "cow"]
    store.close()
    with open_reader(folder) as reader:
        assert (reader.damaged_rows, [event.label for event in reader.events()]) == (0, ["nothing", "cow"])


def test_a_migration_that_fails_leaves_the_old_schema(tmp_path: Path) -> None:
    open_database(tmp_path).close()
    connection = sqlite3.connect(tmp_path / "events.db", isolation_level=None)
    with pytest.raises(sqlite3.OperationalError):
        migrate(connection, [*MIGRATIONS, "CREATE TABLE extra (id INTEGER);\nCREATE TABLE boots (id INTEGER);"])
    assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
    assert connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'extra'").fetchone() == (0,)
    connection.close()


@pytest.mark.parametrize("opener", [open_database, open_read_only])
def test_a_database_of_a_newer_trailcam_is_refused_and_left_alone(tmp_path: Path, opener: object) -> None:
    open_database(tmp_path).close()
    _write(tmp_path, "PRAGMA user_version = 99")
    before = (tmp_path / "events.db").read_bytes()
    with pytest.raises(DeviceError, match=f"version 99, this Trailcam knows versions up to {len(MIGRATIONS)}. Update"):
        opener(tmp_path)  # type: ignore[operator]
    assert (tmp_path / "events.db").read_bytes() == before


def test_a_reader_does_not_change_an_older_database(tmp_path: Path) -> None:
    open_database(tmp_path).close()
    _write(tmp_path, "PRAGMA user_version = 0")
    with pytest.raises(DeviceError, match="its schema is version 0"):
        open_read_only(tmp_path)


def test_somebody_elses_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    _write(tmp_path, "CREATE TABLE recipes (name TEXT)")
    before = (tmp_path / "events.db").read_bytes()
    with pytest.raises(DeviceError, match="not a database of Trailcam"):
        open_database(tmp_path)
    assert (tmp_path / "events.db").read_bytes() == before


def test_no_store_is_said_with_the_option_to_name_one(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match=r'no events here.*"--store"'):
        open_read_only(tmp_path)


@pytest.mark.parametrize("how", ["tables", "text"])
def test_a_damaged_database_is_set_aside_with_its_pictures_and_said_loudly(
    open_store: OpenStore, make_visit: MakeVisit, caplog: pytest.LogCaptureFixture, tmp_path: Path, how: str
) -> None:
    store = open_store()
    for number in range(3):
        store.add_visit(make_visit(number))
    store.close()
    if how == "tables":
        _damage(tmp_path / "store" / "events.db")
    else:
        (tmp_path / "store" / "events.db").write_text("this is no database " * 500)
    damaged = (tmp_path / "store" / "events.db").read_bytes()
    again = open_store()
    (place,) = (tmp_path / "store" / "set-aside").iterdir()
    assert (place / "events.db").read_bytes() == damaged
    assert len(list((place / "pictures").iterdir())) == 3
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "damaged" in caplog.messages[0]
    assert str(place) in caplog.messages[0]
    assert again.add_visit(make_visit(7)) == 1
    assert again.usage().set_aside_bytes > 80_000


@pytest.mark.parametrize("damage", ["type = CAST(type AS BLOB)", "type = 'uable'", "name = CAST(name AS BLOB)"])
def test_a_table_that_only_its_schema_row_misnames_is_damage(
    damage: str, tmp_path: Path, open_store: OpenStore, make_visit: MakeVisit
) -> None:
    folder = tmp_path / "store"
    store = open_store()
    store.add_visit(make_visit(1))
    store.close()
    connection = sqlite3.connect(folder / "events.db", isolation_level=None)
    connection.execute("PRAGMA writable_schema = ON")
    connection.execute(f"UPDATE sqlite_master SET {damage} WHERE name = 'visits'")
    connection.close()

    store = open_store()
    store.add_visit(make_visit(2))
    store.close()

    assert len(list((folder / "set-aside").glob("*/events.db"))) == 1
    with open_reader(folder) as reader:
        assert [event.visit_id for event in reader.events()] == [make_visit(2).visit_id]


def test_pictures_whose_database_is_gone_are_kept(
    open_store: OpenStore, make_visit: MakeVisit, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    store = open_store()
    store.add_visit(make_visit(0))
    store.close()
    (tmp_path / "store" / "events.db").unlink()
    open_store()
    assert len(list((tmp_path / "store" / "set-aside").glob("*/pictures/*.jpg"))) == 1
    assert "gone" in caplog.messages[0]


def test_what_was_set_aside_cannot_fill_the_disk(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(4):
        (tmp_path / "pictures").mkdir()
        (tmp_path / "pictures" / "a.jpg").write_bytes(bytes(50_000))
        newest = set_aside(tmp_path, 120_000, "Damaged.")
    left = sorted((tmp_path / "set-aside").iterdir())
    assert len(left) == 2
    assert newest in left
    assert sum("deleted" in text for text in caplog.messages) == 2


def test_what_was_just_set_aside_stays_even_if_it_takes_more_than_its_share(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / "pictures").mkdir()
        (tmp_path / "pictures" / f"{number}.jpg").write_bytes(bytes(50_000))
        (tmp_path / "events.db").write_text(f"damaged {number}")
        newest = set_aside(tmp_path, 10_000, "Damaged.")
        assert list((tmp_path / "set-aside").iterdir()) == [newest]
        assert (newest / "pictures" / f"{number}.jpg").stat().st_size == 50_000
        assert (newest / "events.db").read_text() == f"damaged {number}"


def test_what_was_set_aside_stays_while_it_takes_exactly_its_share(tmp_path: Path) -> None:
    for _ in range(3):
        (tmp_path / "pictures").mkdir()
        (tmp_path / "pictures" / "a.jpg").write_bytes(bytes(4096))
        set_aside(tmp_path, 2 * 4096, "Damaged.")
    assert [path.name[:4] for path in sorted((tmp_path / "set-aside").iterdir())] == ["0002", "0003"]


def test_a_file_that_is_deleted_while_sizes_are_added_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "kept").write_bytes(b"x" * 5000)
    monkeypatch.setattr(opening.os, "walk", lambda folder: [(str(folder), [], ["deleted", "kept"])])
    assert opening.folder_bytes(tmp_path) >= 5000


def test_pictures_are_moved_before_the_database(
    tmp_path: Path, open_store: OpenStore, make_visit: MakeVisit, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store()
    store.add_visit(make_visit(0))
    store.close()
    _damage(tmp_path / "store" / "events.db")
    moved: list[str] = []
    rename = Path.rename

    def stop_after_the_first(self: Path, target: Path) -> Path:
        if moved:
            raise OSError("power cut")
        moved.append(self.name)
        return rename(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(opening.Path, "rename", stop_after_the_first)
        with pytest.raises(DeviceError, match="power cut"):
            open_store()
    assert moved == ["pictures"]
    open_store()
    assert len(list((tmp_path / "store" / "set-aside").glob("*/pictures/*.jpg"))) == 1


def test_a_second_writer_is_refused(open_store: OpenStore, tmp_path: Path) -> None:
    open_store()
    with pytest.raises(DeviceError, match="another process stores its events here"):
        open_store()


def test_a_writer_that_was_killed_does_not_hold_the_lock(open_store: OpenStore, tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from trailcam_edge.store.event_store import EventStore; "
        "from trailcam_edge.store.settings import StoreSettings; "
        "store = EventStore(StoreSettings(Path(sys.argv[1]))); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "store")], check=False)
    assert done.returncode == -9
    open_store()
