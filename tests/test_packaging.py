"""The container and the Home Assistant add-on: scripts are shell, configurations are read by the product."""

import json
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from trailcam_edge.config.camera_toml import parse_config

PACKAGING = Path(__file__).parents[1] / "packaging"
ADD_ON = PACKAGING / "home-assistant" / "trailcam"


@pytest.mark.parametrize("script", sorted(PACKAGING.rglob("*.sh")), ids=lambda path: f"{path.parent.name}-{path.name}")
def test_a_script_is_shell(script: Path) -> None:
    subprocess.run(["sh", "-n", script], check=True)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The folders of the add-on, with options and a program that prints its arguments."""
    for name in ("config", "data", "opt/trailcam/bin"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "data" / "options.json").write_text(json.dumps({"source": "rtsp://jo:pass word@192.0.2.10/stream"}))
    programs = tmp_path / "opt" / "trailcam" / "bin"
    (programs / "python3").symlink_to(sys.executable)
    (programs / "trailcam").write_text('#!/bin/sh\necho "started: $*"\n')
    (programs / "trailcam").chmod(0o755)
    return tmp_path


def _start(root: Path) -> str:
    command = ["sh", str(ADD_ON / "run.sh")]
    variables = {"TRAILCAM_ROOT": str(root), "PATH": "/usr/bin:/bin"}
    return subprocess.run(command, env=variables, check=True, capture_output=True, text=True).stdout


def test_the_add_on_starts_with_its_options_and_the_lines_of_its_documentation(root: Path) -> None:
    printed = _start(root)
    written = root / "config" / "trailcam.toml"
    assert printed.endswith(f"started: watch --config {written}\n")
    assert (root / "config" / "source").read_text() == "rtsp://jo:pass word@192.0.2.10/stream\n"
    documented = re.findall("```toml\n(.*?)```", (ADD_ON / "DOCS.md").read_text(encoding="utf-8"), re.DOTALL)
    config = parse_config("\n".join([written.read_text(), *documented]), "trailcam.toml", root)
    assert config.live is not None
    assert config.live.address == "0.0.0.0:8080"
    assert config.sinks.mqtt is not None


def test_secrets_of_the_add_on_are_private_and_a_second_start_keeps_what_is_the_users(root: Path) -> None:
    _start(root)
    files = [root / "config" / name for name in ("source", "token", "trailcam.toml")]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    files[2].write_text("# mine\n")
    token = files[1].read_text()
    assert len(token.strip()) == 48
    assert "Wrote" not in _start(root)
    assert (files[1].read_text(), files[2].read_text()) == (token, "# mine\n")


def test_the_add_on_has_a_base_with_wheels_whatever_home_assistant_offers() -> None:
    lines = (ADD_ON / "Dockerfile").read_text(encoding="utf-8").splitlines()
    (base,) = [line for line in lines if line.startswith("FROM ")]
    assert "$" not in base


def test_what_the_container_copies_exists() -> None:
    text = (PACKAGING / "container" / "Containerfile").read_text(encoding="utf-8")
    for name in re.findall(r"packaging/container/(\w+\.sh)", text):
        assert (PACKAGING / "container" / name).is_file()
