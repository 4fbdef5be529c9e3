"""``trailcam watch`` with a store, a page and a service manager: signals, reloads, bad input."""

import signal
import socket
from pathlib import Path

import pytest
from tests.cli.watch_process import BUILTIN, CONFIG, Watch, make_bundle

from trailcam.main import main
from trailcam_edge.sources import demo_pictures
from trailcam_edge.store.reader import open_reader
from trailcam_edge.store.schema import MIGRATIONS, migrate
from trailcam_edge.update.install.updater import Updater
from trailcam_edge.update.settings import UpdateSettings


def test_sigterm_in_the_middle_of_a_visit_stores_it(watch: Watch) -> None:
    watch.hear("WATCHDOG=1")
    watch.wait_for_a_visit()
    watch.process.send_signal(signal.SIGTERM)
    watch.hear("STOPPING=1")
    assert watch.process.wait(60) == 0
    assert watch.labels() == ["butterfly"]
    assert "Traceback" not in watch.words()


def test_an_abort_says_where_it_happened_and_the_next_start_goes_on(watch: Watch) -> None:
    watch.wait_for(watch.is_recorded)
    assert watch.end(signal.SIGABRT) == -signal.SIGABRT  # as a decoder of a stream ends it
    assert "Fatal Python error: Aborted" in watch.words()
    assert "capture_thread.py" in watch.words()
    watch.socket.close()
    (watch.folder / "notify").unlink()
    again = Watch(watch.folder)
    try:
        again.hear("READY=1")
        assert again.status()["alive"]
        assert again.end() == 0
    finally:
        again.process.kill()
        again.process.wait()
        again.socket.close()
    with open_reader(watch.folder / "store") as reader:
        assert len(list(reader.watches())) == 2  # the time between is blind: not running


def test_clips_need_a_store(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["watch", "--clips"])
    assert "[clips] needs [store]: clips are kept there" in capsys.readouterr().err


def test_a_bundle_that_an_update_activated_is_started_and_proves_itself(tmp_path: Path) -> None:
    """The parts that a device has: a camera's process, an update beside it, and a manager that starts again."""
    text = CONFIG + '\n[update]\nfolder = "update"\nhealthy_s = 1.0\nswitch_wait_s = 0.5\n'
    make_bundle(tmp_path / "other.bundle", shift=0.0)
    updater = Updater(UpdateSettings(tmp_path / "update"), lambda path: None)
    first = Watch(tmp_path, text)
    try:
        first.hear("READY=1")
        assert first.status()["update"] == {
            "state": "idle",
            "running": "builtin",
            "previous": "builtin",
            "candidate": None,
            "starts": 0,
            "refused": {},
        }
        first.wait_for_a_visit()
        slot = updater.install(tmp_path / "other.bundle")
        first.process.wait(60)
        assert first.process.returncode == 0, first.words()
        assert first.bundles() == [BUILTIN]  # the visit that was open for too long to wait
        assert f"{slot} is the active bundle now: ending, so that the service manager starts it." in first.words()
    finally:
        first.process.kill()
        first.process.wait()
        first.socket.close()
    (tmp_path / "notify").unlink()
    second = Watch(tmp_path, text)
    try:
        second.wait_for(lambda: f"{slot} has proven itself and is committed." in second.words())
        assert f"{slot} is being tried, start 1 of at most 3." in second.words()
        assert second.status()["bundle"] == "animals10 9.9.9"
        assert updater.status().running == slot
        assert second.end() == 0
        assert second.words().count("has proven itself") == 1
    finally:
        second.process.kill()
        second.process.wait()
        second.socket.close()


def test_a_bundle_that_a_person_named_goes_before_the_updater(tmp_path: Path) -> None:
    text = CONFIG.replace("threads = 1", 'bundle = "other.bundle"') + '\n[update]\nfolder = "update"\n'
    make_bundle(tmp_path / "other.bundle", shift=0.0)
    watch = Watch(tmp_path, text)
    try:
        watch.hear("READY=1")
        assert "runs, because [model] names it" in watch.words()
        assert watch.status()["bundle"] == "animals10 9.9.9"
        assert watch.status()["update"] is None
        assert not (tmp_path / "update").exists()
        assert main(["update", "/inbox", "--channel", "a", "--config", str(watch.config)]) == 1
    finally:
        watch.process.kill()
        watch.process.wait()
        watch.socket.close()


def test_options_go_before_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "trailcam.toml"
    path.write_text('[camera]\nsource = "/nonexistent"\n[store]\nfolder = "a"\nmin_free_bytes = 0\n', encoding="utf-8")
    words = ["watch", "--config", str(path), "--source", "demo", "--store", str(tmp_path / "b"), "--json"]
    assert main(words) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(demo_pictures())
    assert (tmp_path / "b" / "events.db").is_file()
    assert not (tmp_path / "a").exists()


def test_a_mistake_in_the_file_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "trailcam.toml"
    path.write_text("[camera]\n\nflipp = true\n", encoding="utf-8")
    assert main(["watch", "--config", str(path)]) == 1
    told = capsys.readouterr().err
    assert f"{path}, line 3: unknown key 'camera.flipp', expected one of picture_size_px" in told
    assert len(told.splitlines()) == 1


def test_a_port_in_use_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert main(["watch", "--live", f"127.0.0.1:{taken.getsockname()[1]}"]) == 1
    told = capsys.readouterr().err
    assert "the port is in use by another program" in told
    assert len(told.splitlines()) == 1


def test_a_newer_database_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import sqlite3

    connection = sqlite3.connect(tmp_path / "events.db", isolation_level=None)
    migrate(connection, MIGRATIONS)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    assert main(["watch", "--store", str(tmp_path)]) == 1
    told = capsys.readouterr().err
    assert "its schema is version 99" in told
    assert "Update Trailcam" in told


def test_a_second_watch_on_the_same_store_is_refused(watch: Watch, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["watch", "--store", str(watch.folder / "store")]) == 1
    assert "another process stores its events here" in capsys.readouterr().err
