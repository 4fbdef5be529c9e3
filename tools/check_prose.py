"""Check the prose of code and documents for phrases that slow a reader down.

    python tools/check_prose.py [PATH ...]


Read are comments, docstrings and other text literals of Python files, and Markdown outside of code. CONTRIBUTING.md has
the rules behind the list. Exit code 3 if a phrase is found.
"""

import io
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PLACES = ("core", "edge", "train", "export", "benchmarks", "deploy", "archive", "cli", "tools", "examples", "docs")
SKIPPED = {"docs/adr", "tools/check_prose.py"}

# Each with the cure. Programs return, log, raise and reject; they do not tell, say or look.
PHRASES = {
    r"tells?|told": "return, report, log, print, notify",
    r"says|said|say": "state, report, print, return, list",
    r"looks? (at|into|for|up|like)|looked (at|into|for|up)": "inspect, read, check, search, resemble",
    r"stands?(?! still)": "is, is written, exists",
    r"held against": "compared with",
    r"of (its|their|his) own": "separate, own",
    r"somebody|nobody|anybody|someone|whoever": "name the actor: the user, the operator, a client",
    r"a person": "the user, people",
    r"whatever": "name the thing",
    r"goes before": "overrides, precedes",
    r"has come to|come to nothing": "the result, the state",
    r"hung up|hang up on|hangs up": "disconnected, closed",
    r"by chance|of chance": "random, at random",
    r"worth (a|to|it)\b": "state the benefit",
    r"in vain|for ever|for good": "permanently, without end",
    r"as (often|soon) as it|so many|as many as there are": "state the number or the condition",
    r"of none of the": "out of distribution, unknown",
    r"let (it|a message|them) go": "discard",
    r"is (not )?to be had": "is (not) available",
    r"heeded|heeds?": "handled",
}
_PATTERN = re.compile(r"\b(" + "|".join(f"(?:{phrase})" for phrase in PHRASES) + r")(?!\w)", re.IGNORECASE)
_CODE = re.compile(r"```.*?```|``[^`\n]*``|`[^`\n]*`|<!--.*?-->", re.DOTALL)


def passages(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the prose of a file: the number of its first line, and the text with code blanked out."""
    content = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        yield 1, content
        return
    for token in tokenize.generate_tokens(io.StringIO(content).readline):
        if token.type in (tokenize.COMMENT, tokenize.STRING) or token.type == getattr(tokenize, "FSTRING_MIDDLE", -1):
            yield token.start[0], token.string


def find_phrases(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the line and the words of every phrase of the list in one file."""
    for first, text in passages(path):
        prose = _CODE.sub(lambda match: "\n" * match[0].count("\n"), text)
        for match in _PATTERN.finditer(prose):
            yield first + prose.count("\n", 0, match.start()), match[0]


def list_files(paths: list[str]) -> list[Path]:
    """Return the Python and Markdown files below ``paths``, or of the whole project where there are none."""
    places = [Path(path).resolve() for path in paths] or [*(ROOT / place for place in PLACES), *ROOT.glob("*.md")]
    files = [file for place in places for file in ([place] if place.is_file() else sorted(place.rglob("*")))]
    skipped = [ROOT / name for name in SKIPPED]
    return [
        file
        for file in files
        if file.suffix in (".py", ".md") and not any(file == place or place in file.parents for place in skipped)
    ]


def main(paths: list[str]) -> int:
    """Print every phrase with its place; return the exit code."""
    count = 0
    for file in list_files(paths):
        for line, words in find_phrases(file):
            count += 1
            print(f"{file.relative_to(ROOT)}:{line}: {words!r}")
    print(f"{count} phrases found.", file=sys.stderr)
    return 3 if count else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
