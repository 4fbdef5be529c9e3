"""The parser of this command line."""

import argparse
import sys
from pathlib import Path
from typing import Any, NoReturn

from trailcam.help.groups import HelpLines, likely_option
from trailcam.logs import safe_message


class UsageError(Exception):
    """Options that contradict each other, found after the parser has read them: the program ends with exit code 2."""


class SafeParser(argparse.ArgumentParser):
    """A parser of this command line: its messages show no secret of a refused argument; its help has ``HelpLines``."""

    def __init__(self, *words: Any, **settings: Any) -> None:
        super().__init__(*words, **{"formatter_class": HelpLines} | settings)

    def error(self, message: str) -> NoReturn:
        """Print usage and message, and exit with code 2."""
        super().error(safe_message(message) + likely_option(self, message))

    def _get_value(self, action: argparse.Action, arg_string: str) -> Any:
        if action.type is Path and not arg_string:  # of a variable that is not set; it would be the working folder
            raise argparse.ArgumentError(action, "the path is empty")
        return super()._get_value(action, arg_string)

    def _print_message(self, message: str, file: Any = None) -> None:
        (file or sys.stderr).write(message)  # the base class hides that a reader has gone
