"""``trailcam demo``: recognise animals now, with the built-in bundle and built-in frames."""

import argparse
from functools import partial

from trailcam.commands.model_options import add_model_arguments
from trailcam.commands.watch import follow
from trailcam_core.errors import SourceError
from trailcam_edge.config.watch_settings import WatchSettings
from trailcam_edge.sources import open_source

__all__ = ["add_arguments", "run"]

_NEXT = """
Next:
  trailcam classify PHOTO.jpg            your own photo (it knows ten animals; all else is "unknown")
  trailcam watch --source FOLDER         a folder of photos or a video, frame by frame
  trailcam train FOLDER --recipe cnn     your own animals, one sub-folder per kind"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``trailcam demo``."""
    add_model_arguments(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object per frame and line")


def run(arguments: argparse.Namespace) -> int:
    """Watch the built-in frames, and say what to try next."""

    def refuse(error: SourceError) -> None:
        raise error

    follow(partial(open_source, "demo", refuse), arguments, WatchSettings())
    if not arguments.json:
        print(_NEXT)
    return 0
