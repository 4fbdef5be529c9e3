"""Completion at the tab key, asked as bash asks it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from trailcam import main as front_door


def _complete(line: str, folder: Path) -> list[str]:
    answers = folder / "answers"
    environment = os.environ | {
        "_ARGCOMPLETE": "1",
        "_ARGCOMPLETE_STDOUT_FILENAME": str(answers),
        "_ARGCOMPLETE_IFS": "\n",
        "COMP_LINE": line,
        "COMP_POINT": str(len(line)),
        "COMP_TYPE": "9",
    }
    subprocess.run([sys.executable, "-m", "trailcam"], env=environment, cwd=folder, check=True)
    return [word.strip() for word in answers.read_text().split("\n")]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("trailcam cla", ["classify"]),
        ("trailcam watch --sour", ["--source", "--source-file"]),
        ("trailcam train compare --js", ["--json"]),
        ("trailcam watch --rotate 1", ["180"]),
        ("trailcam classify pho", ["photo.jpg"]),
        ("trailcam nonsense --", ["--help"]),
    ],
)
def test_a_line_is_completed(line: str, expected: list[str], tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").touch()
    assert _complete(line, tmp_path) == expected


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_a_shell_is_printed(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert front_door.main(["completion", shell]) == 0
    printed = capsys.readouterr().out
    assert "trailcam" in printed
    assert "complete" in printed
