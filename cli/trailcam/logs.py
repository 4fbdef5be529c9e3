"""Log messages of the device on stderr; under systemd each line carries its priority for the journal."""

import argparse
import logging
import os
import sys
import threading
import traceback
from types import TracebackType

from trailcam.terminal import paint
from trailcam_core.files.names import printable
from trailcam_core.network.secrets import mask_text

_LOGGERS = ("trailcam_core", "trailcam_edge", "trailcam_train")
_PRIORITIES = ((logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6), (logging.DEBUG, 7))  # syslog(3)


def add_logging_arguments(group: "argparse._ActionsContainer") -> None:
    """Add -v and -q to a parser or to a group of its options."""
    level = group.add_mutually_exclusive_group()
    level.add_argument("-v", "--verbose", action="store_true", help="log details as well")
    level.add_argument("-q", "--quiet", action="store_true", help="log only warnings and errors")


def configure_logging(arguments: argparse.Namespace | None = None) -> None:
    """Log messages of the device to stderr; ``arguments`` are those of ``add_logging_arguments``."""
    level = logging.INFO
    if arguments is not None and getattr(arguments, "verbose", False):
        level = logging.DEBUG
    elif arguments is not None and getattr(arguments, "quiet", False):
        level = logging.WARNING
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        logger.setLevel(level)
        if not any(isinstance(handler, _StderrHandler) for handler in logger.handlers):
            logger.addHandler(_StderrHandler())
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # it warns at every attempt; the last one becomes our error


def journal_prefix(level: int) -> str:
    """Return the priority that systemd reads from a line if stderr is the journal, otherwise nothing.

    Source: sd-daemon(3); JOURNAL_STREAM in systemd.exec(5).
    """
    try:
        state = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError):  # not a file
        return ""
    if os.environ.get("JOURNAL_STREAM") != f"{state.st_dev}:{state.st_ino}":
        return ""
    return f"<{next((number for least, number in _PRIORITIES if level >= least), 7)}>"


def safe_message(message: str) -> str:
    """Return a message as it may appear on a terminal or in a journal: without secrets and control characters."""
    return printable(mask_text(message), keep="\n\t")


def mask_tracebacks() -> None:
    """Print errors that nothing handles without the secrets in their messages, in every thread."""

    def show(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
        print(mask_text("".join(traceback.format_exception(kind, error, trace))), end="", file=sys.stderr)

    def show_of_thread(failure: threading.ExceptHookArgs) -> None:
        if failure.exc_type is not SystemExit:
            show(failure.exc_type, failure.exc_value, failure.exc_traceback)

    sys.excepthook = show
    threading.excepthook = show_of_thread


class _StderrHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        name = "trailcam:"
        if record.levelno >= logging.WARNING:
            name = paint(name, "bad" if record.levelno >= logging.ERROR else "doubtful", sys.stderr)
        print(
            f"{journal_prefix(record.levelno)}{name} {safe_message(record.getMessage())}",
            file=sys.stderr,
            flush=True,
        )
