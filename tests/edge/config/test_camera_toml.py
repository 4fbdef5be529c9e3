"""The configuration file: every key, and what is said about a wrong one."""

from dataclasses import fields
from pathlib import Path

import pytest

from trailcam_core.errors import ConfigError
from trailcam_core.files.secret_file import read_secret
from trailcam_edge.config.camera_toml import Config, parse_config, read_config
from trailcam_edge.live.settings import LiveSettings
from trailcam_edge.store.settings import StoreSettings

FULL = """
[model]
bundle = "mine.bundle"
threads = 2

[camera]
source = "rtsp://camera/stream"
roi = [0.25, 0, 0.5, 1.0]
picture_size_px = [1280, 720]

[visits]
label_confidence = { cow = 0.8 }
blank_labels = ["empty"]

[watch]
rate_hz = 5

[store]
folder = "events"
max_bytes = 500_000_000

[sinks.json_lines]
path = "/var/log/events.jsonl"

[sinks.mqtt]
host = "broker.local"
camera_id = "oak"

[live]
"""


def parse(text: str) -> Config:
    return parse_config(text, "trailcam.toml", Path("/etc/trailcam"))


def test_an_empty_file_is_the_defaults() -> None:
    assert parse("") == Config()


def test_what_the_file_says_is_what_the_loop_is_told() -> None:
    config = parse(FULL)
    assert config.model.bundle == Path("/etc/trailcam/mine.bundle")
    assert config.camera.roi == (0.25, 0.0, 0.5, 1.0)
    assert config.camera.picture_size_px == (1280, 720)
    assert config.visits.label_confidence == {"cow": 0.8}
    assert config.visits.blank_labels == ("empty",)
    assert config.watch.rate_hz == 5.0
    assert config.store == StoreSettings(Path("/etc/trailcam/events"), 500_000_000)
    assert config.sinks.json_lines is not None
    assert config.sinks.json_lines.path == Path("/var/log/events.jsonl")
    assert config.sinks.mqtt is not None
    assert config.sinks.mqtt.port == 1883
    assert config.sinks.webhook is None
    assert config.live == LiveSettings()


def test_sections_that_are_not_there_are_off() -> None:
    assert parse("[camera]\nflip = true").store is None
    assert not parse("").sinks


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("[camera]\nflip = true\n\nshutter = 3", 4, ["unknown key 'camera.shutter'", "picture_size_px"]),
        ("\n[kamera]\nflip = true", 2, ["unknown key 'kamera'", "expected one of camera, recovery"]),
        ("[sinks.kafka]\nhost = 'a'", 1, ["unknown key 'sinks.kafka'", "json_lines, mqtt, webhook"]),
        ("[camera]\nflip = 'yes'", 2, ["camera.flip is 'yes', expected true or false"]),
        ("[camera]\nsource = 0", 2, ["camera.source is 0, expected text in quotes"]),
        ("[camera]\nrotate_deg = 91", 2, ["rotate_deg is 91, expected one of 0, 90, 180, 270"]),
        ("[model]\nthreads = 1.5", 2, ["model.threads is 1.5, expected a whole number"]),
        ("[model]\nthreads = true", 2, ["model.threads is true, expected a whole number"]),
        ("[camera]\nroi = [0.1, 0.2]", 2, ["camera.roi has 2 values, expected 4"]),
        ("[camera]\nroi = 'all'", 2, ["camera.roi is 'all', expected a list"]),
        ("[camera]\nflip = true\nroi = [0.5, 0, 0.6, 1]", 3, ["roi is (0.5, 0.0, 0.6, 1.0)", "inside the image"]),
        ("[recovery]\nstall_s = 20\ngive_up_s = 5", 3, ["give_up_s is 5, expected at least stall_s (20)"]),
        ("[motion]\nmin_fraction = 1.5", 2, ["motion.min_fraction is 1.5, expected 0.0001 to 0.5"]),
        ("[motion]\nenabled = true\nchanged_share = 0.1", 3, ["motion.changed_share", "use min_fraction"]),
        ("[motion]\nhold_s = 3.0", 2, ["motion.hold_s", "remove it", "still_s"]),
        ("[motion]\nignore = [[[0, 0], [0.5, 0.5]]]", 2, ["ignore polygon 1 has 2 points, expected 3 to 200"]),
        ("[motion]\nonly = [[[0, 0], [1, 1], [1, 0], [0, 1]]]", 2, ["only polygon 1 crosses itself"]),
        ("[motion]\nonly = [[[0, 0], [1.5, 1], [1, 0]]]", 2, ["only polygon 1 point 2 is (1.5, 1)"]),
        ("[motion]\nonly = [[0, 0]]", 2, ["motion.only[0][0] is 0, expected a list"]),
        ("[visits]\nvotes = 3\nconfidence = 2.0", 3, ["visits.confidence is 2.0, expected 0 to 1"]),
        ("[visits.label_confidence]\ncow = 'high'", 2, ["cow is 'high', expected a number"]),
        ("camera.frame_rate_hz = 0", 1, ["camera.frame_rate_hz is 0.0, expected 0.1 to 240"]),
        ("[store]\nfolder = 'a'\nmax_bytes = 5000", 3, ["store.max_bytes is 5000, expected 4,000,000 or more"]),
        ("[store]\njpeg_quality = 0", 2, ["store.jpeg_quality is 0, expected 1 to 100"]),
        ("[store]\nmin_free_bytes = -1", 2, ["store.min_free_bytes is -1, expected 0 or more"]),
        ("[store]\n[sinks.mqtt]\nhost = 'b'", 2, ["sinks.mqtt.camera_id is missing"]),
        (
            "[store]\n[sinks.mqtt]\nhost = 'b'\ncamera_id = 'a/b'",
            4,
            ["sinks.mqtt.camera_id is 'a/b', expected 1 to 64"],
        ),
        ("[store]\n[sinks.mqtt]\nhost = 'b'\ncamera_id = 'a'\nbase_topic = 'x/#'", 5, ["without + and #"]),
        ("[store]\n[sinks.json_lines]\npath = 'a'\nmax_bytes = 1", 4, ["max_bytes is 1, expected 65,536 or more"]),
        ("[store]\n[sinks.webhook]\nurl = 'ftp://host/'", 3, ["url is 'ftp://host/', expected http://HOST"]),
        ("store = 5", 1, ["store is 5, expected a table [store]"]),
        ("[sinks.json_lines]\npath = 'a'", 1, ["[sinks] needs [store]"]),
        ("[store]\n[store]", None, ["not TOML"]),
        ("[live]\nviewers = 0", 2, ["live.viewers is 0, expected 1 to 100"]),
        ("[live]\n\naddress = 'host:99999'", 3, ["address is 'host:99999', expected HOST:PORT"]),
        ("[update]\nhealthy_s = 60\ngive_up_s = 30", 3, ["give_up_s is 30, expected at least healthy_s (60)"]),
        ("[update]\nsource = 'inbox'", 2, ["update.source is 'inbox', expected an https:// address"]),
        ("[watch]\nrate_hz = -1", 2, ["watch.rate_hz is -1.0"]),
        ("[watch]\nrate_hz = nan", 2, ["watch.rate_hz is nan"]),
        ("[live]\naddress = 'a..b:80'", 2, ["address is 'a..b:80', expected HOST:PORT"]),
        ("[store]\n[sinks.mqtt]\ncamera_id = 'c'\nhost = ''", 4, ["host is '', expected the name or address"]),
        ("[store]\n[sinks.mqtt]\ncamera_id = 'c'\nhost = 'mqtt://b:1883'", 4, ["host is 'mqtt://b:1883'"]),
        (f"[store]\n[sinks.mqtt]\ncamera_id = 'c'\nhost = '{'a' * 64}'", 4, ['such as "broker.local"']),
        ("[store]\n[sinks.mqtt]\nhost = 'b'\ncamera_id = 'a'\ndiscovery_prefix = 'x/#'", 5, ["without + and #"]),
        ("[store]\n[sinks.webhook]\nurl = 'http://host/a b'", 3, ["expected ASCII characters without spaces"]),
        ("[store]\n[sinks.webhook]\nurl = 'http://host/ä'", 3, ["write others as %20, %C3%A4"]),
        ("[store]\n[sinks.webhook]\nurl = 'http://a..b/'", 3, ["url is 'http://a..b/', expected http://HOST"]),
    ],
)
def test_a_mistake_is_named_with_its_line_and_what_is_valid(text: str, line: int | None, words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    if line is not None:
        assert str(caught.value).startswith(f"trailcam.toml, line {line}: ")
    for word in words:
        assert word in str(caught.value)


def test_a_file_that_is_not_there_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="trailcam service install"):
        read_config(tmp_path / "none.toml")


