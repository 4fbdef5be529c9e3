"""What a terminal gets beyond the text: colour where it means something, bold headings, lines that end at words.

A file, a pipe, ``NO_COLOR`` and ``TERM=dumb`` get the text alone. Eight colours of the terminal's own palette are used,
so that they can be read on a light and on a dark background.
"""

import os
import re
import shutil
import sys
import textwrap
from collections.abc import Container, Iterable
from typing import Literal, TextIO

Kind = Literal["good", "doubtful", "bad", "heading"]

_CODES: dict[Kind, str] = {"good": "32", "doubtful": "33", "bad": "31", "heading": "1"}
_WORDS: dict[str, Kind] = {
    "pass": "good",
    "fail": "bad",
    "inconclusive": "doubtful",
    "You may ship": "good",
    "Do not ship": "bad",
    "WARNING": "doubtful",
    "warning": "doubtful",
    "Warning": "doubtful",
    "PROBLEM": "bad",
    "slower": "bad",
    "faster": "good",
    "missing": "doubtful",
}
# A verdict is at the beginning of a line or after a name and a colon; a mark or the end of the line follows.
_VERDICT = re.compile(rf"(?:(?<=^)|(?<=: )|(?<=\. ))({'|'.join(_WORDS)})(?=[:.,]|$| {{2}}| by the gate|(?<=ship) )")
_NAMED = re.compile(r"(\S+(?: \S+)? {2,}|[\w.-]+: |)(\S.*)")  # "advice      text" and "int8: text" hang below the text
_QUOTED = re.compile(r'"[^"]*"')  # a command in a sentence, often
_COMMAND = re.compile(r"\b(?:trailcam|pip|sudo|apt|chmod|python3?|ssh) (?!\d+\.)")  # a command, and not a version
_GLUE = "\x00"
_NAME = "trailcam:"
_MAX_COLUMNS = 100


def has_colour(stream: TextIO) -> bool:
    """Return whether a stream is a terminal that shows colours, and its user wants them.

    Source: no-color.org for ``NO_COLOR``.
    """
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM", "dumb") != "dumb"


def paint(text: str, kind: Kind, stream: TextIO) -> str:
    """Return the text in the colour of its kind, or as it is where the stream has no colour."""
    return f"\x1b[{_CODES[kind]}m{text}\x1b[0m" if text and has_colour(stream) else text


def show_report(lines: Iterable[str], headings: Container[int] = ()) -> None:
    """Print the lines of a result: in colour where there is one, on a terminal wrapped at words.

    Args:
        lines: of the result; rows of tables are not wrapped.
        headings: numbers of the lines that are headings of tables, from 0.
    """
    for number, line in enumerate(lines):
        if number in headings:
            print(paint(line, "heading", sys.stdout))
            continue
        for part in _wrap(line) if sys.stdout.isatty() else [line]:
            print(_VERDICT.sub(lambda found: paint(found[1], _WORDS[found[1]], sys.stdout), part))


def show_note(text: str, stream: TextIO) -> None:
    """Print a message, which on a terminal is wrapped at words; ``trailcam:`` before a message is red there."""
    for number, part in enumerate(_wrap(text) if stream.isatty() else [text]):
        name = "" if number else _NAME
        message = part.removeprefix(name)
        print(f"{paint(name, 'bad', stream)}{message}" if message != part else part, file=stream)


def _wrap(line: str) -> list[str]:
    columns = min(shutil.get_terminal_size().columns, _MAX_COLUMNS)
    found = _NAMED.fullmatch(line)
    if len(line) <= columns or found is None or "  " in found[2] or _COMMAND.search(_QUOTED.sub("", line)):
        return [line]  # a command is copied whole
    below = " " * (len(found[1]) if found[1].endswith("  ") else 2)
    glued = _QUOTED.sub(lambda command: command[0].replace(" ", _GLUE), line)
    parts = textwrap.wrap(glued, columns, subsequent_indent=below, break_long_words=False, break_on_hyphens=False)
    return [part.replace(_GLUE, " ") for part in parts]
