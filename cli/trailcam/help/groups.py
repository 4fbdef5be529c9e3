"""The form of a help text: titles, a width that is read easily, and a short usage where there are many options."""

import argparse
import difflib
import re
import shlex
import shutil
import textwrap

Options = argparse._ActionsContainer  # a parser or a group of its options: both take add_argument
_MAX_LISTED = 12  # options: the usage of more of them is longer than what it explains


_MAX_COLUMNS = 100
_NAMES_COLUMNS = 28  # a longer option has its meaning in the next line


class HelpLines(argparse.HelpFormatter):
    """Help of at most 100 columns; a paragraph of several lines, as examples are, keeps them."""

    def __init__(self, prog: str) -> None:
        width = min(shutil.get_terminal_size().columns, _MAX_COLUMNS) - 2
        super().__init__(prog, max_help_position=_NAMES_COLUMNS, width=width)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        parts = [part if "\n" in part else textwrap.fill(part, width) for part in text.split("\n\n")]
        return textwrap.indent("\n\n".join(parts), indent)


def shorten_usage(parser: argparse.ArgumentParser) -> None:
    """Replace the usage of a command with many options by its arguments, required options and ``[OPTIONS]``."""
    shown = [action for action in parser._actions if action.help != argparse.SUPPRESS]
    options = [action for action in shown if action.option_strings]
    if len(options) <= _MAX_LISTED + 1:  # --help is no option to read about
        return
    words = [_argument(action) for action in shown if not action.option_strings]
    words += [f"{action.option_strings[0]} {action.metavar}" for action in options if action.required]
    parser.usage = " ".join(["%(prog)s", *words, "[OPTIONS]"])


def likely_option(parser: argparse.ArgumentParser, message: str) -> str:
    """Return a sentence with the option that a refused one resembles, or nothing; also of the actions of a command."""
    printed = _printing_option(parser, message)
    if printed:
        return printed
    words = message.split() if message.startswith("unrecognized arguments") else []
    wrong = next((word.split("=")[0] for word in words if word.startswith("--")), "")
    actions = list(parser._actions)
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            actions += [below for command in action.choices.values() for below in command._actions]
    known = {option for action in actions if action.help != argparse.SUPPRESS for option in action.option_strings}
    close = difflib.get_close_matches(wrong, sorted(known), n=1) if wrong else []
    return f'. Did you mean "{close[0]}"?' if close else ""


def _printing_option(parser: argparse.ArgumentParser, message: str) -> str:
    """Return a sentence for a file that was given to ``--csv`` or ``--json``, which print; else nothing."""
    given = re.fullmatch(r"argument (--\w+): ignored explicit argument '(.+)'", message)
    found = given or re.fullmatch(r"unrecognized arguments: ([^-]\S*\.(csv|jsonl?))", message)
    if found is None:
        return ""
    option = found[1] if given else "--" + found[2].rstrip("l")
    name = found[2] if given else found[1]
    if not any(option in action.option_strings and action.nargs == 0 for action in parser._actions):
        return ""
    return f". {option} prints: {parser.prog} {option} > {shlex.quote(name)}"


def _argument(action: argparse.Action) -> str:
    name = str(action.metavar or action.dest)
    return {"?": f"[{name}]", "*": f"[{name} ...]", "+": f"{name} [{name} ...]"}.get(str(action.nargs), name)
