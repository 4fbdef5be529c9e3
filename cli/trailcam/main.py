"""The one command ``trailcam``: a table of subcommands, each imported only when it is called.

Exit codes: 0 done, 1 our error with a next step, 2 usage, 3 a check did not pass, 130 interrupted.
Results go to stdout, progress and errors to stderr.
"""

import argparse
import errno
import importlib
import os
import sys
from collections.abc import Sequence

from trailcam import __version__
from trailcam_core.errors import TrailcamError

__all__ = ["ACTIONS", "COMMANDS", "main"]

COMMANDS = {
    "demo": "recognise animals now, with the built-in bundle, on real photographs",
    "classify": "say what is in picture files and folders",
    "watch": "live recognition, frame by frame",
    "service": "run the camera from power-on, as a systemd service",
    "cameras": "list the cameras of this machine, and what keeps others from being seen",
    "events": "what the camera saw: list, filter, export",
    "data": "look at a folder of photographs before it costs you a week",
    "train": "train a model on folders of photographs",
    "export": "turn a run into bundles and measure what that cost",
    "inspect": "say what is in a bundle and whether it is intact",
    "release": "keep the signed repository that cameras fetch bundles from",
    "deploy": "bring a bundle to cameras over SSH: provision, push, prove, watch",
    "update": "bring this camera's bundle up to date; say or undo what was done",
    "benchmark": "measure bundles side by side: latency, memory, accuracy, long runs",
}
ACTIONS = {  # of a command whose first word may as well be a folder: the action wins, ./compare is the folder
    "train compare": "say which of two runs is better, on the same test pictures",
    "deploy status": "say what the cameras of a fleet run and see",
    "deploy rollback": "take cameras back to the bundle before",
    "deploy logs": "show the journals of cameras",
    "deploy sdcard": "write first-boot files onto a freshly imaged card",
}
_DISK_ERRORS = {
    errno.ENOSPC: "the disk is full. Free some space and run the command again",
    errno.EDQUOT: "your disk quota is used up. Free some space and run the command again",
    errno.EROFS: "the disk is read-only. Choose another place",
}
_EXTRAS = {
    "tensorflow": "train,export",
    "keras": "train,export",
    "tensorboard": "train",
    "kagglehub": "data",
    "paho": "mqtt",
    "cryptography": "deploy",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in ("-h", "--help"):
        print(_overview())
        return 0 if words else 2
    if words[0] == "--version":
        print(f"trailcam {__version__}")
        return 0
    if words[0] not in COMMANDS:
        print(
            f'trailcam: no command {words[0]!r}; there are: {", ".join(COMMANDS)}. Try "trailcam --help".',
            file=sys.stderr,
        )
        return 2
    if " ".join(words[:2]) in ACTIONS:
        return _run(" ".join(words[:2]), words[2:])
    return _run(words[0], words[1:])


def _overview() -> str:
    meanings = COMMANDS | ACTIONS
    width = max(map(len, meanings)) + 2
    names = [name for command in COMMANDS for name in (command, *(a for a in ACTIONS if a.split()[0] == command))]
    rows = "\n".join(f"  {name:<{width}}{meanings[name]}" for name in names)
    return (
        "usage: trailcam COMMAND [OPTIONS]\n\n"
        "From a folder of photos to animal recognition that is proven to work on a field camera.\n\n"
        f"{rows}\n\n"
        '"trailcam COMMAND --help" explains one of them.'
    )


def _run(name: str, words: list[str]) -> int:
    command = importlib.import_module(f"trailcam.commands.{name.replace(' ', '.')}")
    parser = argparse.ArgumentParser(
        prog=f"trailcam {name}",
        description=f"{(COMMANDS | ACTIONS)[name].capitalize()}.",
        allow_abbrev=False,
    )
    command.add_arguments(parser)
    arguments = parser.parse_args(words)
    try:
        return int(command.run(arguments))
    except TrailcamError as error:
        return _fail(str(error))
    except KeyboardInterrupt:
        print("\ntrailcam: interrupted.", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader went away, as in "| head": nobody is left to tell
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get((error.name or "").split(".")[0])
        if extra is None:
            raise
        return _fail(f'"trailcam {name}" needs {error.name}, which is not installed: pip install "trailcam[{extra}]".')
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        return _fail(f"{place}{_DISK_ERRORS.get(error.errno or 0, error.strerror or str(error))}.")


def _fail(message: str) -> int:
    print(f"trailcam: {message}", file=sys.stderr)
    return 1
