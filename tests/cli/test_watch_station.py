"""``trailcam watch`` with a store, a page and a service manager: signals, reloads, bad input."""

import contextlib
import hashlib
import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from trailcam.main import main
from trailcam_core.bundle.folder import open_bundle
from trailcam_core.bundle.golden_file import golden_to_bytes
from trailcam_core.classifier import BUILTIN_BUNDLE
from trailcam_core.records import canonical_json
from trailcam_edge.sources import demo_pictures
from trailcam_edge.store.reader import open_reader
from trailcam_edge.store.schema import MIGRATIONS, migrate
from trailcam_edge.update.install.updater import Updater
from trailcam_edge.update.settings import UpdateSettings

BUILTIN = f"animals10 {open_bundle(BUILTIN_BUNDLE).manifest.version}"
CONFIG = """
[model]
threads = 1

[camera]
source = "demo:loop"

[store]
folder = "store"
min_free_bytes = 0

[live]
address = "127.0.0.1:0"
"""


def make_bundle(path: Path, shift: float) -> None:
    """Copy the built-in bundle as version 9.9.9, with half of the golden logits too high by ``shift``."""
    shutil.copytree(BUILTIN_BUNDLE, path)
    bundle = open_bundle(path)
    golden = bundle.read_golden()
    logits = golden.logits.copy()
    logits[:, ::2] += shift
    content = golden_to_bytes(replace(golden, logits=logits))
    (path / "golden.npz").write_bytes(content)
    manifest = json.loads((path / "manifest.json").read_text(encoding="utf-8"))
    manifest["version"] = "9.9.9"
    manifest["golden"] |= {"sha256": hashlib.sha256(content).hexdigest(), "size_bytes": len(content)}
    (path / "manifest.json").write_bytes(canonical_json(manifest))


class Watch:
    """A running ``trailcam watch`` and what it says."""

    def __init__(self, folder: Path, text: str = CONFIG) -> None:
        self.folder = folder
        self.config = folder / "trailcam.toml"
        self.config.write_text(text, encoding="utf-8")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(folder / "notify"))
        self.socket.setblocking(False)
        self.said = folder / "said"
        command = [sys.executable, "-m", "trailcam", "watch", "--config", str(self.config), "--visits"]
        environment = os.environ | {"NOTIFY_SOCKET": str(folder / "notify"), "WATCHDOG_USEC": "1000000"}
        with open(self.said, "wb") as said:
            self.process = subprocess.Popen(command, stdout=said, stderr=said, env=environment)

    def wait_for(self, done: Callable[[], object]) -> None:
        deadline = time.monotonic() + 60
        while not done():
            assert self.process.poll() is None, self.words()
            assert time.monotonic() < deadline, self.words()
            time.sleep(0.05)

    def hear(self, word: str) -> None:
        """Wait until the service manager is told this."""
        heard: list[str] = []

        def is_told() -> bool:
            with contextlib.suppress(BlockingIOError):
                heard.extend(self.socket.recv(4096).decode().splitlines())
            return word in heard

        self.wait_for(is_told)

    def words(self) -> str:
        return self.said.read_text(encoding="utf-8")

    def page(self) -> str:
        self.wait_for(lambda: "live page: " in self.words())
        return self.words().rpartition("live page: ")[2].split()[0]

    def status(self) -> dict[str, object]:
        with urllib.request.urlopen(f"{self.page()}status.json", timeout=20) as answer:
            found: dict[str, object] = json.loads(answer.read())
        return found

    def wait_for_a_visit(self) -> None:
        """Wait until some visit is under way: votes have been counted."""
        self.wait_for(lambda: self._open())

    def _open(self) -> bool:
        with urllib.request.urlopen(f"{self.page()}frame.jpg?viewer=t", timeout=20) as answer:
            return answer.status == 200 and bool(json.loads(answer.headers["X-Trailcam"])["open"])

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(60)

    def bundles(self) -> list[str]:
        with open_reader(self.folder / "store") as reader:
            return [event.bundle for event in reader.events()]

    def labels(self) -> list[str]:
        with open_reader(self.folder / "store") as reader:
            return [event.label for event in reader.events()]


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watch]:
    made = Watch(tmp_path)
    try:
        made.hear("READY=1")
        yield made
    finally:
        made.process.kill()
        made.process.wait()
        made.socket.close()


