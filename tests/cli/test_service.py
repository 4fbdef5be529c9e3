"""``trailcam service`` on another system's root: nothing of this machine is touched."""

import io
import os
import stat
import sys
import tomllib
from pathlib import Path

import pytest

from trailcam.main import main
from trailcam_edge.config.camera_toml import read_config

PROGRAM = "/opt/trailcam/bin/trailcam"


def test_a_root_gets_unit_user_and_configuration_and_loses_them_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--root", str(tmp_path)]
    assert main(["service", "status", *words]) == 3
    assert main(["service", "install", *words, "--program", PROGRAM, "--source", "rtsp://oak/stream"]) == 0
    assert main(["service", "status", *words]) == 0
    unit = (tmp_path / "etc/systemd/system/trailcam.service").read_text(encoding="utf-8")
    assert f"ExecStart={PROGRAM} watch --config /etc/trailcam/trailcam.toml" in unit
    assert 'source = "rtsp://oak/stream"' in (tmp_path / "etc/trailcam/trailcam.toml").read_text(encoding="utf-8")
    assert "u trailcam" in (tmp_path / "etc/sysusers.d/trailcam.conf").read_text(encoding="utf-8")
    assert main(["service", "uninstall", *words]) == 0
    assert main(["service", "uninstall", *words]) == 0
    assert "No service was installed." in capsys.readouterr().out


def test_a_source_of_releases_brings_a_timer_and_the_configuration_decides(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["service", "install", "--root", str(tmp_path), "--program", PROGRAM]
    assert main([*words, "--update-source", "https://example.org/r", "--update-channel", "meadow"]) == 0
    assert "enable trailcam.service trailcam-update.timer" in capsys.readouterr().out
    units = tmp_path / "etc/systemd/system"
    assert f"ExecStart={PROGRAM} update" in (units / "trailcam-update.service").read_text(encoding="utf-8")
    assert main(words) == 0  # the configuration that is there names the source, so everything stays
    assert (units / "trailcam-update.timer").is_file()
    config = tmp_path / "etc/trailcam/trailcam.toml"
    config.write_text("[update]\n", encoding="utf-8")
    assert main(words) == 0
    assert [path.name for path in units.iterdir()] == ["trailcam.service"]


def test_without_systemd_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("trailcam.commands.service._BOOTED", tmp_path / "none")
    monkeypatch.setattr("trailcam.commands.service.install", lambda *_: pytest.fail("something was written"))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert main(["service", "install", "--program", sys.executable]) == 1
    assert "not started with systemd" in capsys.readouterr().err


def test_half_a_source_of_releases_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["service", "install", "--root", str(tmp_path), "--program", PROGRAM, "--update-source", "/inbox"])
    assert stopped.value.code == 2


def test_a_source_that_would_break_the_file_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["service", "install", "--root", str(tmp_path), "--program", PROGRAM, "--source", 'a"\n[x]']
    assert main(words) == 1
    assert "--source" in capsys.readouterr().err
    assert not list(tmp_path.rglob("*.toml"))


def test_what_only_root_may_do_says_how(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert main(["service", "install"]) == 1
    assert "sudo" in capsys.readouterr().err


SECRET = 'rtsp://admin:SEC"R\\ET{live}@cam/live'


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("way", ["--source", "--source-file", "standard input"])
def test_an_address_with_a_password_is_in_a_file_that_others_do_not_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    words = ["--source", SECRET]
    if way == "--source-file":
        given = tmp_path / "given"
        given.write_text(f"{SECRET}\n", encoding="utf-8")
        given.chmod(0o600)
        words = [way, str(given)]
    elif way == "standard input":
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(SECRET.encode() + b"\n")))
        words = ["--source-file", "-"]
    root = tmp_path / "root"
    root.mkdir()
    assert main(["service", "install", "--root", str(root), "--program", PROGRAM, *words]) == 0
    kept = root / "etc/trailcam/source"
    assert (kept.read_text(encoding="utf-8"), mode(kept)) == (f"{SECRET}\n", 0o640)
    for path in root.rglob("*"):
        if path.is_file() and path != kept:
            assert "SEC" not in path.read_text(encoding="utf-8")
    printed = "".join(capsys.readouterr())
    assert "SEC" not in printed
    assert "chgrp trailcam /etc/trailcam/source" in printed
    config = root / "etc/trailcam/trailcam.toml"
    assert tomllib.loads(config.read_text(encoding="utf-8"))["camera"] == {"source_file": "/etc/trailcam/source"}
    config.write_text(config.read_text(encoding="utf-8").replace("/etc/trailcam/source", "source"), encoding="utf-8")
    assert read_config(config).camera.resolved().source == SECRET


@pytest.mark.parametrize("path", ['/a "b" \\ c', "/{live}/{release}", "/ä/\x7f".replace("\x7f", "~")])
def test_texts_are_written_as_strings_of_toml(tmp_path: Path, path: str) -> None:
    words = ["--source", path, "--update-source", path, "--update-channel", path, "--live-token-file", path]
    assert main(["service", "install", "--root", str(tmp_path), "--program", PROGRAM, *words]) == 0
    table = tomllib.loads((tmp_path / "etc/trailcam/trailcam.toml").read_text(encoding="utf-8"))
    assert table["camera"]["source"] == path
    assert (table["update"]["source"], table["update"]["channel"]) == (path, path)
    assert table["live"]["token_file"] == path


def test_a_configuration_with_a_password_is_closed_to_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["service", "install", "--root", str(tmp_path), "--program", PROGRAM]
    assert main([*words, "--update-source", "https://u:SECRET@example.org/r", "--update-channel", "x"]) == 0
    config = tmp_path / "etc/trailcam/trailcam.toml"
    assert mode(config) == 0o640
    config.write_text('[camera]\nsource = "rtsp://admin:SECRET@cam/"\n', encoding="utf-8")
    config.chmod(0o644)
    assert main(words) == 0
    assert mode(config) == 0o640
    config.write_text('[camera]\n# source = "rtsp://admin:SECRET@cam/"\nsource = "0"\n', encoding="utf-8")
    config.chmod(0o644)
    assert main(words) == 0
    assert mode(config) == 0o644
    assert "SECRET" not in "".join(capsys.readouterr())


def test_folders_are_made_with_their_mode_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        assert main(["service", "install", "--root", str(tmp_path), "--program", PROGRAM, "--source", SECRET]) == 0
    finally:
        os.umask(before)
    made = list(tmp_path.rglob("*"))
    assert len(made) > 5
    assert not [path for path in made if mode(path) & 0o022]


def test_both_ways_to_name_a_source_are_one_too_many(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["service", "install", "--root", str(tmp_path), "--program", PROGRAM, "--source", "0", "--source-file", "-"]
    assert main(words) == 1
    assert "expected one of them" in capsys.readouterr().err
