"""The option ``--source-file``: the source of a camera from a file or standard input, so that no list shows it."""

import argparse
import sys
from pathlib import Path

from trailcam.help.groups import Options
from trailcam_core.errors import ConfigError
from trailcam_core.files.secret_file import parse_secret, read_secret

_WHAT = "source of the camera"
_MAX_BYTES = 65_536


def add_source_file_argument(group: Options) -> None:
    """Add ``--source-file`` to a parser or to a group of its options."""
    group.add_argument(
        "--source-file",
        metavar="FILE",
        help='like --source, from a file of mode 600 or 640, or from standard input ("-"): for an address with a '
        "password, which --source would show in the list of processes",
    )


def given_source(arguments: argparse.Namespace) -> str | None:
    """Return the source of ``--source`` or ``--source-file``, or None. Call it once: it reads standard input.

    Raises:
        ConfigError: both are given, or the file cannot be used.
    """
    file: str | None = arguments.source_file
    if file is None:
        source: str | None = arguments.source
        return source
    if arguments.source is not None:
        raise ConfigError("--source and --source-file are both given, expected one of them.")
    if file == "-":
        return parse_secret(sys.stdin.buffer.read(_MAX_BYTES), "standard input", _WHAT)
    return read_secret(Path(file), _WHAT)