def test_sigterm_in_the_middle_of_a_visit_stores_it(watch: Watch) -> None:
    watch.hear("WATCHDOG=1")
    watch.wait_for_a_visit()
    watch.process.send_signal(signal.SIGTERM)
    watch.hear("STOPPING=1")
    assert watch.process.wait(60) == 0
    assert watch.labels() == ["butterfly"]
    assert "Traceback" not in watch.words()


def test_an_abort_says_where_it_happened_and_the_next_start_goes_on(watch: Watch) -> None:
    watch.page()
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


def test_a_reload_takes_another_bundle_over_and_the_visit_under_way_is_stored(watch: Watch) -> None:
    watch.wait_for_a_visit()
    make_bundle(watch.folder / "other.bundle", shift=0.0)
    watch.config.write_text(CONFIG.replace("threads = 1", 'bundle = "other.bundle"'), encoding="utf-8")
    watch.process.send_signal(signal.SIGHUP)
    watch.hear("RELOADING=1")
    watch.hear("READY=1")
    assert "reloaded: animals10 9.9.9" in watch.words(), watch.words()
    watch.wait_for(watch.labels)
    assert watch.bundles() == [BUILTIN]  # the visit that was under way, not one that began afterwards
    assert watch.status()["bundle"] == "animals10 9.9.9"
    assert watch.words().count("live page: ") == 1  # nothing was closed
    assert watch.end() == 0


def test_a_bundle_that_gives_other_answers_than_in_the_laboratory_is_not_taken_over(watch: Watch) -> None:
    make_bundle(watch.folder / "other.bundle", shift=30.0)
    watch.config.write_text(CONFIG.replace("threads = 1", 'bundle = "other.bundle"'), encoding="utf-8")
    watch.process.send_signal(signal.SIGHUP)
    watch.hear("RELOADING=1")
    watch.hear("READY=1")
    assert "reload refused, the camera continues as before" in watch.words()
    assert "fails its golden vectors on this machine" in watch.words()
    assert watch.status()["bundle"] == BUILTIN


WRONG = [  # one value out of range in each section; the message names the last line
    (CONFIG.replace("threads = 1", "threads = 99"), "line 3: model.threads is 99, expected 1 to 64"),
    (CONFIG.replace('"demo:loop"', '"demo:loop"\nrotate_deg = 45'), "line 7: rotate_deg is 45, expected one of"),
    (f"{CONFIG}[recovery]\nstall_s = -1", "line 15: recovery.stall_s is -1.0, expected 0.1 to 3,600"),
    (f"{CONFIG}[recovery]\ngive_up_s = 5", "line 15: give_up_s is 5, expected at least stall_s (10)"),
    (f"{CONFIG}[motion]\nmin_fraction = 1.5", "line 15: motion.min_fraction is 1.5, expected 0.0001 to 0.5"),
    (f"{CONFIG}[visits]\nvotes = 1", "line 15: visits.votes is 1, expected 2 to 100"),
    (f"{CONFIG}[watch]\nrate_hz = 0", "line 15: watch.rate_hz is 0.0, expected 0.001 to 1,000"),
    (CONFIG.replace("min_free_bytes = 0", "max_bytes = 5000"), "line 10: store.max_bytes is 5000, expected 4,000,000"),
    (CONFIG.replace("min_free_bytes = 0", "min_free_bytes = -1"), "line 10: store.min_free_bytes is -1, expected 0 or"),
    (CONFIG.replace("min_free_bytes = 0", "jpeg_quality = 0"), "line 10: store.jpeg_quality is 0, expected 1 to 100"),
    (f'{CONFIG}[sinks.json_lines]\npath = "a"\nkeep = -1', "line 16: sinks.json_lines.keep is -1, expected 0 to"),
    (f'{CONFIG}[sinks.mqtt]\nhost = "b"\ncamera_id = "+"', "line 16: sinks.mqtt.camera_id is '+', expected 1 to 64"),
    (f'{CONFIG}[sinks.webhook]\nurl = "ftp://h/"', "line 15: url is 'ftp://h/', expected http://HOST/"),
    (CONFIG.replace('"127.0.0.1:0"', '"127.0.0.1:99999"'), "line 13: address is '127.0.0.1:99999', expected HOST:PORT"),
    (f"{CONFIG}viewers = 0", "line 14: live.viewers is 0, expected 1 to 100"),
    (f"{CONFIG}[update]\nmost_starts = 0", "line 15: update.most_starts is 0, expected 1 to 1,000"),
]


