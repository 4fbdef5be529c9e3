"""Log messages of the device on stderr; under systemd each line carries its priority for the journal."""

import argparse
import logging
import os
import sys

from trailcam.streams import printable

_LOGGERS = ("trailcam_core", "trailcam_edge")
_PRIORITIES = ((logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6), (logging.DEBUG, 7))  # syslog(3)


def add_logging_arguments(parser: argparse.ArgumentParser) -> None:
    """Add -v and -q."""
    level = parser.add_mutually_exclusive_group()
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


class _StderrHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        print(
            f"{journal_prefix(record.levelno)}trailcam: {printable(record.getMessage(), keep=chr(10))}",
            file=sys.stderr,
            flush=True,
        )
