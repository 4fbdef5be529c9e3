"""The container and the Home Assistant add-on: scripts are shell, configurations are read by the product."""

import re
import subprocess
from pathlib import Path

import pytest

from trailcam_edge.config.camera_toml import parse_config

PACKAGING = Path(__file__).parents[1] / "packaging"
ADD_ON = PACKAGING / "home-assistant" / "trailcam"


@pytest.mark.parametrize("script", sorted(PACKAGING.rglob("*.sh")), ids=lambda path: path.name)
def test_a_script_is_shell(script: Path) -> None:
    subprocess.run(["sh", "-n", script], check=True)


def test_the_configuration_of_the_add_on_is_read_with_the_lines_of_its_documentation(tmp_path: Path) -> None:
    script = (ADD_ON / "run.sh").read_text(encoding="utf-8")
    written = script.split("<< 'END'\n")[1].split("END\n")[0]
    documented = re.findall("```toml\n(.*?)```", (ADD_ON / "DOCS.md").read_text(encoding="utf-8"), re.DOTALL)
    config = parse_config("\n".join([written, *documented]), "trailcam.toml", tmp_path)
    assert config.live is not None
    assert config.live.address == "0.0.0.0:8080"
    assert config.sinks.mqtt is not None


def test_what_the_container_copies_exists() -> None:
    text = (PACKAGING / "container" / "Containerfile").read_text(encoding="utf-8")
    for name in re.findall(r"packaging/container/(\w+\.sh)", text):
        assert (PACKAGING / "container" / name).is_file()
