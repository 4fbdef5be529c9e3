"""Every code block of the documents: Python runs, parsers of the product parse the commands and read the TOML."""

import argparse
import ast
import contextlib
import importlib
import io
import json
import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from trailcam.main import ACTIONS, COMMANDS
from trailcam_core.errors import TrailcamError
from trailcam_deploy.fleet.inventory import read_inventory
from trailcam_edge.config.camera_toml import read_config
from trailcam_export.gate.presets import find_preset

ROOT = Path(__file__).parents[1]
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("*/README.md")), *sorted((ROOT / "docs").glob("*.md"))]
_BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^\1```", re.DOTALL | re.MULTILINE)
_DEMO = ROOT / "edge" / "trailcam_edge" / "data" / "demo"


def blocks(language: str) -> list[Any]:
    """Return the blocks of one language in all documents, with their place as the name of the test."""
    found = []
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        for match in _BLOCK.finditer(text):
            if match[2] == language:
                line = text.count("\n", 0, match.start()) + 1
                found.append(pytest.param(match[3], id=f"{document.relative_to(ROOT)}:{line}"))
    return found


def scripts() -> list[Any]:
    """Return every Python block together with the blocks before it in the same document, as a reader would run them."""
    found: dict[str, list[str]] = {}
    for block in blocks("python"):
        (code,) = block.values
        found.setdefault(str(block.id).rpartition(":")[0], []).append(str(code))
    return [
        pytest.param(codes[: count + 1], id=f"{document} {count + 1}")
        for document, codes in found.items()
        for count in range(len(codes))
    ]


def commands() -> Iterator[Any]:
    """Yield every line that calls ``trailcam``, without its comment."""
    for language in ("", "bash", "sh", "console"):
        for block in blocks(language):
            (text,) = block.values
            for line in str(text).replace("\\\n", " ").splitlines():
                if re.match(r"\s*(\$ |sudo |\S*/bin/|[A-Z_]+=\S+ )*trailcam\s", line):
                    yield pytest.param(line, id=f"{block.id} {line.strip()[:50]}")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a photograph and a recording, as a reader of the documents has them."""
    shutil.copy(next(_DEMO.glob("*.webp")), tmp_path / "photo.jpg")
    shutil.copy(_DEMO / "walk.mp4", tmp_path / "clip.mp4")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("codes", scripts())
def test_python_runs_and_prints(codes: list[str], folder: Path) -> None:
    names: dict[str, Any] = {"__name__": "__main__"}
    for code in codes:
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(compile(code, "document", "exec"), names)
    assert printed.getvalue()


@pytest.mark.parametrize("line", list(commands()))
def test_a_command_is_understood_by_its_parser(line: str) -> None:
    words = shlex.split(line, comments=True)
    words = words[next(i for i, word in enumerate(words) if word.rsplit("/")[-1] == "trailcam") + 1 :]
    for stop in ("|", ">", "&&", ";"):
        words = words[: words.index(stop)] if stop in words else words
    if words[0].startswith("-"):
        return  # trailcam --version
    name = " ".join(words[:2]) if " ".join(words[:2]) in ACTIONS else words[0]
    assert name in COMMANDS or name in ACTIONS
    command = importlib.import_module(f"trailcam.commands.{name.replace(' ', '.')}")
    parser = argparse.ArgumentParser(allow_abbrev=False, exit_on_error=False)
    command.add_arguments(parser)
    parser.parse_args(words[len(name.split()) :])


def _tables() -> list[Any]:
    """Return the TOML blocks with the function of the product that reads such a file."""
    readers = {
        "clips": read_config,
        "deploy": read_inventory,
        "drift": lambda path: find_preset(str(path)),
        "field-manual": read_config,
        "loop": read_config,
        "notify": read_config,
    }
    found = []
    for block in blocks("toml"):
        document = Path(str(block.id).rpartition(":")[0]).stem
        found.append(pytest.param(block.values[0], readers[document], id=str(block.id)))
    return found


@pytest.mark.parametrize(("text", "read"), _tables())
def test_toml_is_read_by_the_product(text: str, read: Callable[[Path], object], folder: Path) -> None:
    (folder / "ours.toml").write_text(text, encoding="utf-8")
    assert read(folder / "ours.toml")
    (folder / "ours.toml").write_text(f"no_such_key = 1\n{text}", encoding="utf-8")
    with pytest.raises(TrailcamError, match="no_such_key"):
        read(folder / "ours.toml")


@pytest.mark.parametrize("text", blocks("json"))
def test_json_is_read(text: str) -> None:
    for line in text.splitlines() if "\n{" in text.strip() else [text]:
        assert json.loads(line)


def _texts() -> Iterator[str]:
    """Yield the text literals of the product; a gap in an f-string becomes ``…``."""
    for package in ("core", "edge", "train", "export", "deploy", "cli"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.JoinedStr):
                    text = "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
                    yield re.sub("…( …)+", "…", text)
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield node.value


def test_every_message_in_troubleshooting_is_one_of_the_product() -> None:
    """A message that is quoted as a symptom is found by searching for it, so it must be printed like this."""
    page = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("|")]
    quoted = {text for cell in rows for text in re.findall(r"`([^`]+ [^`]+)`", cell)}
    quoted -= {"numpy.dtype size changed", "trailcam doctor", "Fatal Python error"}  # of numpy and Python; a command
    product = "\n".join(_texts())
    missing = {text for text in quoted if text.replace("...", "…") not in product}
    assert len(quoted) > 20
    assert not missing


def test_no_document_has_a_place_that_was_never_filled_in() -> None:
    pages = [*DOCUMENTS, *sorted((ROOT / "docs").glob("*/*.md"))]
    pattern = re.compile(r"\*\*[A-Z_]{4,}\.?\*\*\.?$|\b(TODO|TBD|FIXME|XXX)\b", re.MULTILINE)
    found = {page.name: match[0] for page in pages if (match := pattern.search(page.read_text(encoding="utf-8")))}
    assert len(pages) > 30
    assert not found
