"""``trailcam service`` on another system's root: nothing of this machine is touched."""

import os
from pathlib import Path

import pytest

from trailcam.main import main

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
