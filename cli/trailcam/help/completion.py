"""Completion of commands, options and file names at the tab key, by argcomplete (extra ``completion``)."""

import argparse
import importlib
import os
import shlex

from trailcam.help.parser import SafeParser


def complete(commands: dict[str, str], actions: dict[str, str]) -> None:
    """Print the completions of the line in the environment to the shell, and end the process.

    Only the module of the command on the line is imported.

    Args:
        commands: names and meanings.
        actions: names of two words, and meanings.
    """
    import argcomplete

    parser = SafeParser(prog="trailcam")
    chosen = _chosen(os.environ.get("COMP_LINE", ""), commands, actions)
    added = parser.add_subparsers()
    for name, meaning in commands.items():
        command = added.add_parser(name, help=meaning)
        inner = [action for action in actions if action.split()[0] == name]
        if chosen in inner:
            below = command.add_subparsers()
            _add_arguments(chosen, below.add_parser(chosen.split()[1]))
        elif chosen == name:
            _add_arguments(name, command)
    argcomplete.autocomplete(parser)


def _chosen(line: str, commands: dict[str, str], actions: dict[str, str]) -> str:
    try:
        words = shlex.split(line)[1:]
    except ValueError:  # a quotation that is not closed yet
        words = line.split()[1:]
    if " ".join(words[:2]) in actions:
        return " ".join(words[:2])
    return words[0] if words and words[0] in commands else ""


def _add_arguments(name: str, parser: argparse.ArgumentParser) -> None:
    importlib.import_module(f"trailcam.commands.{name.replace(' ', '.')}").add_arguments(parser)
