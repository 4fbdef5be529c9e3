"""The command ``trailcam``: a table of subcommands, each imported only when it is called.

Exit codes: 0 done, 1 our error with a next step, 2 usage, 3 a check did not pass, 130 interrupted.
Results go to stdout, progress and errors to stderr.
"""

import errno
import importlib
import io
import logging
import os
import sys
from collections.abc import Sequence

from trailcam import __version__
from trailcam.logs import SafeParser, journal_prefix, mask_tracebacks, printable
from trailcam_core.errors import TrailcamError
from trailcam_core.records import shown

COMMANDS = {
    "demo": "recognise animals now, with the built-in bundle, on real photographs",
    "classify": "classify picture files and folders",
    "watch": "live recognition, frame by frame",
    "service": "run the camera from power-on, as a systemd service",
    "cameras": "list the cameras of this machine and explain why others are missing",
    "status": "show the state of this camera: bundle, update, last frame, last visit, store",
    "events": "list, filter and export the events of a camera",
    "data": "check a folder of photographs before training on it",
    "train": "train a model on folders of photographs",
    "export": "convert a run into bundles and measure the drift",
    "inspect": "describe a bundle and check that it is intact",
    "release": "manage the signed repository from which cameras fetch bundles",
    "deploy": "install a bundle on cameras over SSH: provision, push, prove, watch",
    "update": "update the bundle of this camera; show the state or roll back",
    "benchmark": "compare bundles: latency, memory, accuracy, long runs",
}
ACTIONS = {  # subcommands; a folder of such a name is written ./compare
    "train compare": "compare two runs on the same test pictures",
    "deploy status": "show the bundle and state of every camera of a fleet",
    "deploy rollback": "return cameras to their previous bundle",
    "deploy logs": "show the journals of cameras",
    "deploy sdcard": "write first-boot files onto a freshly imaged card",
}
_WITH_SECRETS = ("watch", "service", "update", "release", "deploy")  # nobody else may write what these make
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
    mask_tracebacks()
    _prepare_streams()
    try:
        try:
            return _dispatch(list(sys.argv[1:] if argv is None else argv))
        finally:
            sys.stdout.flush()  # now, while a reader that has gone can still be handled
    except BrokenPipeError:  # the reader closed the pipe, as "| head" does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _prepare_streams() -> None:
    """Open closed standard streams, and make every name printable: one that is not UTF-8 is printed with an escape."""
    for number in range(3):  # otherwise the next file that is opened gets the messages
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - open to the end
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _dispatch(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help"):
        print(_overview())
        return 0 if words else 2
    if words[0] == "--version":
        print(f"trailcam {__version__}")
        return 0
    if words[0] not in COMMANDS:
        print(
            f'trailcam: no command {shown(words[0])}; there are: {", ".join(COMMANDS)}. Try "trailcam --help".',
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
        "From a folder of photographs to animal recognition that is proven to work on a field camera.\n\n"
        f"{rows}\n\n"
        '"trailcam COMMAND --help" explains one of them.'
    )


def _run(name: str, words: list[str]) -> int:
    command = importlib.import_module(f"trailcam.commands.{name.replace(' ', '.')}")
    parser = SafeParser(
        prog=f"trailcam {name}",
        description=f"{(COMMANDS | ACTIONS)[name].capitalize()}.",
        allow_abbrev=False,
    )
    command.add_arguments(parser)
    arguments = parser.parse_args(words)
    if name.split()[0] in _WITH_SECRETS:
        os.umask(os.umask(0o077) | 0o022)
    try:
        return int(command.run(arguments))
    except TrailcamError as error:
        return _fail(str(error))
    except KeyboardInterrupt:
        print("\ntrailcam: interrupted.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        raise  # main handles it: the output may also be in a buffer still
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get((error.name or "").split(".")[0])
        if extra is None:
            raise
        return _fail(f'"trailcam {name}" needs {error.name}, which is not installed: pip install "trailcam[{extra}]".')
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        return _fail(f"{place}{_DISK_ERRORS.get(error.errno or 0, error.strerror or str(error))}.")


def _fail(message: str) -> int:
    print(f"{journal_prefix(logging.ERROR)}trailcam: {printable(message)}", file=sys.stderr)
    return 1