def test_names_and_addresses_that_can_be_looked_up_are_taken() -> None:
    for host in ("broker.local", "b", "my_host-1", "192.168.1.2", "::1", "fe80::1%eth0"):
        made = parse(f"[store]\n[sinks.mqtt]\ncamera_id = 'c'\nhost = '{host}'\ndiscovery_prefix = ''")
        assert made.sinks.mqtt is not None
    for url in ("http://ü.example/", "https://[::1]:8443/a?b=%20", "http://host"):
        assert parse(f"[store]\n[sinks.webhook]\nurl = '{url}'").sinks.webhook is not None


def test_a_file_in_a_forbidden_folder_is_one_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", "trailcam.toml")  # root may read everything

    monkeypatch.setattr("builtins.open", refuse)
    monkeypatch.setattr(Path, "exists", refuse)
    with pytest.raises(ConfigError, match="cannot be read \\(Permission denied\\)"):
        read_config(tmp_path / "trailcam.toml")


def test_a_file_is_read_and_paths_count_from_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "trailcam.toml"
    path.write_text('[store]\nfolder = "events"', encoding="utf-8")
    config = read_config(path)
    assert config.store is not None
    assert config.store.folder == tmp_path / "events"


def test_a_secret_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("a-long-enough-secret\n", encoding="utf-8")
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod o="):
        read_secret(path, "token")
    path.chmod(0o600)
    assert read_secret(path, "token") == "a-long-enough-secret"
    path.write_text("\ufeffa-long-enough-secret\r\n", encoding="utf-8")  # as Notepad saves it
    assert read_secret(path, "token") == "a-long-enough-secret"


@pytest.mark.parametrize("content", ["", "\n", "two\nlines", "\x00\x01"])
def test_a_secret_is_one_line(tmp_path: Path, content: str) -> None:
    path = tmp_path / "token"
    path.write_text(content, encoding="utf-8")
    path.chmod(0o600)
    with pytest.raises(ConfigError, match="one line"):
        read_secret(path, "token")


def test_every_section_has_a_default() -> None:
    assert {entry.name for entry in fields(Config)} >= {"model", "camera", "store", "sinks", "live"}
