"""The shape of the house: small rooms, and files that are one thing."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("core", "edge", "train", "export", "benchmarks", "deploy", "archive", "cli")
_MAX_ENTRIES = 15
_MAX_LINES = 300


def modules(*folders: str) -> list[Path]:
    """Return the Python files below folders of the checkout."""
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def test_no_package_folder_has_more_entries_than_a_reader_can_survey() -> None:
    for folder in sorted({path.parent for path in modules(*PACKAGES, "tools")}):
        ignored = {"__init__.py", "__pycache__", "py.typed", "data"}
        entries = [entry.name for entry in folder.iterdir() if entry.name not in ignored]
        if folder == ROOT / "cli" / "trailcam" / "commands":
            continue  # one entry for each command: their table in main.py is the survey
        assert len(entries) <= _MAX_ENTRIES, f"{folder.relative_to(ROOT)}: {sorted(entries)}"


def test_no_module_is_longer_than_a_reader_can_hold() -> None:
    for path in modules(*PACKAGES, "tools", "examples"):
        lines = len(path.read_text(encoding="utf-8").splitlines())
        assert lines <= _MAX_LINES, f"{path.relative_to(ROOT)} has {lines} lines: is it still one thing?"


def test_no_stage_folder_has_a_loose_module() -> None:
    for package in PACKAGES:
        assert not list((ROOT / package).glob("*.py"))


def test_the_readme_of_a_stage_names_every_room() -> None:
    for readme in ROOT.glob("*/README.md"):
        rooms = {path.parent.name for path in readme.parent.glob("trailcam_*/*/__init__.py")}
        text = readme.read_text(encoding="utf-8")
        assert {room for room in rooms if not re.search(f"`{room}/?`", text)} == set(), readme.relative_to(ROOT)