@pytest.mark.parametrize(("text", "words"), WRONG)
def test_a_value_out_of_range_is_one_line_at_the_start(
    text: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "trailcam.toml"
    path.write_text(text, encoding="utf-8")
    assert main(["watch", "--config", str(path)]) == 1
    told = capsys.readouterr().err
    assert words in told
    assert len(told.splitlines()) == 1
    assert not (tmp_path / "store").exists()


def test_a_reload_with_a_mistake_in_any_section_is_refused_and_the_camera_goes_on(watch: Watch) -> None:
    for text, words in [
        (CONFIG.replace("threads = 1", 'bundle = "none.bundle"'), "none.bundle"),
        (CONFIG + "\nspeed = 3\n", "unknown key 'live.speed'"),
        *WRONG,
    ]:
        watch.config.write_text(text, encoding="utf-8")
        watch.process.send_signal(signal.SIGHUP)
        watch.hear("RELOADING=1")
        watch.hear("READY=1")
        assert "reload refused, the camera continues as before" in watch.words()
        assert words in watch.words()
    assert watch.status()["alive"]
    assert watch.end() == 0


def test_what_is_open_is_opened_again_and_if_it_cannot_be_the_former_goes_on(watch: Watch) -> None:
    watch.wait_for_a_visit()
    watch.config.write_text(CONFIG.replace('"store"', '"other"'), encoding="utf-8")
    watch.process.send_signal(signal.SIGHUP)
    watch.hear("RELOADING=1")
    watch.hear("READY=1")
    assert watch.labels() == ["butterfly"]  # stored where it belonged
    assert (watch.folder / "other" / "events.db").is_file()
    watch.config.write_text(CONFIG.replace("demo:loop", "/nonexistent"), encoding="utf-8")
    watch.process.send_signal(signal.SIGHUP)
    watch.hear("RELOADING=1")
    watch.hear("READY=1")
    assert "the new configuration does not work, the former one continues: /nonexistent" in watch.words()
    assert watch.status()["alive"]
    assert watch.end() == 0


def test_a_reload_turns_clips_on_and_visits_have_one(watch: Watch) -> None:
    watch.wait_for_a_visit()
    watch.config.write_text(f"{CONFIG}[clips]\nbefore_s = 0\nlongest_s = 1\n", encoding="utf-8")
    watch.process.send_signal(signal.SIGHUP)
    watch.hear("RELOADING=1")
    watch.hear("READY=1")
    if importlib.util.find_spec("av") is None:
        words = "the new configuration does not work, the former one continues: [clips] needs PyAV"
        assert words in watch.words()
        assert watch.status()["alive"]
    else:
        watch.wait_for(lambda: list((watch.folder / "store" / "clips").glob("*.mp4")))
    assert watch.end() == 0
    assert "Traceback" not in watch.words()


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
