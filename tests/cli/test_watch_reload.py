"""A configuration that is read again: settings, bundle and clips of a running ``trailcam watch``."""

import importlib.util
import signal
from pathlib import Path

import pytest
from tests.cli.watch_process import BUILTIN, CONFIG, Watch, make_bundle

from trailcam.main import main


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
