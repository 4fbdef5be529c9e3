"""Colour and width of a terminal: where there is none, the text is the text."""

import io
from contextlib import redirect_stdout

import pytest

from trailcam.terminal import has_colour, paint, show_note, show_report


class _Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> _Screen:
    """A terminal of 80 columns with colours; a test puts it in the place of standard output."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    return _Screen()


def _show(screen: _Screen, lines: list[str], headings: tuple[int, ...] = ()) -> str:
    with redirect_stdout(screen):
        show_report(lines, headings)
    return screen.getvalue()


@pytest.mark.parametrize(
    ("stream", "variables", "expected"),
    [
        (_Screen(), {"TERM": "xterm"}, True),
        (_Screen(), {"TERM": "xterm", "NO_COLOR": ""}, True),
        (_Screen(), {"TERM": "xterm", "NO_COLOR": "1"}, False),
        (_Screen(), {"TERM": "dumb"}, False),
        (_Screen(), {}, False),
        (io.StringIO(), {"TERM": "xterm"}, False),
    ],
)
def test_colour_is_for_a_terminal_whose_user_wants_it(
    stream: io.StringIO, variables: dict[str, str], expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TERM", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert has_colour(stream) is expected
    assert (paint("pass", "good", stream) == "pass") is not expected


@pytest.mark.parametrize(
    ("line", "painted"),
    [
        ("int8: pass: top-1 -0.1 points", "int8: \x1b[32mpass\x1b[0m: top-1 -0.1 points"),
        ("int8: fail: NaN", "int8: \x1b[31mfail\x1b[0m: NaN"),
        ("int8: inconclusive: few", "int8: \x1b[33minconclusive\x1b[0m: few"),
        ("drift   +0.00% top-1: pass by the gate 'x'", "drift   +0.00% top-1: \x1b[32mpass\x1b[0m by the gate 'x'"),
        ("warning: int8: odd", "\x1b[33mwarning\x1b[0m: int8: odd"),
        ("Do not ship int8: bad.", "\x1b[31mDo not ship\x1b[0m int8: bad."),
        ("passes of the fox: 3 fail", "passes of the fox: 3 fail"),
    ],
)
def test_a_verdict_is_painted_where_it_stands_as_one(line: str, painted: str, screen: _Screen) -> None:
    assert _show(screen, [line]) == f"{painted}\n"


def test_headings_are_bold_and_rows_are_never_wrapped(screen: _Screen) -> None:
    row = "fox" + "  1" * 40
    assert _show(screen, ["label  n", row], headings=(0,)) == f"\x1b[1mlabel  n\x1b[0m\n{row}\n"


def test_a_sentence_is_wrapped_below_its_text(screen: _Screen) -> None:
    lines = _show(screen, ["advice      " + "more pictures " * 9]).splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[1].startswith(" " * 12 + "pictures")


def test_a_sentence_is_wrapped_around_a_whole_command(screen: _Screen) -> None:
    command = '"trailcam train photos/of/my/animals"'
    lines = _show(screen, [f"advice      {'more pictures ' * 4}{command} without a recipe proposes one."]).splitlines()
    assert [command in line for line in lines] == [False, True]
    assert max(map(len, lines)) <= 80


def test_a_line_that_ends_with_a_command_is_not_wrapped(screen: _Screen) -> None:
    line = "next        read the report, then train again, or: trailcam export " + "runs/" * 10
    assert _show(screen, [line]) == f"{line}\n"


def test_a_version_is_no_command(screen: _Screen) -> None:
    lines = _show(
        screen, [f"2 cores, Python 3.11.7; trailcam 0.1.0, numpy 2.4.6; {'load 5.5 before; ' * 4}"]
    ).splitlines()
    assert len(lines) == 2


def test_a_message_is_wrapped_and_only_its_name_is_red(screen: _Screen) -> None:
    show_note('trailcam: gate.toml: one key is wrong. Correct it, then run "trailcam export runs/mine" again.', screen)
    first, second = screen.getvalue().splitlines()
    assert first.startswith("\x1b[31mtrailcam:\x1b[0m gate.toml: ")
    assert second == '  "trailcam export runs/mine" again.'


def test_a_message_with_a_bare_command_is_not_wrapped(screen: _Screen) -> None:
    text = f"keys: other users can read it. Run: chmod 600 {'folder/' * 12}"
    show_note(text, screen)
    assert screen.getvalue() == f"{text}\n"


def test_a_pipe_gets_the_lines_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    line = "int8: pass: " + "words " * 40
    show_report([line, "a"], headings=(1,))
    assert capsys.readouterr().out == f"{line}\na\n"
