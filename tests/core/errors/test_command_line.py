"""Commands that messages print can be pasted into a shell, and none is put together without quotation marks."""

import re
import shlex
from pathlib import Path

from trailcam_core.errors.command_line import command_line

ROOT = Path(__file__).parents[3]
STAGES = ("core", "edge", "train", "export", "benchmarks", "deploy", "archive", "cli")
# A subcommand of two words or one, then options, then a value from a variable: a path, as a rule.
WITH_VALUE = re.compile(r"(?<![\w./-])trailcam (?:[a-z-]+ )+(?:--[a-z-]+ )*\{(?!command_line)")


def test_a_path_with_a_space_stays_one_word() -> None:
    line = command_line("train", Path("my photos"), "--name", "it's")
    assert line.startswith("trailcam train 'my photos' --name ")
    assert shlex.split(line) == ["trailcam", "train", "my photos", "--name", "it's"]


def test_no_message_names_a_path_in_a_command_without_quotation() -> None:
    addresses = ("user}@{", "host.ssh}", 'prog="', "as_service", "prog=")
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for stage in STAGES
        for path in sorted((ROOT / stage).rglob("*.py"))
        for line in path.read_text(encoding="utf-8").splitlines()
        if WITH_VALUE.search(line) and not any(part in line for part in addresses)
    ]
    assert found == []
