"""The help of the project's own programs: it names the command that was typed, and explains every option."""

import ast
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[2] / "tools"
PROGRAMS = sorted(path for path in TOOLS.rglob("*.py") if "ArgumentParser(" in path.read_text(encoding="utf-8"))


def _calls(path: Path, method: str) -> list[dict[str, ast.expr]]:
    """Return the keyword arguments of each call of a method in a file."""
    found = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    calls = [node for node in found if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
    return [{word.arg or "": word.value for word in call.keywords} for call in calls if call.func.attr == method]


def _command(path: Path) -> str | None:
    """Return how a module of the package is started; None for a script."""
    words = path.relative_to(TOOLS).with_suffix("").parts
    return "python -m " + ".".join(words).removesuffix(".__main__") if len(words) > 1 else None


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.relative_to(TOOLS).as_posix())
def test_the_usage_is_the_command(path: Path) -> None:
    (parser,) = _calls(path, "ArgumentParser")
    assert (ast.literal_eval(parser["prog"]) if "prog" in parser else None) == _command(path)


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.relative_to(TOOLS).as_posix())
def test_every_option_and_the_program_have_a_meaning(path: Path) -> None:
    assert [words for words in _calls(path, "add_argument") if "help" not in words] == []
    (parser,) = _calls(path, "ArgumentParser")
    assert not isinstance(parser["description"], ast.Name), "a docstring is in the markup of the code"
    if isinstance(parser["description"], ast.Constant):
        meaning = ast.literal_eval(parser["description"])
        assert meaning[0].isupper()
        assert meaning.endswith(".")
        assert "``" not in meaning
