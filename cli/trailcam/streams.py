"""Standard streams that every command can rely on, and text that is safe to print."""

import codecs
import os
import sys

from trailcam_core.files.names import FORMULA_STARTS, printable


def prepare_streams() -> None:
    """Open closed standard streams, and write characters that the terminal lacks as JSON escapes them."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number, which is this one
    codecs.register_error("trailcam-escape", _escape)
    sys.stdout = sys.stdout or os.fdopen(1, "w", encoding="utf-8")
    sys.stderr = sys.stderr or os.fdopen(2, "w", encoding="utf-8")
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="trailcam-escape")


def discard_output() -> None:
    """Write nothing any more: the reader closed the pipe, as "| head" does, or the disk is full."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(nothing, stream.fileno())
    os.close(nothing)


def csv_text(text: object) -> str:
    """Return the text of a CSV cell; a spreadsheet does not take it for a formula."""
    written = printable(str(text))
    return f"'{written}" if written.startswith(FORMULA_STARTS) else written


def _escape(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass")
    pairs = range(0, len(units), 2)
    return "".join(f"\\u{int.from_bytes(units[i : i + 2], 'big'):04x}" for i in pairs), error.end
